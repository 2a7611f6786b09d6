#include "nearest.hpp"

#include <limits>
#include <vector>

#include "processor.hpp"

namespace sagedock {

namespace {

constexpr float kEndless = std::numeric_limits<float>::infinity();
constexpr std::size_t kMostLanes = 16;

#define LANES_SOURCE "nearest_lanes.hpp"
#include "each_instruction_set.hpp"

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
