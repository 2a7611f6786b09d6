#include "growth.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <system_error>
#include <thread>

#include "random.hpp"

namespace sagedock::cuts {

namespace {

// Calls work(worker, tree) for every tree, each thread with a worker of its own.
template <class Worker, class Work>
void for_each_tree(size_t trees, std::vector<Worker>& workers, const Work& work) {
    std::atomic<size_t> next{0};
    const auto run = [&](size_t which) {
        for (size_t tree; (tree = next++) < trees;) work(workers[which], tree);
    };
    std::vector<std::thread> others;
    others.reserve(workers.size());
    try {
        for (size_t i = 1; i < workers.size(); ++i) others.emplace_back(run, i);
    } catch (const std::system_error&) {  // those there are do the work
    }
    run(0);
    for (std::thread& other : others) other.join();
}

size_t useful(size_t threads, size_t trees) { return std::clamp<size_t>(threads, 1, trees); }

// Counts the different rows of one tree by a table of their hashes.
class Counter {
   public:
    explicit Counter(const Samples& samples) : samples_(samples) {
        size_t size = 2;
        while (size < 2 * samples.rows) size *= 2;
        table_.resize(size);
    }

    size_t count(size_t tree) {
        const float* const points = samples_.values + tree * samples_.rows * samples_.columns;
        std::fill(table_.begin(), table_.end(), nullptr);
        size_t different = 0;
        for (size_t row = 0; row < samples_.rows; ++row) different += insert(points + row * samples_.columns);
        return different;
    }

   private:
    bool insert(const float* point) {
        for (size_t place = hash(point);; ++place) {
            const float*& held = table_[place & (table_.size() - 1)];
            if (held == nullptr) {
                held = point;
                return true;
            }
            if (std::equal(held, held + samples_.columns, point)) return false;
        }
    }

    uint64_t hash(const float* point) const {
        uint64_t bits = 0;
        for (size_t column = 0; column < samples_.columns; ++column) {
            uint32_t value;
            const float positive = point[column] + 0.0f;  // no negative zero
            std::memcpy(&value, &positive, sizeof value);
            bits = (bits ^ value) * 0x9E3779B97F4A7C15u;
            bits ^= bits >> 32;
        }
        return mixed(bits);
    }

    const Samples& samples_;
    std::vector<const float*> table_;
};

// Grows one tree after another.
class Grower {
   public:
    explicit Grower(const Samples& samples) : samples_(samples), rows_(samples.rows), spare_(samples.rows) {
        waiting_.reserve(samples.rows + 1);
    }

    // Tree `tree` to where `to` points.
    void grow(size_t tree, uint64_t seed, Grown to) {
        points_ = samples_.values + tree * samples_.rows * samples_.columns;
        const Uniforms uniforms(seed, tree);
        std::iota(rows_.begin(), rows_.end(), 0u);
        waiting_.assign(1, {0, samples_.rows});
        for (uint64_t cuts = 0; !waiting_.empty();) {
            const Part part = waiting_.back();
            waiting_.pop_back();
            float* const low = part.end - part.begin > 1 ? to.box : nullptr;
            if (low == nullptr || !enclose(part, low)) {
                write_leaf(part, to);
                continue;
            }
            const Chosen chosen = choose(low, uniforms(cuts++));
            *to.dimension++ = static_cast<int32_t>(chosen.column);
            *to.cut++ = chosen.value;
            to.box += 2 * samples_.columns;
            const size_t middle = divide(part, chosen);
            waiting_.push_back({middle, part.end});
            waiting_.push_back({part.begin, middle});
        }
    }

   private:
    struct Part {
        size_t begin, end;  // in rows_
    };
    struct Chosen {
        size_t column;
        float value;
    };

    const float* point(size_t place) const { return points_ + rows_[place] * samples_.columns; }

    // Write the box of a part's points; false, and what was written means nothing, when they are all equal.
    bool enclose(Part part, float* low) const {
        const size_t columns = samples_.columns;
        if (all_equal(part)) return false;
        float* const high = low + columns;
        std::copy(point(part.begin), point(part.begin) + columns, low);
        std::copy(low, low + columns, high);
        for (size_t place = part.begin + 1; place < part.end; ++place) {
            const float* const value = point(place);
            for (size_t i = 0; i < columns; ++i) {
                low[i] = value[i] < low[i] ? value[i] : low[i];
                high[i] = value[i] > high[i] ? value[i] : high[i];
            }
        }
        for (size_t i = 0; i < 2 * columns; ++i) low[i] += 0.0f;  // no negative zero
        return true;
    }

    bool all_equal(Part part) const {
        const float* const first = point(part.begin);
        for (size_t place = part.begin + 1; place < part.end; ++place) {
            if (!std::equal(first, first + samples_.columns, point(place))) return false;
        }
        return true;
    }

    Chosen choose(const float* low, double draw) const {
        const float* const high = low + samples_.columns;
        double total = 0;
        for (size_t i = 0; i < samples_.columns; ++i) total += static_cast<double>(high[i]) - low[i];
        const double place = draw * total;
        double before = 0, passed = 0;
        size_t column = 0;
        for (;; ++column) {
            before = passed;
            passed += static_cast<double>(high[column]) - low[column];
            if (passed > place) break;
        }
        const float value = static_cast<float>(low[column] + (place - before));
        const float below = std::nextafter(high[column], -std::numeric_limits<float>::infinity());
        return {column, std::min(value, below)};
    }

    size_t divide(Part part, Chosen chosen) {
        size_t left = part.begin, right = 0;
        for (size_t place = part.begin; place < part.end; ++place) {
            const uint32_t row = rows_[place];
            const bool goes_left = point(place)[chosen.column] <= chosen.value;
            rows_[left] = row;
            spare_[right] = row;
            left += goes_left;
            right += !goes_left;
        }
        std::copy(spare_.begin(), spare_.begin() + static_cast<std::ptrdiff_t>(right),
                  rows_.begin() + static_cast<std::ptrdiff_t>(left));
        return left;
    }

    void write_leaf(Part part, Grown& to) const {
        *to.dimension++ = -1;
        *to.mass++ = static_cast<int32_t>(part.end - part.begin);
        for (size_t i = 0; i < samples_.columns; ++i) *to.point++ = point(part.begin)[i] + 0.0f;
    }

    const Samples& samples_;
    const float* points_ = nullptr;
    std::vector<uint32_t> rows_, spare_;
    std::vector<Part> waiting_;
};

}  // namespace

std::vector<size_t> count_leaves(const Samples& samples, size_t threads) {
    std::vector<size_t> leaves(samples.trees);
    std::vector<Counter> counters(useful(threads, samples.trees), Counter(samples));
    for_each_tree(samples.trees, counters, [&](Counter& counter, size_t tree) { leaves[tree] = counter.count(tree); });
    return leaves;
}

void grow(const Samples& samples, const std::vector<size_t>& leaves, uint64_t seed, size_t threads, const Grown& grown) {
    std::vector<size_t> first(samples.trees, 0);  // leaf
    std::partial_sum(leaves.begin(), leaves.end() - 1, first.begin() + 1);
    std::vector<Grower> growers(useful(threads, samples.trees), Grower(samples));
    for_each_tree(samples.trees, growers, [&](Grower& grower, size_t tree) {
        const size_t leaf = first[tree], cut = leaf - tree;
        grower.grow(tree, seed, {grown.dimension + leaf + cut, grown.cut + cut, grown.box + 2 * cut * samples.columns,
                                 grown.point + leaf * samples.columns, grown.mass + leaf});
    });
}

}  // namespace sagedock::cuts
