#include "nearest.hpp"

#include <limits>
#include <vector>

#include "processor.hpp"

namespace sagedock {

namespace {

constexpr float kEndless = std::numeric_limits<float>::infinity();
constexpr std::size_t kMostLanes = 16;

namespace baseline {
#define LANES_BYTES 16
#include "nearest_lanes.hpp"
#undef LANES_BYTES
}  // namespace baseline

#ifdef SAGEDOCK_X86
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2")
#endif
namespace avx2 {
#define LANES_BYTES 32
#include "nearest_lanes.hpp"
#undef LANES_BYTES
}  // namespace avx2
#if defined(__clang__)
#pragma clang attribute pop
#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512dq"))), apply_to = function)
#else
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx512f,avx512vl,avx512dq")
#endif
namespace avx512 {
#define LANES_BYTES 64
#include "nearest_lanes.hpp"
#undef LANES_BYTES
}  // namespace avx512
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif

}  // namespace

void nearest(const float* points, std::size_t count, std::size_t width, const float* others, std::size_t centres,
             std::uint8_t* codes) {
    const std::size_t padded = (centres + kMostLanes - 1) / kMostLanes * kMostLanes;
    std::vector<float> columns(width * padded, kEndless);  // number by number; a point that is none is endlessly far
    for (std::size_t centre = 0; centre < centres; ++centre)
        for (std::size_t place = 0; place < width; ++place) columns[place * padded + centre] = others[centre * width + place];
#ifdef SAGEDOCK_X86
    if (instruction_set() == InstructionSet::avx512) return avx512::search(points, count, width, columns.data(), padded, codes);
    if (instruction_set() == InstructionSet::avx2) return avx2::search(points, count, width, columns.data(), padded, codes);
#endif
    baseline::search(points, count, width, columns.data(), padded, codes);
}

}  // namespace sagedock
