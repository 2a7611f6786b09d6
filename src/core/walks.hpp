// Climbs of random cut trees side by side, each of a point of its own or on a tree of its own.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cuts.hpp"

namespace sagedock::cuts {

constexpr size_t kWalks = 8;

// From the roots `at` (kWalks) of trees down to the leaves at which the points arrive.
void descend(const Node* nodes, const float* const* points, int32_t* at);

// One point's ways down `count` trees: where each stands, in which tree that is, and where they end.
struct Descents {
    int32_t *here, *tree, *leaf;
    size_t count;
};

// All go down together, level by level, so that many wait for memory at once; what a climb will need is fetched meanwhile.
void descend(const Ladders& ladders, const float* point, Descents& descents);

// Points and the leaves at which they arrive, a score for each: `count` of them, and behind them room for kWalks more, the
// leaves there being any. From one point to the next are `stride` floats, none where one point climbs many trees; behind
// the last column of a point kPadding floats may be read.
struct Climbs {
    const float* points;
    size_t stride;
    const int32_t* leaves;
    size_t count;
    float* scores;
};

void climb(InstructionSet instructions, const Ladders& ladders, const Climbs& climbs);

// Writes how far a point lies outside of each column of a box; returns their sum, whose order is kLanes partial sums.
float measure_outside(const float* low, const float* high, const float* point, size_t columns, float* apart);

// The sum of a box's sides, in the same order.
float sum_of_sides(const float* low, size_t columns);

}  // namespace sagedock::cuts
