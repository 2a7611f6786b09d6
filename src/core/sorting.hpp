// Points sorted by the leaves of a tree at which they arrive.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cuts.hpp"

namespace sagedock::cuts {

// Where the rows below each node of a tree stand: node i has the places begin[i] to end[i] of `rows`.
struct Order {
    uint16_t *rows, *spare;  // with room for kPadding more than there are rows, which name rows too
    int32_t *begin, *end;
};

// Orders the rows 0 to `count` of points, whose values in column i are at columns + i * stride, by the leaves of the tree
// whose nodes are from `first` to `last`.
void sort(InstructionSet instructions, const Node* nodes, int32_t first, int32_t last, const float* columns, size_t stride,
          int32_t count, const Order& order);

// Writes the columns of points (any number, columns), those named by `rows` in their order, to `place` (columns, stride).
void transpose(InstructionSet instructions, const float* points, size_t columns, const uint16_t* rows, size_t count,
               float* place, size_t stride);

}  // namespace sagedock::cuts
