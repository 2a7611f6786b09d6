// Climbs of random cut trees side by side, each of a point of its own or on a tree of its own.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cuts.hpp"

namespace sagedock::cuts {

constexpr size_t kWalks = 8;

// From the roots `at` (kWalks) of trees down to the leaves at which the points arrive.
void descend(const Node* nodes, const float* const* points, int32_t* at);

// The scores (kWalks) of points from the leaves at which they arrive. Behind the last column of a point kPadding floats
// may be read.
void climb(InstructionSet instructions, const Ladders& ladders, const float* const* points, const int32_t* leaves,
           float* scores);

// Writes how far a point lies outside of each column of a box; returns their sum, whose order is kLanes partial sums.
float measure_outside(const float* low, const float* high, const float* point, size_t columns, float* apart);

// The sum of a box's sides, in the same order.
float sum_of_sides(const float* low, size_t columns);

}  // namespace sagedock::cuts
