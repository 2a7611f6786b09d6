#include "recurrence.hpp"

#include <cstring>
#include <vector>

#include "dense.hpp"
#include "processor.hpp"

#ifdef SAGEDOCK_X86
#include <immintrin.h>
#endif

namespace sagedock::recurrence {

namespace {

#define LANES_SOURCE "recurrence_lanes.hpp"
#include "each_instruction_set.hpp"

}  // namespace

void forward(Size size, const float* weight, const Tape& tape) {
    const std::vector<float> matrix = packed(weight, size.cells, 4 * size.cells, 1, size.cells);
#ifdef SAGEDOCK_X86
    if (instruction_set() == InstructionSet::avx512) return avx512::run_forward(size, matrix.data(), tape);
    if (instruction_set() == InstructionSet::avx2) return avx2::run_forward(size, matrix.data(), tape);
#endif
    baseline::run_forward(size, matrix.data(), tape);
}

void backward(Size size, const float* weight, const Tape& tape, const float* slopes, float* found) {
    const std::vector<float> matrix = packed(weight, 4 * size.cells, size.cells, size.cells, 1);
    std::vector<float> states(2 * kRows * size.cells);
#ifdef SAGEDOCK_X86
    if (instruction_set() == InstructionSet::avx512)
        return avx512::run_backward(size, matrix.data(), tape, slopes, found, states.data());
    if (instruction_set() == InstructionSet::avx2)
        return avx2::run_backward(size, matrix.data(), tape, slopes, found, states.data());
#endif
    baseline::run_backward(size, matrix.data(), tape, slopes, found, states.data());
}

}  // namespace sagedock::recurrence
