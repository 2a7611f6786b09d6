// Pictures made smaller or larger: bilinear, antialiased, in the fixed-point numbers of Pillow's Image.resize.
//
// sagedock/algorithms/image_classification/resampling.py says the same by Pillow, byte for byte. Here only the window that
// is wanted is computed, and comes as planes.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sagedock::pictures {

constexpr std::size_t kLongestSide = 65535;  // of the picture and of the result: sums of products stay within 32 bits

// Interleaved pixels (height, width, channels), channels being 1 or 3.
struct Picture {
    const std::uint8_t* pixels;
    std::size_t height, width, channels;
};

// The size that the picture is brought to, and the part of that which is computed: within it, none of it empty.
struct Window {
    std::size_t height, width;
    std::size_t top, left, rows, columns;
};

// Write the window (channels, rows, columns).
void resample(const Picture& picture, const Window& window, std::uint8_t* planes);

}  // namespace sagedock::pictures
