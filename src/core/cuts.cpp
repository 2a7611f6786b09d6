#include "cuts.hpp"

#include "sorting.hpp"
#include "walks.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <system_error>
#include <thread>

#ifdef SAGEDOCK_X86
#include <immintrin.h>
#endif

#pragma GCC diagnostic ignored "-Wpsabi"  // vectors are passed between inlined functions only

namespace sagedock::cuts {

namespace {

constexpr int kManyColumns = static_cast<int>(kLanes) + 1;  // stands for all numbers above kLanes

// One tree: `count` nodes from `first` on.
struct Tree {
    const Node* nodes;
    Ladders ladders;
    int32_t first, count;
};

// Points in the order of their leaves: those below node i have the places begin[i] to end[i].
struct Sorted {
    const float* points;  // (columns, stride)
    size_t stride;
    float* scores;
    const int32_t *begin, *end;
};

using Climb = void(const Tree& tree, const Sorted& sorted);

#define LANES_SOURCE "climb.hpp"
#include "each_instruction_set.hpp"

constexpr size_t kSortedColumns = 128;       // up to so many columns, and
constexpr size_t kSortedRows = 200;          // from so many rows on, points are sorted by their leaves
constexpr size_t kSortedFloats = 40 * 1024;  // in one block: three matrices of them stay in the second-level cache
constexpr size_t kMostSorted = 4096;
constexpr size_t kWalkedFloats = 64 * 1024;  // in one block of points that are not sorted
constexpr size_t kWidest = 16;               // floats of the widest vector

Climb* climber(InstructionSet instructions, size_t columns) {
#ifdef SAGEDOCK_X86
    if (instructions == InstructionSet::avx512) return avx512::climber(columns);
    if (instructions == InstructionSet::avx2) return avx2::climber(columns);
#endif
    (void)instructions;
    return baseline::climber(columns);
}

}  // namespace

// Lays the trees out: siblings beside one another, their nodes behind them.
class Forest::Layout {
   public:
    explicit Layout(Forest& forest) : forest_(forest), source_(forest.source_) {}

    void build(size_t most_packed) {
        check();
        const size_t packed = stride_of(sizeof(Record) + 2 * source_.columns * sizeof(float));
        const bool packs = packed * source_.nodes <= most_packed;
        forest_.stride_ = packs ? packed : stride_of(sizeof(Record));
        forest_.nodes_.resize(source_.nodes);
        forest_.lines_.resize((forest_.stride_ * source_.nodes + kPadding * sizeof(float)) / kLine + 1);
        if (!packs) {
            forest_.lows_.resize(source_.nodes);
            forest_.copies_.reserve((2 * roots_ + 3 * kPadding) * source_.columns + kPadding);
        }
        while (read_ < source_.nodes) {
            forest_.first_.push_back(static_cast<int32_t>(next_));
            grow(next_++);
        }
        forest_.first_.push_back(static_cast<int32_t>(next_));
        forest_.copies_.resize(forest_.copies_.capacity(), 0.0f);
    }

   private:
    // Half a line, or some whole ones.
    static size_t stride_of(size_t bytes) { return bytes <= kLine / 2 ? kLine / 2 : (bytes + kLine - 1) / kLine * kLine; }

    struct Waiting {
        size_t at;
        int32_t parent, cuts;
    };

    // What would lead outside of the arrays.
    void check() {
        if (source_.columns < 1 || source_.nodes < 1 || source_.nodes > std::numeric_limits<int32_t>::max() / 2) {
            throw std::invalid_argument("a forest has a node and a column at least, and no more than 2^30 nodes");
        }
        size_t cuts = 0, open = 0;
        for (size_t node = 0; node < source_.nodes; ++node) {
            const int32_t column = source_.dimension[node];
            if (column < -1 || (column >= 0 && static_cast<size_t>(column) >= source_.columns)) {
                throw std::invalid_argument("a node cuts in a column that is none");
            }
            const bool is_root = open == 0;
            open = (is_root ? 1 : open) + (column < 0 ? -1 : 1);
            cuts += column >= 0;
            roots_ += is_root && open == 0;
        }
        if (open != 0 || cuts != source_.cuts || source_.nodes - cuts != source_.leaves) {
            throw std::invalid_argument("the last tree has no end, or the arrays differ in length");
        }
    }

    // One tree from its root's place on; a node's two children get the next places when its turn comes.
    void grow(size_t root) {
        std::vector<Waiting> waiting{{root, -1, 0}};
        while (!waiting.empty()) {
            const Waiting place = waiting.back();
            waiting.pop_back();
            const int32_t column = source_.dimension[read_++], at = static_cast<int32_t>(place.at);
            Node& node = forest_.nodes_[place.at];
            Record& record = *reinterpret_cast<Record*>(forest_.lines_.data()->bytes + place.at * forest_.stride_);
            Rung& rung = record.rung;
            rung = {place.parent, forest_.share(place.cuts), 0};
            if (column < 0) {
                record.node = node = {std::numeric_limits<float>::quiet_NaN(), 0, at - 1};
                rung.span = source_.seen[leaf_];
                put_point(leaf_++, place, record);
                continue;
            }
            record.node = node = {source_.cut[cut_], static_cast<uint32_t>(column), static_cast<int32_t>(next_)};
            put_box(cut_++, place, record);
            rung.span = sum_of_sides(forest_.ladders().low(at), source_.columns);
            waiting.push_back({next_ + 1, at, place.cuts + 1});
            waiting.push_back({next_, at, place.cuts + 1});
            next_ += 2;
        }
    }

    void put_box(size_t rank, Waiting place, Record& record) {
        const size_t count = 2 * source_.columns;
        const float* const box = source_.box + rank * count;
        if (forest_.lows_.empty()) std::copy(box, box + count, reinterpret_cast<float*>(&record + 1));
        else forest_.lows_[place.at] = rank + kPadding < source_.cuts ? box : copy(box, count);
    }

    void put_point(size_t rank, Waiting place, Record& record) {
        const size_t count = source_.columns;
        const float* const point = source_.point + rank * count;
        if (forest_.lows_.empty()) {
            std::copy(point, point + count, reinterpret_cast<float*>(&record + 1));
            return;
        }
        const bool is_root = place.parent < 0;  // a climb beside others stays there, and reads a box
        forest_.lows_[place.at] = !is_root && rank + kPadding < source_.leaves ? point : copy(point, count);
        if (is_root) copy(point, count);
    }

    const float* copy(const float* begin, size_t count) {
        std::vector<float>& copies = forest_.copies_;
        copies.insert(copies.end(), begin, begin + count);
        return copies.data() + copies.size() - count;
    }

    Forest& forest_;
    const Source& source_;
    size_t read_ = 0, next_ = 0, cut_ = 0, leaf_ = 0;
    size_t roots_ = 0;  // that are leaves
};

// Scores many points at once, sorted by their leaves.
class Forest::Sorter {
   public:
    Sorter(const Forest& forest, size_t most)
        : forest_(forest), stride_(most + kWidest), by_column_(forest.columns() * stride_), sorted_(by_column_.size()),
          scores_(stride_), totals_(most), rows_(most + kPadding), spare_(most + 2 * kPadding),
          climb_(climber(forest.instructions_, forest.columns())) {
        int32_t largest = 0;
        for (size_t tree = 0; tree < forest.trees(); ++tree) {
            largest = std::max(largest, count_of(tree));
        }
        begin_.resize(static_cast<size_t>(largest));
        end_.resize(static_cast<size_t>(largest));
    }

    static size_t block(size_t columns) { return std::clamp<size_t>(kSortedFloats / columns, kSortedRows, kMostSorted); }

    // The sums over all trees, `totals` (rows) of them.
    const double* run(const float* points, size_t rows) {
        for (size_t row = 0; row < rows; ++row) {
            for (size_t i = 0; i < forest_.columns(); ++i) by_column_[i * stride_ + row] = points[row * forest_.columns() + i];
        }
        std::fill(totals_.begin(), totals_.end(), 0.0);
        for (size_t tree = 0; tree < forest_.trees(); ++tree) {
            sort(forest_.instructions_, forest_.nodes_.data(), forest_.first_[tree], forest_.first_[tree + 1],
                 by_column_.data(), stride_, static_cast<int32_t>(rows),
                 {rows_.data(), spare_.data(), begin_.data(), end_.data()});
            transpose(forest_.instructions_, points, forest_.columns(), rows_.data(), rows, sorted_.data(), stride_);
            climb_({forest_.nodes_.data(), forest_.ladders(), forest_.first_[tree], count_of(tree)},
                   {sorted_.data(), stride_, scores_.data(), begin_.data(), end_.data()});
            for (size_t i = 0; i < rows; ++i) totals_[rows_[i]] += std::fabs(scores_[i]);
        }
        return totals_.data();
    }

   private:
    int32_t count_of(size_t tree) const { return forest_.first_[tree + 1] - forest_.first_[tree]; }

    const Forest& forest_;
    size_t stride_;
    std::vector<float> by_column_, sorted_, scores_;
    std::vector<double> totals_;
    std::vector<uint16_t> rows_, spare_;
    std::vector<int32_t> begin_, end_;
    Climb* climb_;
};

// Scores a few points, or wide ones: kWalks points on one tree, or one point on kWalks trees.
class Forest::Walker {
   public:
    Walker(const Forest& forest, size_t most)
        : forest_(forest), totals_(most), leaves_(std::max(forest.trees(), most) + 2 * kWalks), here_(forest.trees()),
          tree_(forest.trees()), scores_(leaves_.size()) {}

    static size_t block(size_t columns) { return std::max(kWalks, kWalkedFloats / columns / kWalks * kWalks); }

    const double* run(const float* points, size_t rows) {
        std::fill(totals_.begin(), totals_.end(), 0.0);
        if (rows < kWalks) {
            for (size_t row = 0; row < rows; ++row) of_point(points + row * forest_.columns(), totals_[row]);
            return totals_.data();
        }
        for (size_t tree = 0; tree < forest_.trees(); ++tree) of_tree(tree, points, rows);
        return totals_.data();
    }

   private:
    void of_tree(size_t tree, const float* points, size_t rows) {
        const size_t columns = forest_.columns();
        for (size_t row = 0; row < rows; row += kWalks) {
            const float* walking[kWalks];
            for (size_t i = 0; i < kWalks; ++i) walking[i] = points + std::min(row + i, rows - 1) * columns;
            std::fill_n(leaves_.data() + row, kWalks, forest_.first_[tree]);
            descend(forest_.nodes_.data(), walking, leaves_.data() + row);
        }
        climb(forest_.instructions_, forest_.ladders(), {points, columns, leaves_.data(), rows, scores_.data()});
        for (size_t row = 0; row < rows; ++row) totals_[row] += scores_[row];
    }

    void of_point(const float* point, double& total) {
        const size_t trees = forest_.trees();
        const Ladders ladders = forest_.ladders();
        std::copy(forest_.first_.begin(), forest_.first_.end() - 1, here_.begin());
        std::iota(tree_.begin(), tree_.end(), 0);
        Descents descents{here_.data(), tree_.data(), leaves_.data(), trees};
        descend(ladders, point, descents);
        climb(forest_.instructions_, ladders, {point, 0, leaves_.data(), trees, scores_.data()});
        for (size_t tree = 0; tree < trees; ++tree) total += scores_[tree];
    }

    const Forest& forest_;
    std::vector<double> totals_;
    std::vector<int32_t> leaves_, here_, tree_;
    std::vector<float> scores_;
};

// Shares scores among the columns, as Forest._climb of forest.py does.
class Forest::Sharer {
   public:
    Sharer(const Forest& forest, size_t most)
        : forest_(forest), apart_(forest.columns()), shares_(forest.columns()), totals_(most * forest.columns()) {}

    static size_t block(size_t columns) { return std::max<size_t>(1, kWalkedFloats / columns); }

    const double* run(const float* points, size_t rows) {
        std::fill(totals_.begin(), totals_.end(), 0.0);
        for (size_t row = 0; row < rows; ++row) {
            const float* const point = points + row * forest_.columns();
            for (size_t tree = 0; tree < forest_.trees(); ++tree) {
                climb(point, leaf_of(point, forest_.first_[tree]));
                for (size_t i = 0; i < shares_.size(); ++i) totals_[row * shares_.size() + i] += shares_[i];
            }
        }
        return totals_.data();
    }

   private:
    int32_t leaf_of(const float* point, int32_t at) const {
        while (!forest_.is_leaf(at)) {
            const Node& node = forest_.node(at);
            at = node.next + !(point[node.column] <= node.cut);
        }
        return at;
    }

    Rung rung(int32_t at) const { return forest_.ladders().rung(at); }

    float measure(int32_t at, const float* point) {
        const float* const low = forest_.ladders().low(at);
        const float* const high = forest_.is_leaf(at) ? low : low + shares_.size();
        return measure_outside(low, high, point, shares_.size(), apart_.data());
    }

    void climb(const float* point, int32_t at) {
        float outside = measure(at, point);
        if (outside == 0) return share_seen(point, at);
        for (size_t i = 0; i < shares_.size(); ++i) shares_[i] = apart_[i] / outside * rung(at).share;
        while ((at = rung(at).parent) >= 0 && (outside = measure(at, point)) > 0) {
            const Rung here = rung(at);
            const float whole = here.span + outside, kept = here.span / whole;
            for (size_t i = 0; i < shares_.size(); ++i) shares_[i] = apart_[i] / whole * here.share + kept * shares_[i];
        }
    }

    void share_seen(const float* point, int32_t leaf) {
        const int32_t parent = rung(leaf).parent, left = parent < 0 ? leaf : forest_.node(parent).next;
        float outside = measure(parent < 0 || left != leaf ? left : left + 1, point);
        if (outside == 0) {
            std::fill(apart_.begin(), apart_.end(), 1.0f);
            outside = static_cast<float>(shares_.size());
        }
        for (size_t i = 0; i < shares_.size(); ++i) shares_[i] = apart_[i] / outside * rung(leaf).span;
    }

    const Forest& forest_;
    std::vector<float> apart_, shares_;
    std::vector<double> totals_;
};

Forest::Forest(const Source& source, size_t most_packed) : source_(source), instructions_(instruction_set()) {
    Layout(*this).build(most_packed);
}

size_t Forest::bytes() const {
    return nodes_.size() * sizeof(Node) + lines_.size() * kLine + lows_.size() * sizeof(float*) +
           copies_.size() * sizeof(float);
}

float Forest::share(int32_t cuts) const {
    const double depth = cuts + 1, square = depth * depth;
    return static_cast<float>(source_.by_depth ? square * square : 1 / depth);
}

float Forest::score_of(double total) const {
    return static_cast<float>(source_.by_depth ? source_.scale / std::sqrt(std::sqrt(total)) : total * source_.scale);
}

bool Forest::measure(const float* points, size_t rows, Points& measured) const {
    const float reciprocal = 1.0f / source_.unit;  // exact: a power of two
    bool numbers = true;
    for (size_t i = 0; i < rows * columns(); ++i) {
        const float value = points[i] * reciprocal;
        numbers &= value == value;
        measured[i] = std::min(std::max(value, -source_.farthest), source_.farthest);
    }
    return numbers;
}

// Calls finish(first row, rows, totals) for each block of rows, in any order.
template <class Worker, class Finish>
bool Forest::in_blocks(const float* points, size_t rows, size_t threads, const Finish& finish) const {
    if (rows == 0) return true;
    threads = std::clamp<size_t>(threads, 1, rows);
    const size_t block = std::min((rows + threads - 1) / threads, Worker::block(columns()));
    std::atomic<size_t> next{0};
    std::atomic<bool> numbers{true};
    std::vector<Worker> workers;
    std::vector<Points> measured(threads, Points(block * columns() + kPadding));
    for (size_t i = 0; i < threads; ++i) workers.emplace_back(*this, block);
    const auto work = [&](size_t which) {
        for (size_t first; (first = block * next++) < rows;) {
            const size_t count = std::min(block, rows - first);
            if (!measure(points + first * columns(), count, measured[which])) numbers = false;
            else finish(first, count, workers[which].run(measured[which].data(), count));
        }
    };
    std::vector<std::thread> others;
    others.reserve(threads);
    try {
        for (size_t i = 1; i < threads; ++i) others.emplace_back(work, i);
    } catch (const std::system_error&) {  // those there are do the work
    }
    work(0);
    for (std::thread& other : others) other.join();
    return numbers;
}

bool Forest::score(const float* points, size_t rows, size_t threads, float* scores) const {
    const auto finish = [&](size_t first, size_t count, const double* totals) {
        for (size_t i = 0; i < count; ++i) scores[first + i] = score_of(totals[i]);
    };
    const bool sorts = rows >= kSortedRows * threads && columns() <= kSortedColumns;
    return sorts ? in_blocks<Sorter>(points, rows, threads, finish) : in_blocks<Walker>(points, rows, threads, finish);
}

bool Forest::attribute(const float* points, size_t rows, size_t threads, float* shares) const {
    return in_blocks<Sharer>(points, rows, threads, [&](size_t first, size_t count, const double* totals) {
        float* const place = shares + first * columns();
        for (size_t i = 0; i < count * columns(); ++i) place[i] = static_cast<float>(totals[i] * source_.scale);
    });
}

}  // namespace sagedock::cuts
