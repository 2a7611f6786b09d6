// Random cut trees as flat arrays, on which points are scored: sagedock/algorithms/randomcutforest/forest.py says what a
// score is, and answers the same to the bit without this.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "large_pages.hpp"
#include "processor.hpp"

namespace sagedock::cuts {

constexpr size_t kLanes = 16;  // partial sums of lengths, folded in halves at the end

// All trees' nodes one after the other, each tree in preorder; lengths are in units of `unit`. The arrays outlive the
// forest.
struct Source {
    size_t nodes, cuts, leaves, columns;
    const int32_t* dimension;  // (nodes): the column of a cut, -1 at a leaf
    const float* cut;          // (cuts): up to this value points go left
    const float* box;          // (cuts, 2, columns): lowest and highest coordinates
    const float* point;        // (leaves, columns)
    const float* seen;         // (leaves): the score of a leaf's own point
    float unit, farthest;      // points are divided by the one, then held within the other on either side of 0
    double scale;              // times the sum over trees or, by depth, divided by its fourth root
    bool by_depth = false;
};

// What a descent looks at: a point that is not above the cut goes to `next`, others to next + 1. A leaf has cut NaN and
// itself at next + 1, so that a descent may go on and stay there. Parents stand before their children.
struct Node {
    float cut;
    uint32_t column;
    int32_t next;
};

// What a climb looks at besides the box.
struct Rung {
    int32_t parent;  // -1 at a root
    float share;     // 1 / (cuts above the node + 1) or, by depth, the fourth power of that sum
    float span;      // the sum of the box's sides; at a leaf the score of its own point
};

struct Record {
    Node node;
    Rung rung;
};

constexpr size_t kLine = 64;  // bytes that come from memory together

struct alignas(kLine) Line {
    unsigned char bytes[kLine];
};

// The nodes' records and boxes. In a small forest the box stands behind the rest, and a node in no more lines than it needs,
// since a point that comes alone waits for memory more than for anything else.
struct Ladders {
    const Line* lines;
    size_t stride;             // bytes from one record to the next
    const float* const* lows;  // the boxes of a large forest
    size_t columns;

    const Record& record(int32_t node) const {
        return *reinterpret_cast<const Record*>(lines->bytes + static_cast<size_t>(node) * stride);
    }

    const Rung& rung(int32_t node) const { return record(node).rung; }

    // The lowest coordinates and behind them the highest, or the point of a leaf. kPadding floats more may be read.
    const float* low(int32_t node) const {
        return lows ? lows[node] : reinterpret_cast<const float*>(&record(node) + 1);
    }
};

constexpr size_t kPadding = 8;
constexpr size_t kMostPacked = 16 << 20;

// Rows of points in units of length, kPadding floats behind the last.
using Points = std::vector<float>;

class Forest {
   public:
    // For the instruction set in use now. Up to so many bytes boxes are copied to stand behind their rungs. Throws
    // std::invalid_argument when the arrays are no forest.
    explicit Forest(const Source& source, size_t most_packed = kMostPacked);
    Forest(const Forest&) = delete;
    Forest& operator=(const Forest&) = delete;

    // Scores (rows) of points (rows, columns). False, and nothing is meant, when a point holds NaN.
    bool score(const float* points, size_t rows, size_t threads, float* scores) const;

    // What each column adds to the scores, (rows, columns).
    bool attribute(const float* points, size_t rows, size_t threads, float* shares) const;

    size_t columns() const { return source_.columns; }
    size_t trees() const { return first_.size() - 1; }
    size_t bytes() const;  // beside the arrays

   private:
    class Layout;
    class Sorter;
    class Walker;
    class Sharer;

    const Node& node(int32_t number) const { return nodes_[static_cast<size_t>(number)]; }
    bool is_leaf(int32_t number) const { return node(number).next < number; }
    Ladders ladders() const { return {lines_.data(), stride_, lows_.empty() ? nullptr : lows_.data(), columns()}; }
    float share(int32_t cuts) const;      // of a node below so many cuts
    float score_of(double total) const;  // of a sum over the trees
    bool measure(const float* points, size_t rows, Points& measured) const;
    template <class Worker, class Finish>
    bool in_blocks(const float* points, size_t rows, size_t threads, const Finish& finish) const;

    Source source_;
    InstructionSet instructions_;
    std::vector<int32_t> first_;  // (trees + 1)
    std::vector<Node> nodes_;
    std::vector<Line, LargePages<Line>> lines_;
    size_t stride_ = 0;
    std::vector<const float*> lows_;
    std::vector<float> copies_;  // of boxes and points of a large forest, behind which nothing may be read
};

}  // namespace sagedock::cuts
