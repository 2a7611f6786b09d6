// Hue, lightness and saturation of pictures shifted, in eight bits: sagedock/algorithms/image_classification/hls.py is the
// same in NumPy, to be read first, byte for byte.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sagedock::pictures {

// What is added to the three numbers of every pixel.
struct Shift {
    int hue, lightness, saturation;
};

// Planes (3, pixels) of red, green and blue to planes of the same size; a shift is of -255 to 255.
void shift_hls(const std::uint8_t* planes, std::size_t pixels, const Shift& shift, std::uint8_t* shifted);

}  // namespace sagedock::pictures
