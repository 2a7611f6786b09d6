#include "classifier.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "splitmix.hpp"

#pragma GCC diagnostic ignored "-Wpsabi"  // vectors are passed between inlined functions only

namespace sagedock::text {

namespace {

constexpr float least_probability = std::numeric_limits<float>::min();
constexpr std::int64_t ahead = 256;  // rows of the next example that are fetched meanwhile

// A random number that depends on nothing else; `stream` of sagedock.algorithms.blazingtext.chance.
std::uint64_t draw(std::uint64_t seed, std::uint64_t epoch, std::uint64_t example) {
    return mixed(mixed(mixed(seed) + epoch) + example);
}

std::size_t example_at(const Learning& task, std::size_t place) { return task.order == nullptr ? place : static_cast<std::size_t>(task.order[place]); }

// The label that an example is learnt by: of several, one is drawn in each epoch.
std::size_t label_of(const Learning& task, std::size_t example) {
    const std::int64_t begin = task.label_starts[example], count = task.label_starts[example + 1] - begin;
    const auto drawn = count == 1 ? 0 : static_cast<std::int64_t>(draw(task.seed, task.epoch, example) % static_cast<std::uint64_t>(count));
    return static_cast<std::size_t>(task.labels[begin + drawn]);
}

float rate_at(const Learning& task, std::size_t place, std::size_t example) {
    const double share = static_cast<double>(place) / static_cast<double>(task.examples);
    const double tokens = task.order == nullptr ? static_cast<double>(task.token_starts[example]) : share * static_cast<double>(task.token_starts[task.examples]);
    return static_cast<float>(task.rate * std::max(1.0 - (task.tokens_before + tokens) / task.tokens_in_all, 0.0));
}

float surprise(float probability) { return -std::log(std::max(probability, least_probability)); }

// What a step needs room for: the columns, and the labels rounded up to sixteen.
struct Scratch {
    float *hidden, *correction, *errors;
};

}  // namespace

#define LANES_SOURCE "classifier_lanes.hpp"
#include "each_instruction_set.hpp"

namespace {

constexpr double small = 1e-5;  // fastText adds it before it takes a logarithm

// e to the power of a number that is not positive; probabilities.py does the same, step by step.
double exponential(double value) {
    static const auto series = [] {
        std::vector<double> terms(14, 1.0);
        double factorial = 1;
        for (std::size_t order = 1; order < terms.size(); ++order) terms[order] = 1.0 / (factorial *= static_cast<double>(order));
        return terms;
    }();
    const double bounded = std::max(value, -700.0);
    const double power = std::rint(bounded * 1.4426950408889634);
    const double rest = (bounded - power * 0.693147180369123816490) - power * 1.90821492927058770002e-10;
    double total = series.back();
    for (std::size_t order = series.size() - 1; order-- > 0;) total = total * rest + series[order];
    return std::ldexp(total, static_cast<int>(power));
}

double sigmoid(double score) {
    const double share = exponential(-std::fabs(score));
    return score < 0 ? share / (1.0 + share) : 1.0 / (1.0 + share);
}

float answered(double probability) { return static_cast<float>(probability + small); }

void softmax(std::vector<float>& scores, std::vector<double>& shares) {
    const float largest = *std::max_element(scores.begin(), scores.end());
    double sum = 0;
    for (std::size_t label = 0; label < scores.size(); ++label) sum += shares[label] = exponential(scores[label] - largest);
    for (std::size_t label = 0; label < scores.size(); ++label) scores[label] = answered(static_cast<float>(shares[label] / sum));
}

void by_table(std::vector<float>& scores, const std::vector<float>& table) {
    constexpr float end = 8.0f, steps = 32.0f;
    for (float& score : scores) {
        const float found = score < -end ? 0.0f : score > end ? 1.0f : table[static_cast<std::size_t>((score + end) * steps)];
        score = answered(found);
    }
}

}  // namespace

bool all_below(const std::int32_t* values, std::size_t count, std::size_t limit) {
    std::uint32_t largest = 0;
    for (std::size_t place = 0; place < count; ++place) largest = std::max(largest, static_cast<std::uint32_t>(values[place]));
    return count == 0 || largest < limit;
}

const char* fault(const Learning& task, const Lengths& lengths, std::size_t first, std::size_t last) {
    const auto within = [](const std::int32_t* values, std::int64_t begin, std::int64_t end, std::size_t length, std::size_t limit) {
        return begin >= 0 && begin < end && end <= static_cast<std::int64_t>(length) && all_below(values + begin, static_cast<std::size_t>(end - begin), limit);
    };
    for (std::size_t place = first; place < last; ++place) {
        const std::int64_t example = task.order == nullptr ? static_cast<std::int64_t>(place) : task.order[place];
        if (example < 0 || example >= task.examples) return "the order names an example that there is not";
        if (!within(task.rows, task.starts[example], task.starts[example + 1], lengths.rows, lengths.input_rows)) return "an example has no row, or one that there is not";
        if (!within(task.labels, task.label_starts[example], task.label_starts[example + 1], lengths.labels, task.label_count))
            return "an example has no label, or one that there is not";
    }
    return nullptr;
}

bool is_tree(const std::vector<std::int32_t>& left, const std::vector<std::int32_t>& right, std::size_t labels) {
    if (left.size() + 1 != labels || right.size() != left.size()) return false;
    std::vector<bool> has_parent(2 * labels - 1);
    for (std::size_t inner = 0; inner < left.size(); ++inner) {
        for (const std::int32_t child : {left[inner], right[inner]}) {
            if (child < 0 || static_cast<std::size_t>(child) >= labels + inner || has_parent[static_cast<std::size_t>(child)]) return false;
            has_parent[static_cast<std::size_t>(child)] = true;
        }
    }
    return true;
}

double learn(const Learning& task, std::size_t first, std::size_t last) {
    std::vector<float> room(2 * task.columns + (task.label_count + 15) / 16 * 16);
    const Scratch scratch{room.data(), room.data() + task.columns, room.data() + 2 * task.columns};
#ifdef SAGEDOCK_X86
    if (instruction_set() == InstructionSet::avx512) return avx512::learn_range(task, first, last, scratch);
    if (instruction_set() == InstructionSet::avx2) return avx2::learn_range(task, first, last, scratch);
#endif
    return baseline::learn_range(task, first, last, scratch);
}

Classifier::Classifier(const Dictionary& dictionary, Matrix input, Matrix output, Loss loss, const std::int32_t* places,
                       std::vector<std::int32_t> left, std::vector<std::int32_t> right, std::vector<float> table)
    : dictionary_(dictionary), input_(input), output_(output), loss_(loss), places_(places), left_(std::move(left)), right_(std::move(right)), table_(std::move(table)) {}

bool Classifier::probabilities(const std::int32_t* rows, std::size_t count, Scratch& scratch) const {
    scratch.hidden.resize((input_.columns + 15) / 16 * 16);
    scratch.scores.resize(output_.rows);
    float* const hidden = scratch.hidden.data();
    float* const scores = scratch.scores.data();
    const auto evaluate = [&](auto mean, auto products) {
        mean(input_, rows, count, places_, hidden);
        products(output_, hidden, scores);
    };
    const InstructionSet set = instruction_set();
#ifdef SAGEDOCK_X86
    if (set == InstructionSet::avx512) evaluate(avx512::mean_of, avx512::scores_of);
    else if (set == InstructionSet::avx2) evaluate(avx2::mean_of, avx2::scores_of);
    else
#endif
        evaluate(baseline::mean_of, baseline::scores_of);
    (void)set;
    for (const float score : scratch.scores)
        if (!std::isfinite(score)) return false;
    finish(scratch);
    return true;
}

void Classifier::finish(Scratch& scratch) const {
    const std::size_t labels = output_.rows;
    scratch.shares.resize(2 * labels);
    if (loss_ == Loss::softmax) return softmax(scratch.scores, scratch.shares);
    if (loss_ == Loss::table) return by_table(scratch.scores, table_);
    scratch.shares[2 * labels - 2] = 1.0;
    for (std::size_t inner = labels - 1; inner-- > 0;) {
        const double right = static_cast<float>(sigmoid(scratch.scores[inner])), here = scratch.shares[labels + inner];
        scratch.shares[static_cast<std::size_t>(left_[inner])] = here * ((1.0 - right) + small);
        scratch.shares[static_cast<std::size_t>(right_[inner])] = here * (right + small);
    }
    for (std::size_t label = 0; label < labels; ++label) scratch.scores[label] = static_cast<float>(scratch.shares[label]);
}

void Classifier::choose(std::size_t k, float threshold, Scratch& scratch) const {
    const std::vector<float>& found = scratch.scores;
    const auto better = [&](std::int32_t one, std::int32_t other) {
        const float mine = found[static_cast<std::size_t>(one)], theirs = found[static_cast<std::size_t>(other)];
        return mine != theirs ? mine > theirs : one < other;
    };
    std::vector<std::int32_t>& best = scratch.best;
    const std::size_t count = std::min(k, found.size());
    best.resize(found.size());
    std::iota(best.begin(), best.end(), 0);
    if (count == 1) std::iter_swap(best.begin(), std::min_element(best.begin(), best.end(), better));
    else std::partial_sort(best.begin(), best.begin() + static_cast<std::ptrdiff_t>(count), best.end(), better);
    best.resize(count);
    if (threshold <= 0) return;
    const float least = answered(threshold);
    while (!best.empty() && found[static_cast<std::size_t>(best.back())] < least) best.pop_back();
}

}  // namespace sagedock::text
