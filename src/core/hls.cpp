#include "hls.hpp"

#include <algorithm>

#include "processor.hpp"

namespace sagedock::pictures {

namespace {

constexpr std::size_t kBlock = 64;
constexpr float kThirtieth = static_cast<float>(1.0 / 30), kShare = static_cast<float>(1.0 / 255);

namespace lanes {
#define LANES_SOURCE "hls_lanes.hpp"
#include "each_instruction_set.hpp"
#undef LANES_SOURCE
}  // namespace lanes

decltype(&lanes::baseline::shift_block) kernel() {
#ifdef SAGEDOCK_X86
    if (instruction_set() == InstructionSet::avx512) return lanes::avx512::shift_block;
    if (instruction_set() == InstructionSet::avx2) return lanes::avx2::shift_block;
#endif
    return lanes::baseline::shift_block;
}

}  // namespace

void shift_hls(const std::uint8_t* planes, std::size_t pixels, const Shift& shift, std::uint8_t* shifted) {
    const auto shift_block = kernel();
    std::size_t at = 0;
    for (; at + kBlock <= pixels; at += kBlock) shift_block(planes + at, pixels, shift, shifted + at);
    if (at == pixels) return;
    std::uint8_t last[3 * kBlock] = {}, made[3 * kBlock];
    for (std::size_t plane = 0; plane < 3; ++plane)
        std::copy_n(planes + plane * pixels + at, pixels - at, last + plane * kBlock);
    shift_block(last, kBlock, shift, made);
    for (std::size_t plane = 0; plane < 3; ++plane)
        std::copy_n(made + plane * kBlock, pixels - at, shifted + plane * pixels + at);
}

}  // namespace sagedock::pictures
