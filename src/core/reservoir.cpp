#include "reservoir.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "processor.hpp"
#include "splitmix.hpp"

#define INLINED inline __attribute__((always_inline))

namespace sagedock::reservoir {

namespace {

constexpr std::int32_t kNone = -1;
constexpr std::size_t kLanes = 16;
constexpr std::uint64_t kPointStep = 0xD1342543DE82EF95;  // between the seeds of points

// The numbers of [0, 1) that one tree draws for one point.
class Draws {
public:
    Draws(std::uint64_t mixed_seed, std::size_t tree) : state_(mixed(mixed_seed + splitmix_step * (tree + 1))) {}
    double next() { return static_cast<double>(mixed(state_ += splitmix_step) >> 11) * 0x1p-53; }

private:
    std::uint64_t state_;
};

INLINED float folded(float* lanes) {
    for (std::size_t half = kLanes / 2; half > 0; half /= 2)
        for (std::size_t lane = 0; lane < half; ++lane) lanes[lane] += lanes[lane + half];
    return lanes[0];
}

INLINED float length_outside(float low, float high, float x) {
    return std::max(std::max(low - x, x - high), 0.0f);
}

// How far `point` lies outside the box, all columns together.
INLINED float outside(const float* low, const float* high, const float* point, std::size_t width) {
    float lanes[kLanes] = {};
    for (std::size_t begin = 0; begin < width; begin += kLanes)
        for (std::size_t lane = 0; lane < kLanes; ++lane)
            lanes[lane] += length_outside(low[begin + lane], high[begin + lane], point[begin + lane]);
    return folded(lanes);
}

INLINED float total(const float* low, const float* high, std::size_t width) {
    float lanes[kLanes] = {};
    for (std::size_t begin = 0; begin < width; begin += kLanes)
        for (std::size_t lane = 0; lane < kLanes; ++lane) lanes[lane] += high[begin + lane] - low[begin + lane];
    return folded(lanes);
}

struct Bounds {
    const float* low;
    const float* high;
};

// One tree of the arrays.
class Tree {
public:
    Tree(const Trees& all, std::size_t tree)
        : samples(all.samples), columns(all.columns), width(all.width), cuts(static_cast<std::int32_t>(all.samples) - 1),
          dimension(all.dimension + tree * (samples - 1)), cut(all.cut + tree * (samples - 1)),
          child(all.child + tree * (samples - 1) * 2), box(all.box + tree * (samples - 1) * 2 * width),
          span(all.span + tree * (samples - 1)), point(all.point + tree * samples * width),
          mass(all.mass + tree * samples), parent(all.parent + tree * (2 * samples - 1)), root(all.root + tree),
          leaf_of(all.leaf_of + tree * samples), free(all.free + tree * 2), bits(all.bits) {}

    INLINED float score(const float* x, float* shares) const;
    INLINED void replace(std::int32_t slot, const float* x, Draws& draws, double* ends);

private:
    float* low_of(std::int32_t node) const { return box + static_cast<std::size_t>(node) * 2 * width; }
    float* point_of(std::int32_t leaf) const { return point + static_cast<std::size_t>(leaf - cuts) * width; }
    Bounds bounds(std::int32_t node) const {
        if (node < cuts) return {low_of(node), low_of(node) + width};
        return {point_of(node), point_of(node)};
    }
    std::int32_t next(std::int32_t node, const float* x) const { return child[2 * node + (x[dimension[node]] > cut[node])]; }
    std::int32_t beside(std::int32_t node) const {
        const std::int32_t* two = child + 2 * parent[node];
        return two[0] == node ? two[1] : two[0];
    }

    INLINED void share_at_leaf(std::int32_t leaf, bool seen, const float* x, float score, float* shares) const;
    INLINED void take_out(std::int32_t slot);
    INLINED void let_in(std::int32_t slot, const float* x, Draws& draws, double* ends);
    INLINED void shrink(std::int32_t node);
    INLINED bool part(std::int32_t node, std::int32_t slot, const float* x, double draw, double* ends);
    std::int32_t new_leaf(std::int32_t slot, const float* x);
    void put(std::int32_t node, std::int32_t over, std::int32_t instead);
    std::int32_t acquire(int kind);
    void release(std::int32_t node);

    std::size_t samples, columns, width;
    std::int32_t cuts;
    std::int32_t* dimension;
    float* cut;
    std::int32_t* child;
    float* box;
    float* span;
    float* point;
    std::int32_t* mass;
    std::int32_t* parent;
    std::int32_t* root;
    std::int32_t* leaf_of;
    std::int32_t* free;
    const double* bits;
};

INLINED float Tree::score(const float* x, float* shares) const {
    std::int32_t node = *root;
    int level = 0;
    for (; node < cuts; ++level) node = next(node, x);
    const float* leaf = point_of(node);
    const bool seen = !(outside(leaf, leaf, x, width) > 0);
    const double depth = level + bits[mass[node - cuts]];
    float score = seen ? static_cast<float>(1 / (depth == 0 ? 1 : depth)) : 1.0f / static_cast<float>(level + 1);
    if (shares != nullptr) share_at_leaf(node, seen, x, score, shares);
    if (seen) return score;
    for (node = parent[node]; node != kNone; node = parent[node]) {
        const float* low = low_of(node);
        const float out = outside(low, low + width, x, width);
        if (!(out > 0)) break;
        const float whole = span[node] + out, here = 1.0f / static_cast<float>(level--), kept = span[node] / whole;
        score = here + kept * (score - here);
        for (std::size_t i = 0; shares != nullptr && i < width; ++i)
            shares[i] = length_outside(low[i], low[width + i], x[i]) / whole * here + kept * shares[i];
    }
    return score;
}

INLINED void Tree::share_at_leaf(std::int32_t leaf, bool seen, const float* x, float score, float* shares) const {
    Bounds from{point_of(leaf), point_of(leaf)};
    if (seen && parent[leaf] == kNone) {
        for (std::size_t i = 0; i < width; ++i)
            shares[i] = i < columns ? 1.0f / static_cast<float>(columns) * score : 0.0f;
        return;
    }
    if (seen) from = bounds(beside(leaf));
    const float out = outside(from.low, from.high, x, width);
    for (std::size_t i = 0; i < width; ++i) shares[i] = length_outside(from.low[i], from.high[i], x[i]) / out * score;
}

INLINED void Tree::replace(std::int32_t slot, const float* x, Draws& draws, double* ends) {
    take_out(slot);
    let_in(slot, x, draws, ends);
}

INLINED void Tree::take_out(std::int32_t slot) {
    const std::int32_t leaf = leaf_of[slot];
    if (--mass[leaf - cuts] > 0) return;
    const std::int32_t above = parent[leaf];
    if (above == kNone) {
        *root = kNone;
        return release(leaf);
    }
    const std::int32_t sibling = beside(leaf), over = parent[above];
    put(sibling, over, above);
    release(leaf);
    release(above);
    shrink(over);
}

// Draw the boxes from `node` up to the root around their children, as far as anything changes.
INLINED void Tree::shrink(std::int32_t node) {
    for (; node != kNone; node = parent[node]) {
        const Bounds first = bounds(child[2 * node]), second = bounds(child[2 * node + 1]);
        float* low = low_of(node);
        float* high = low + width;
        bool changed = false;
        for (std::size_t i = 0; i < width; ++i) {
            const float lower = std::min(first.low[i], second.low[i]), higher = std::max(first.high[i], second.high[i]);
            changed |= (lower != low[i]) | (higher != high[i]);
            low[i] = lower;
            high[i] = higher;
        }
        if (!changed) return;
        span[node] = total(low, high, width);
    }
}

INLINED void Tree::let_in(std::int32_t slot, const float* x, Draws& draws, double* ends) {
    for (std::int32_t node = *root; node != kNone; node = next(node, x)) {
        const Bounds now = bounds(node);
        bool sticks_out = false;
        for (std::size_t i = 0; i < width; ++i) sticks_out |= (x[i] < now.low[i]) | (x[i] > now.high[i]);
        if (sticks_out) {
            if (part(node, slot, x, draws.next(), ends)) return;
        } else if (node >= cuts) {
            ++mass[node - cuts];
            leaf_of[slot] = node;
            return;
        }
    }
    *root = new_leaf(slot, x);
}

// Cut the box of `node` and x: true when the cut parts them, and x is in; else the box has grown around x.
INLINED bool Tree::part(std::int32_t node, std::int32_t slot, const float* x, double draw, double* ends) {
    const Bounds now = bounds(node);
    double end = 0;
    for (std::size_t i = 0; i < columns; ++i)
        ends[i] = end += static_cast<double>(std::max(now.high[i], x[i])) - static_cast<double>(std::min(now.low[i], x[i]));
    const double place = draw * end;
    std::size_t column = static_cast<std::size_t>(std::upper_bound(ends, ends + columns, place) - ends);
    if (column == columns) --column;  // only if all sides were 0, which a point that sticks out rules out
    const float low = now.low[column], high = now.high[column];
    const float top = std::max(high, x[column]);
    const double drawn = static_cast<double>(std::min(low, x[column])) + (place - (column > 0 ? ends[column - 1] : 0.0));
    const float value = std::min(static_cast<float>(drawn), std::nextafterf(top, -std::numeric_limits<float>::infinity()));
    const bool on_left = x[column] <= value && value < low, on_right = high <= value && value < x[column];
    const std::int32_t made = on_left || on_right ? acquire(0) : node;
    float* lower = low_of(made);
    float* higher = lower + width;
    for (std::size_t i = 0; i < width; ++i) {
        const float least = std::min(now.low[i], x[i]), most = std::max(now.high[i], x[i]);
        lower[i] = least;
        higher[i] = most;
    }
    span[made] = total(lower, higher, width);
    if (made == node) return false;
    const std::int32_t leaf = new_leaf(slot, x);
    put(made, parent[node], node);
    dimension[made] = static_cast<std::int32_t>(column);
    cut[made] = value;
    child[2 * made] = on_left ? leaf : node;
    child[2 * made + 1] = on_left ? node : leaf;
    parent[leaf] = parent[node] = made;
    return true;
}

std::int32_t Tree::new_leaf(std::int32_t slot, const float* x) {
    const std::int32_t leaf = acquire(1);
    std::copy(x, x + width, point_of(leaf));
    mass[leaf - cuts] = 1;
    leaf_of[slot] = leaf;
    parent[leaf] = kNone;
    return leaf;
}

void Tree::put(std::int32_t node, std::int32_t over, std::int32_t instead) {
    parent[node] = over;
    if (over == kNone)
        *root = node;
    else
        child[2 * over + (child[2 * over + 1] == instead)] = node;
}

std::int32_t Tree::acquire(int kind) {
    const std::int32_t node = free[kind];
    free[kind] = parent[node];
    return node;
}

void Tree::release(std::int32_t node) {
    const int kind = node >= cuts;
    parent[node] = free[kind];
    free[kind] = node;
}

struct Work {
    std::vector<double> ends;
    std::vector<float> parts;
    std::vector<double> sums;
};

INLINED float score(const Trees& trees, const float* x, double scale, Work& work, float* shares) {
    double sum = 0;
    std::fill(work.sums.begin(), work.sums.end(), 0.0);
    for (std::size_t tree = 0; tree < trees.trees; ++tree) {
        sum += static_cast<double>(Tree(trees, tree).score(x, shares == nullptr ? nullptr : work.parts.data()));
        for (std::size_t i = 0; shares != nullptr && i < trees.width; ++i) work.sums[i] += static_cast<double>(work.parts[i]);
    }
    for (std::size_t i = 0; shares != nullptr && i < trees.width; ++i) shares[i] = static_cast<float>(work.sums[i] * scale);
    return static_cast<float>(sum * scale);
}

INLINED void learn(const Trees& trees, const float* x, const Rule& rule, std::uint64_t seen, Work& work) {
    const double samples = static_cast<double>(trees.samples);
    const double accepted = samples * std::max(1 / static_cast<double>(seen + 1), rule.decay);
    const std::uint64_t seed = mixed(rule.seed + seen * kPointStep);
    for (std::size_t tree = 0; tree < trees.trees; ++tree) {
        Draws draws(seed, tree);
        if (!(draws.next() < accepted)) continue;
        const auto slot = static_cast<std::int32_t>(draws.next() * samples);
        Tree(trees, tree).replace(slot, x, draws, work.ends.data());
    }
}

INLINED void follow_all(const Trees& trees, const float* points, std::size_t rows, const Rule& rule, bool learns,
                        float* scores, float* shares) {
    Work work{std::vector<double>(trees.columns), std::vector<float>(trees.width), std::vector<double>(trees.width)};
    for (std::size_t row = 0; row < rows; ++row) {
        const float* x = points + row * trees.width;
        scores[row] = score(trees, x, rule.scale, work, shares == nullptr ? nullptr : shares + row * trees.width);
        if (learns) learn(trees, x, rule, rule.seen + row, work);
    }
}

#ifdef SAGEDOCK_X86
SAGEDOCK_AVX2 void follow_avx2(const Trees& trees, const float* points, std::size_t rows, const Rule& rule, bool learns,
                               float* scores, float* shares) {
    follow_all(trees, points, rows, rule, learns, scores, shares);
}

SAGEDOCK_AVX512 void follow_avx512(const Trees& trees, const float* points, std::size_t rows, const Rule& rule,
                                   bool learns, float* scores, float* shares) {
    follow_all(trees, points, rows, rule, learns, scores, shares);
}
#endif

}  // namespace

void follow(const Trees& trees, const float* points, std::size_t rows, const Rule& rule, bool learns, float* scores,
            float* shares) {
#ifdef SAGEDOCK_X86
    if (instruction_set() == InstructionSet::avx512) return follow_avx512(trees, points, rows, rule, learns, scores, shares);
    if (instruction_set() == InstructionSet::avx2) return follow_avx2(trees, points, rows, rule, learns, scores, shares);
#endif
    follow_all(trees, points, rows, rule, learns, scores, shares);
}

}  // namespace sagedock::reservoir
