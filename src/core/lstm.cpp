#include "lstm.hpp"

#include <cstdint>
#include <cstring>

#include "processor.hpp"

#pragma GCC diagnostic ignored "-Wpsabi"  // vectors are passed between inlined functions only

namespace sagedock {

namespace {

// The arguments of LstmLayer::step with the layer's own: `width` inputs come before the hidden state in the weights.
struct Step {
    const float* weights;
    std::size_t group_stride, width, cells, padded;
    std::size_t paths;
    const float* sums;
    std::size_t first, count;
    const float* inputs;
    std::size_t stride;
    const float* hidden;
    float *cell, *next;
};

#define LANES_SOURCE "lstm_lanes.hpp"
#include "each_instruction_set.hpp"

}  // namespace

LstmLayer::LstmLayer(std::size_t inputs, std::size_t cells, const float* input_weights, const float* hidden_weights,
                     const float* bias)
    : inputs_(inputs),
      cells_(cells),
      groups_((cells + group - 1) / group),
      weights_(groups_ * (inputs + cells) * 4 * group),
      bias_(groups_ * 4 * group) {
    for (std::size_t gate = 0; gate < 4; ++gate) {
        for (std::size_t cell = 0; cell < cells; ++cell) {
            const std::size_t row = gate * cells + cell, place = cell / group, lane = gate * group + cell % group;
            float* const weights = weights_.data() + place * (inputs + cells) * 4 * group + lane;
            for (std::size_t k = 0; k < inputs; ++k) weights[k * 4 * group] = input_weights[row * inputs + k];
            for (std::size_t k = 0; k < cells; ++k) weights[(inputs + k) * 4 * group] = hidden_weights[row * cells + k];
            bias_[place * 4 * group + lane] = bias[row];
        }
    }
}

void LstmLayer::add(Columns columns, const float* inputs, float* sums) const {
    const float* const weights = weights_.data() + columns.first * 4 * group;
    const std::size_t group_stride = (inputs_ + cells_) * 4 * group;
#ifdef SAGEDOCK_X86
    if (instruction_set() == InstructionSet::avx512)
        return avx512::add(weights, groups_, group_stride, inputs, columns.count, sums);
    if (instruction_set() == InstructionSet::avx2) return avx2::add(weights, groups_, group_stride, inputs, columns.count, sums);
#endif
    baseline::add(weights, groups_, group_stride, inputs, columns.count, sums);
}

void LstmLayer::step(std::size_t paths, const float* sums, Columns columns, const float* inputs, std::size_t stride,
                     const float* hidden, float* cell, float* next) const {
    const Step step{weights_.data(), (inputs_ + cells_) * 4 * group, inputs_, cells_, padded(), paths, sums, columns.first,
                    columns.count, inputs, stride, hidden, cell, next};
#ifdef SAGEDOCK_X86
    if (instruction_set() == InstructionSet::avx512) return avx512::advance(step);
    if (instruction_set() == InstructionSet::avx2) return avx2::advance(step);
#endif
    baseline::advance(step);
}

}  // namespace sagedock
