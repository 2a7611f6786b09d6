// Which of a few points lies nearest to each of many: what quantisation asks most (codebooks.py).
#pragma once

#include <cstddef>
#include <cstdint>

namespace sagedock {

// For each of `count` points of `width` numbers the number of the nearest of `centres` (1 to 256) others, to `codes`;
// of several the first. Numbers are finite; a squared distance is summed in the order of the numbers.
void nearest(const float* points, std::size_t count, std::size_t width, const float* others, std::size_t centres,
             std::uint8_t* codes);

}  // namespace sagedock
