// Random cut trees over reservoirs of points: a point is scored, then takes the place of others in some of the trees.
// The arrays are those of ReservoirTrees in sagedock/algorithms/randomcutforest, which says what they hold; the
// arithmetic is that of `Stream` there, operation by operation.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sagedock::reservoir {

// (trees, ...) arrays of trees over `samples` points of `columns` coordinates padded to `width`, whole lanes of 16.
struct Trees {
    std::size_t trees, samples, columns, width;
    std::int32_t* dimension;  // (cuts), cuts being samples - 1
    float* cut;               // (cuts)
    std::int32_t* child;      // (cuts, 2)
    float* box;               // (cuts, 2, width)
    float* span;              // (cuts)
    float* point;             // (samples, width)
    std::int32_t* mass;       // (samples)
    std::int32_t* parent;     // (2 samples - 1)
    std::int32_t* root;       // one
    std::int32_t* leaf_of;    // (samples)
    std::int32_t* free;       // (2)
    const double* bits;       // (samples + 1) log2 of each mass, once for all trees
};

// What is drawn, how readily points are let in, and by what the sum over trees is multiplied.
struct Rule {
    std::uint64_t seed;
    std::uint64_t seen;
    double decay;
    double scale;
};

// points (rows, width), measured and padded as the trees' own; scores (rows); shares (rows, width) or null. Without
// `learns` the trees stay as they are.
void follow(const Trees& trees, const float* points, std::size_t rows, const Rule& rule, bool learns, float* scores,
            float* shares);

}  // namespace sagedock::reservoir
