// Products of a few rows with a packed matrix, and the functions of gates, over whatever vectors the processor has.
//
// Included by kernels that are compiled once for each instruction set (each_instruction_set.hpp), with LANES_BYTES the
// size of a vector register. A matrix (inner, columns) is packed in panels of sixteen columns, each (inner, 16) in C
// order, the last one padded with zeros (dense.hpp).

#include "registers.hpp"

using Whole = std::int32_t __attribute__((vector_size(LANES_BYTES)));
constexpr std::size_t kVectors = kPanel / kLane;

// The first `count` numbers, the other lanes being zero.
static inline __attribute__((always_inline)) Vector load_some(const float* from, std::size_t count) {
    if (count >= kLane) return load(from);
    Vector vector{};
    std::memcpy(&vector, from, count * sizeof(float));
    return vector;
}

static inline __attribute__((always_inline)) void store_some(float* to, Vector vector, std::size_t count) {
    if (count >= kLane) return store(to, vector);
    std::memcpy(to, &vector, count * sizeof(float));
}

static inline __attribute__((always_inline)) Vector smaller(Vector a, Vector b) { return a < b ? a : b; }
static inline __attribute__((always_inline)) Vector larger(Vector a, Vector b) { return a > b ? a : b; }

// e^x to within two units in the last place, for x from -87 to 87, to which it is held; NaN gives e^-87.
static inline __attribute__((always_inline)) Vector exponential(Vector x) {
    x = smaller(larger(x, spread(-87.0f)), spread(87.0f));
    const Vector shift = spread(12582912.0f);  // 1.5 * 2^23: what is added to it is rounded to whole numbers
    const Vector shifted = LANES_FUSED(x, spread(1.44269504f), shift);
    const Vector whole = shifted - shift;
    Vector rest = LANES_FUSED(whole, spread(-0.693359375f), x);
    rest = LANES_FUSED(whole, spread(2.12194440e-4f), rest);
    Vector value = spread(1.9875691500e-4f);  // Cephes' expf
    value = LANES_FUSED(value, rest, spread(1.3981999507e-3f));
    value = LANES_FUSED(value, rest, spread(8.3334519073e-3f));
    value = LANES_FUSED(value, rest, spread(4.1665795894e-2f));
    value = LANES_FUSED(value, rest, spread(1.6666665459e-1f));
    value = LANES_FUSED(value, rest, spread(5.0000001201e-1f));
    value = LANES_FUSED(value * rest, rest, rest) + spread(1.0f);
    Whole power, bits;
    std::memcpy(&power, &shifted, sizeof power);
    std::memcpy(&bits, &value, sizeof bits);
    bits += (power - 0x4B400000) << 23;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

static inline __attribute__((always_inline)) Vector sigmoid(Vector x) {
    return spread(1.0f) / (spread(1.0f) + exponential(-x));
}

static inline __attribute__((always_inline)) Vector hyperbolic(Vector x) {
    return spread(2.0f) / (spread(1.0f) + exponential(spread(-2.0f) * x)) - spread(1.0f);
}

// sums[r] += rows[r] . panel, of sixteen columns
template <std::size_t Rows>
static inline __attribute__((always_inline)) void multiply_tile(const float* rows, std::size_t stride, std::size_t inner,
                                                                const float* panel, float* sums, std::size_t sums_stride,
                                                                std::size_t width) {
    Vector found[Rows][kVectors];
    for (std::size_t r = 0; r < Rows; ++r)
        for (std::size_t v = 0; v < kVectors; ++v) {
            const std::size_t left = width > v * kLane ? width - v * kLane : 0;
            found[r][v] = left == 0 ? Vector{} : load_some(sums + r * sums_stride + v * kLane, left);
        }
    for (std::size_t k = 0; k < inner; ++k) {
        Vector part[kVectors];
        for (std::size_t v = 0; v < kVectors; ++v) part[v] = load(panel + k * kPanel + v * kLane);
        for (std::size_t r = 0; r < Rows; ++r) {
            const Vector factor = spread(rows[r * stride + k]);
            for (std::size_t v = 0; v < kVectors; ++v) found[r][v] = LANES_FUSED(factor, part[v], found[r][v]);
        }
    }
    for (std::size_t r = 0; r < Rows; ++r)
        for (std::size_t v = 0; v < kVectors; ++v)
            if (width > v * kLane) store_some(sums + r * sums_stride + v * kLane, found[r][v], width - v * kLane);
}

template <std::size_t Rows>
static void multiply_rows(const float* rows, std::size_t stride, std::size_t inner, const float* packed, std::size_t columns,
                          float* sums, std::size_t sums_stride) {
    for (std::size_t at = 0; at < columns; at += kPanel) {
        const float* const panel = packed + at * inner;
        const std::size_t width = columns - at < kPanel ? columns - at : kPanel;
        if (width == kPanel) multiply_tile<Rows>(rows, stride, inner, panel, sums + at, sums_stride, kPanel);
        else multiply_tile<Rows>(rows, stride, inner, panel, sums + at, sums_stride, width);
    }
}

// sums (count, columns) += rows (count, inner) . packed; count from 1 to kRows
static void multiply(const float* rows, std::size_t stride, std::size_t inner, const float* packed, std::size_t columns,
                     float* sums, std::size_t sums_stride, std::size_t count) {
    switch (count) {
        case 1: return multiply_rows<1>(rows, stride, inner, packed, columns, sums, sums_stride);
        case 2: return multiply_rows<2>(rows, stride, inner, packed, columns, sums, sums_stride);
        case 3: return multiply_rows<3>(rows, stride, inner, packed, columns, sums, sums_stride);
        case 4: return multiply_rows<4>(rows, stride, inner, packed, columns, sums, sums_stride);
        case 5: return multiply_rows<5>(rows, stride, inner, packed, columns, sums, sums_stride);
        default: return multiply_rows<6>(rows, stride, inner, packed, columns, sums, sums_stride);
    }
}
