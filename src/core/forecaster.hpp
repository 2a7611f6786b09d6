// Sample paths of an autoregressive recurrent network (Salinas et al., DeepAR, 2020): what happened is read once, then each
// path goes on from it by its own draws. sagedock/algorithms/deepar/sampling.py is the same in NumPy, bit for bit, to be
// read first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "draws.hpp"
#include "lstm.hpp"

namespace sagedock {

// What is known of one series, in units of its scale.
struct Known {
    const float* history;     // (context + longest lag): up to the first step of the forecast, 0 for what is missing
    const float* covariates;  // (context + horizon, covariates)
    const float* statics;     // (statics)
    double scale;
    std::uint64_t key;        // of its random numbers
};

class Forecaster {
public:
    // A step's inputs are the targets `lags` (ascending, each at least 1) before it, its statics and its covariates.
    // `outputs` (parameters, cells) with `output_bias` make the raw parameters from the last layer; `skip` (lags), which
    // may be null, adds a weighted sum of the lagged targets to the first. With `residual`, a layer but the first adds
    // its input to its output. Throws std::invalid_argument when the layers do not fit one another.
    Forecaster(std::vector<LstmLayer> layers, std::vector<std::size_t> lags, std::size_t statics, std::size_t covariates,
               std::size_t context, Likelihood likelihood, const float* outputs, const float* output_bias, const float* skip,
               bool residual);

    std::size_t context() const { return context_; }
    std::size_t history() const { return context_ + lags_.back(); }  // numbers of Known::history
    std::size_t covariates() const { return covariates_; }
    std::size_t statics() const { return statics_; }
    std::size_t memory_bytes() const;

    // Paths `first` to `first + paths` of so many steps, into `samples` (paths, horizon), in units of the scale.
    void sample(const Known& known, std::size_t horizon, std::size_t first, std::size_t paths, float* samples) const;

private:
    struct Walk;

    void read(const Known& known, Walk& walk) const;
    void start_paths(Walk& walk, std::size_t paths) const;
    void prepare(const Known& known, std::size_t step, std::size_t own, Walk& walk) const;
    void advance(Walk& walk, std::size_t paths, std::size_t own) const;
    void draw_all(const Known& known, std::size_t step, std::size_t own, std::size_t first, Walk& walk, std::size_t paths,
                  float* samples, std::size_t horizon) const;

    std::size_t inputs() const { return lags_.size() + statics_ + covariates_; }

    std::vector<LstmLayer> layers_;
    std::vector<std::size_t> lags_;
    std::size_t statics_, covariates_, context_;
    Likelihood likelihood_;
    std::vector<float> outputs_;  // (parameters, padded cells)
    std::vector<float> output_bias_;
    std::vector<float> skip_;     // (lags), or empty
    bool residual_;
};

}  // namespace sagedock
