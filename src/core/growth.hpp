// Growing random cut trees, as build of sagedock/algorithms/randomcutforest/forest.py does: the same trees to the bit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sagedock::cuts {

// Finite numbers (trees, rows of a tree, columns); the caller owns them.
struct Samples {
    const float* values;
    size_t trees, rows, columns;
};

// How many different points each tree has, which are its leaves; it has one cut fewer.
std::vector<size_t> count_leaves(const Samples& samples, size_t threads);

// Where the forest goes: the arrays of Source (cuts.hpp), of the sizes that `count_leaves` tells.
struct Grown {
    int32_t* dimension;
    float *cut, *box, *point;
    int32_t* mass;
};

void grow(const Samples& samples, const std::vector<size_t>& leaves, uint64_t seed, size_t threads, const Grown& grown);

}  // namespace sagedock::cuts
