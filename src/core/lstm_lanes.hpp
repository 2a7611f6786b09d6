// Steps of LSTM cells, as many side by side as a register holds.
//
// Included once for each instruction set (each_instruction_set.hpp), with LANES_BYTES the size of a vector register.
// Products are rounded before they are added, so that every instruction set, and NumPy, gets the same bits.

#include "registers.hpp"

constexpr std::size_t kGroup = LstmLayer::group;

// 1 / (1 + exp(-x)), exact to about 1e-7.
static inline __attribute__((always_inline)) Vector sigmoid(Vector x) {
    const Vector most = spread(60.0f), shift = spread(12582912.0f);  // 1.5 * 2^23: what is added to it is rounded
    x = x > most ? most : x;
    x = x < -most ? -most : x;
    const Vector turns = x * spread(-1.44269504088896341f);  // exp(-x) = 2^turns
    const Vector shifted = turns + shift;
    const Vector rest = turns - (shifted - shift);  // -0.5 to 0.5
    Vector power = spread(1.535336188319500e-4f);   // 2^rest
    power = power * rest + spread(1.339887440266574e-3f);
    power = power * rest + spread(9.618437357674640e-3f);
    power = power * rest + spread(5.550332471162809e-2f);
    power = power * rest + spread(2.402264791363012e-1f);
    power = power * rest + spread(6.931472028550421e-1f);
    power = power * rest + spread(1.0f);
    Bits bits, exponent;
    std::memcpy(&bits, &power, sizeof bits);
    std::memcpy(&exponent, &shifted, sizeof exponent);
    bits += exponent << 23;
    std::memcpy(&power, &bits, sizeof power);
    return spread(1.0f) / (spread(1.0f) + power);
}

static inline __attribute__((always_inline)) Vector tanh(Vector x) {
    const Vector half = sigmoid(x + x);
    return (half + half) - spread(1.0f);
}

// sums[gate][path] += weights[gate] * number[path], for `count` numbers of each path; weights of one number are 4 groups
// apart, its gates one.
template <int Paths>
static inline __attribute__((always_inline)) void multiply(Vector (&sums)[4][Paths], const float* weights, const float* numbers,
                                                           std::size_t stride, std::size_t count) {
    for (std::size_t k = 0; k < count; ++k, weights += 4 * kGroup) {
        Vector number[Paths];
        for (int path = 0; path < Paths; ++path) number[path] = spread(numbers[static_cast<std::size_t>(path) * stride + k]);
        for (int gate = 0; gate < 4; ++gate) {
            const Vector weight = load(weights + static_cast<std::size_t>(gate) * kGroup);
            for (int path = 0; path < Paths; ++path) sums[gate][path] = sums[gate][path] + weight * number[path];
        }
    }
}

static void add(const float* weights, std::size_t groups, std::size_t group_stride, const float* inputs, std::size_t count,
                float* sums) {
    for (std::size_t part = 0; part < groups * kGroup; part += kLane) {
        const std::size_t group = part / kGroup, lane = part % kGroup;
        float* const place = sums + group * 4 * kGroup + lane;
        Vector found[4][1];
        for (int gate = 0; gate < 4; ++gate) found[gate][0] = load(place + static_cast<std::size_t>(gate) * kGroup);
        multiply<1>(found, weights + group * group_stride + lane, inputs, 0, count);
        for (int gate = 0; gate < 4; ++gate) store(place + static_cast<std::size_t>(gate) * kGroup, found[gate][0]);
    }
}

// A register's width of cells, of a few paths.
template <int Paths>
static inline __attribute__((always_inline)) void step_tile(const Step& step, std::size_t group, std::size_t lane,
                                                            std::size_t first) {
    Vector sums[4][Paths];
    const float* const shared = step.sums + group * 4 * kGroup + lane;
    for (int gate = 0; gate < 4; ++gate)
        for (int path = 0; path < Paths; ++path) sums[gate][path] = load(shared + static_cast<std::size_t>(gate) * kGroup);
    const float* const weights = step.weights + group * step.group_stride + lane;
    multiply<Paths>(sums, weights + step.first * 4 * kGroup, step.inputs + first * step.stride, step.stride, step.count);
    multiply<Paths>(sums, weights + step.width * 4 * kGroup, step.hidden + first * step.padded, step.padded, step.cells);
    for (int path = 0; path < Paths; ++path) {
        const std::size_t place = (first + static_cast<std::size_t>(path)) * step.padded + group * kGroup + lane;
        const Vector kept = sigmoid(sums[1][path]) * load(step.cell + place);
        const Vector cell = kept + sigmoid(sums[0][path]) * tanh(sums[2][path]);
        store(step.cell + place, cell);
        store(step.next + place, sigmoid(sums[3][path]) * tanh(cell));
    }
}

static void advance(const Step& step) {
    constexpr std::size_t together = 4;  // paths whose sums and weights fit into the registers, or nearly
    for (std::size_t part = 0; part < step.cells; part += kLane) {
        const std::size_t group = part / kGroup, lane = part % kGroup;
        std::size_t path = 0;
        for (; path + together <= step.paths; path += together) step_tile<together>(step, group, lane, path);
        for (; path < step.paths; ++path) step_tile<1>(step, group, lane, path);
    }
}
