// Matrices packed for products with rows (dense_lanes.hpp).
#pragma once

#include <cstddef>
#include <vector>

namespace sagedock {

constexpr std::size_t kPanel = 16;
constexpr std::size_t kRows = 6;  // rows at once: with a panel's columns they take twelve registers of sixteen

// The matrix (inner, columns), whose number (i, j) stands at from[i * inner_stride + j * column_stride], in panels of
// sixteen columns, each (inner, 16), the last padded with zeros.
inline std::vector<float> packed(const float* from, std::size_t inner, std::size_t columns, std::size_t inner_stride,
                                 std::size_t column_stride) {
    const std::size_t panels = (columns + kPanel - 1) / kPanel;
    std::vector<float> to(panels * inner * kPanel, 0.0f);
    for (std::size_t j = 0; j < columns; ++j)
        for (std::size_t i = 0; i < inner; ++i)
            to[(j / kPanel * inner + i) * kPanel + j % kPanel] = from[i * inner_stride + j * column_stride];
    return to;
}

}  // namespace sagedock
