#include "forecaster.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace sagedock {

namespace {

constexpr std::size_t lanes = 16;  // partial sums of a dot product, on every processor

// The dot product of `count` numbers, a multiple of `lanes`, in an order that NumPy can repeat.
float dot(const float* left, const float* right, std::size_t count) {
    float sums[lanes] = {};
    for (std::size_t at = 0; at < count; at += lanes)
        for (std::size_t lane = 0; lane < lanes; ++lane) sums[lane] += left[at + lane] * right[at + lane];
    for (std::size_t half = lanes / 2; half > 0; half /= 2)
        for (std::size_t lane = 0; lane < half; ++lane) sums[lane] += sums[lane + half];
    return sums[0];
}

float chained(float start, const float* left, const float* right, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) start += left[i] * right[i];
    return start;
}

}  // namespace

// What one call works with: the states of all layers and of all paths, which are those of one path while it reads.
struct Forecaster::Walk {
    struct State {
        std::vector<float> hidden, cell, next, output;  // (paths, padded) each
    };

    std::vector<State> states;
    std::vector<float> lagged;  // (lags): targets that all paths share
    std::vector<float> sums;    // (gates) of the first layer: what all paths share
    std::vector<float> fixed;   // (gates): bias and statics, the same at every step
    std::vector<float> own;     // (paths, lags): targets of the paths' own
    float skipped;              // the first output's bias and what the skip adds to it for all paths
};

Forecaster::Forecaster(std::vector<LstmLayer> layers, std::vector<std::size_t> lags, std::size_t statics, std::size_t covariates,
                       std::size_t context, Likelihood likelihood, const float* outputs, const float* output_bias,
                       const float* skip, bool residual)
    : layers_(std::move(layers)),
      lags_(std::move(lags)),
      statics_(statics),
      covariates_(covariates),
      context_(context),
      likelihood_(likelihood),
      residual_(residual) {
    if (layers_.empty() || lags_.empty() || context_ == 0) throw std::invalid_argument("a network has layers, lags and a context");
    if (lags_.front() == 0) throw std::invalid_argument("a lag is at least 1");
    for (std::size_t i = 0; i + 1 < lags_.size(); ++i)
        if (lags_[i] >= lags_[i + 1]) throw std::invalid_argument("lags ascend");
    for (std::size_t i = 0; i < layers_.size(); ++i) {
        const std::size_t given = i == 0 ? inputs() : layers_[i - 1].cells();
        if (layers_[i].inputs() != given) throw std::invalid_argument("a layer has another width than what it is given");
        if (layers_[i].cells() != layers_[0].cells()) throw std::invalid_argument("the layers differ in cells");
    }
    const std::size_t parameters = parameters_of(likelihood_), cells = layers_[0].cells(), padded = layers_[0].padded();
    outputs_.resize(parameters * padded);
    for (std::size_t i = 0; i < parameters; ++i) std::copy_n(outputs + i * cells, cells, outputs_.data() + i * padded);
    output_bias_.assign(output_bias, output_bias + parameters);
    if (skip != nullptr) skip_.assign(skip, skip + lags_.size());
}

std::size_t Forecaster::memory_bytes() const {
    std::size_t numbers = outputs_.size() + skip_.size();
    for (const LstmLayer& layer : layers_) numbers += (layer.inputs() + layer.cells() + 1) * layer.gates();
    return numbers * sizeof(float);
}

void Forecaster::sample(const Known& known, std::size_t horizon, std::size_t first, std::size_t paths, float* samples) const {
    Walk walk;
    read(known, walk);
    start_paths(walk, paths);
    for (std::size_t step = 0; step < horizon; ++step) {
        const auto beyond = std::upper_bound(lags_.begin(), lags_.end(), step);
        const std::size_t own = static_cast<std::size_t>(beyond - lags_.begin());
        prepare(known, context_ + step, own, walk);
        for (std::size_t path = 0; path < paths; ++path)
            for (std::size_t i = 0; i < own; ++i)
                walk.own[path * lags_.size() + i] = samples[path * horizon + step - lags_[i]];
        advance(walk, paths, own);
        draw_all(known, step, own, first, walk, paths, samples, horizon);
    }
}

// Go through the context.
void Forecaster::read(const Known& known, Walk& walk) const {
    walk.lagged.resize(lags_.size());
    walk.fixed.assign(layers_[0].bias(), layers_[0].bias() + layers_[0].gates());
    layers_[0].add({lags_.size(), statics_}, known.statics, walk.fixed.data());
    start_paths(walk, 1);
    for (std::size_t step = 0; step < context_; ++step) {
        prepare(known, step, 0, walk);
        advance(walk, 1, 0);
    }
}

// As many copies of the first path's states as there are to be paths; zeros where there was none.
void Forecaster::start_paths(Walk& walk, std::size_t paths) const {
    const std::size_t padded = layers_[0].padded();
    walk.states.resize(layers_.size());
    for (auto& [hidden, cell, next, output] : walk.states) {
        for (auto* const numbers : {&hidden, &cell, &next, &output}) {
            numbers->resize(paths * padded);
            for (std::size_t path = 1; path < paths; ++path) std::copy_n(numbers->data(), padded, numbers->data() + path * padded);
        }
    }
    walk.own.resize(paths * lags_.size());
}

// The part of a step that all paths share: all but the first `own` lags.
void Forecaster::prepare(const Known& known, std::size_t step, std::size_t own, Walk& walk) const {
    const std::size_t longest = lags_.back(), width = lags_.size();
    for (std::size_t i = own; i < width; ++i) walk.lagged[i] = known.history[longest + step - lags_[i]];
    walk.sums = walk.fixed;
    layers_[0].add({width + statics_, covariates_}, known.covariates + step * covariates_, walk.sums.data());
    layers_[0].add({own, width - own}, walk.lagged.data() + own, walk.sums.data());
    walk.skipped = output_bias_[0];
    if (!skip_.empty()) walk.skipped = chained(walk.skipped, skip_.data() + own, walk.lagged.data() + own, width - own);
}

void Forecaster::advance(Walk& walk, std::size_t paths, std::size_t own) const {
    const std::size_t padded = layers_[0].padded();
    const float* given = walk.own.data();
    for (std::size_t i = 0; i < layers_.size(); ++i) {
        auto& [hidden, cell, next, output] = walk.states[i];
        const LstmLayer& layer = layers_[i];
        if (i == 0) {
            layer.step(paths, walk.sums.data(), {0, own}, given, lags_.size(), hidden.data(), cell.data(), next.data());
        } else {
            layer.step(paths, layer.bias(), {0, layer.inputs()}, given, padded, hidden.data(), cell.data(), next.data());
        }
        hidden.swap(next);
        const float* made = hidden.data();
        if (residual_ && i > 0) {
            for (std::size_t at = 0; at < paths * padded; ++at) output[at] = hidden[at] + given[at];
            made = output.data();
        }
        given = made;
    }
}

void Forecaster::draw_all(const Known& known, std::size_t step, std::size_t own, std::size_t first, Walk& walk, std::size_t paths,
                          float* samples, std::size_t horizon) const {
    const std::size_t padded = layers_[0].padded();
    const Walk::State& last = walk.states.back();
    const float* const made = residual_ && layers_.size() > 1 ? last.output.data() : last.hidden.data();
    for (std::size_t path = 0; path < paths; ++path) {
        float raw[most_parameters] = {};
        for (std::size_t i = 0; i < output_bias_.size(); ++i) {
            float added = i == 0 ? walk.skipped : output_bias_[i];
            if (i == 0 && !skip_.empty()) added = chained(added, skip_.data(), walk.own.data() + path * lags_.size(), own);
            raw[i] = dot(outputs_.data() + i * padded, made + path * padded, padded) + added;
        }
        const std::uint64_t key = known.key + 0xD1B54A32D192ED03u * (first + path + 1);
        samples[path * horizon + step] = draw(likelihood_, raw, known.scale, key, step);
    }
}

}  // namespace sagedock
