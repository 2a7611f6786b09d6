// Small matrix products of rows, over whatever vectors the processor has.
//
// Included once for each instruction set (each_instruction_set.hpp), with LANES_BYTES the size of a vector register. Rows
// are read in whole registers: what pads them is zero, and stays so.

#include "registers.hpp"

constexpr std::size_t kTile = 6;  // output rows at once: with their changes they take twelve registers of sixteen

static inline __attribute__((always_inline)) float sum(Vector v) {
#if LANES_BYTES == 64
    v += __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
    v += __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11);
#elif LANES_BYTES == 32
    v += __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3);
#endif
    return (v[0] + v[1]) + (v[2] + v[3]);
}

// scores[i][j] = hidden[i] . outputs[j]
template <int Hidden, int Outputs>
static inline __attribute__((always_inline)) void score_tile(const Block& block, std::size_t i, std::size_t j, std::size_t width) {
    Vector sums[Hidden][Outputs] = {};
    for (std::size_t at = 0; at < width; at += kLane) {
        Vector rows[Outputs];
        for (int b = 0; b < Outputs; ++b) rows[b] = load(block.outputs[j + b] + at);
        for (int a = 0; a < Hidden; ++a) {
            const Vector part = load(block.hidden[i + a] + at);
            for (int b = 0; b < Outputs; ++b) sums[a][b] = LANES_FUSED(part, rows[b], sums[a][b]);
        }
    }
    for (int a = 0; a < Hidden; ++a)
        for (int b = 0; b < Outputs; ++b) block.scores[(i + a) * block.stride + j + b] = sum(sums[a][b]);
}

template <int Outputs>
static void score_rows(const Block& block, std::size_t j, std::size_t width) {
    std::size_t i = 0;
    for (; i + 2 <= block.hidden_count; i += 2) score_tile<2, Outputs>(block, i, j, width);
    if (i < block.hidden_count) score_tile<1, Outputs>(block, i, j, width);
}

// changes[i] += steps[i][j] * outputs[j] and outputs[j] += steps[i][j] * hidden[i], the steps standing where the scores
// stood.
template <int Outputs>
static void move_rows(const Block& block, std::size_t j, std::size_t width) {
    for (std::size_t at = 0; at < width; at += kLane) {
        Vector rows[Outputs], moved[Outputs];
        for (int b = 0; b < Outputs; ++b) moved[b] = rows[b] = load(block.outputs[j + b] + at);
        for (std::size_t i = 0; i < block.hidden_count; ++i) {
            const float* const steps = block.scores + i * block.stride + j;
            const Vector part = load(block.hidden[i] + at);
            Vector change = load(block.changes[i] + at);
            for (int b = 0; b < Outputs; ++b) {
                const Vector step = spread(steps[b]);
                change = LANES_FUSED(step, rows[b], change);
                moved[b] = LANES_FUSED(step, part, moved[b]);
            }
            store(block.changes[i] + at, change);
        }
        for (int b = 0; b < Outputs; ++b) store(block.outputs[j + b] + at, moved[b]);
    }
}

// 1 / (1 + exp(-x)), exact to a few units in the last place: as fast here as a table, and without its steps.
static inline __attribute__((always_inline)) Vector sigmoid(Vector x) {
    const Vector most = spread(60.0f), shift = spread(12582912.0f);  // 1.5 * 2^23: what is added to it is rounded
    x = x > most ? most : x;
    x = x < -most ? -most : x;
    const Vector turns = x * spread(-1.44269504088896341f);  // exp(-x) = 2^turns
    const Vector shifted = turns + shift;
    const Vector rest = turns - (shifted - shift);  // -0.5 to 0.5
    Vector power = spread(1.535336188319500e-4f);   // 2^rest
    power = LANES_FUSED(power, rest, spread(1.339887440266574e-3f));
    power = LANES_FUSED(power, rest, spread(9.618437357674640e-3f));
    power = LANES_FUSED(power, rest, spread(5.550332471162809e-2f));
    power = LANES_FUSED(power, rest, spread(2.402264791363012e-1f));
    power = LANES_FUSED(power, rest, spread(6.931472028550421e-1f));
    power = LANES_FUSED(power, rest, spread(1.0f));
    Bits bits, exponent;
    std::memcpy(&bits, &power, sizeof bits);
    std::memcpy(&exponent, &shifted, sizeof exponent);
    bits += exponent << 23;
    std::memcpy(&power, &bits, sizeof power);
    return spread(1.0f) / (spread(1.0f) + power);
}

// From scores to steps: rate * weight * (label - sigmoid(score)).
static void take_steps(const Block& block, float rate) {
    const Vector speed = spread(rate);
    for (std::size_t i = 0; i < block.hidden_count; ++i) {
        for (std::size_t at = 0; at < block.stride; at += kLane) {
            float* const place = block.scores + i * block.stride + at;
            store(place, speed * load(block.weights + at) * (load(block.labels + at) - sigmoid(load(place))));
        }
    }
}

static void learn(const Block& block, std::size_t width, float rate) {
    using Work = void (*)(const Block&, std::size_t, std::size_t);
    static constexpr Work score[] = {nullptr,       score_rows<1>, score_rows<2>, score_rows<3>,
                                     score_rows<4>, score_rows<5>, score_rows<6>};
    static constexpr Work move[] = {nullptr,      move_rows<1>, move_rows<2>, move_rows<3>,
                                    move_rows<4>, move_rows<5>, move_rows<6>};
    for (std::size_t j = 0; j < block.output_count; j += kTile)
        score[std::min(kTile, block.output_count - j)](block, j, width);
    take_steps(block, rate);
    for (std::size_t j = 0; j < block.output_count; j += kTile)
        move[std::min(kTile, block.output_count - j)](block, j, width);
}

static void average(float* const* rows, std::size_t count, std::size_t width, float* mean) {
    const Vector part = spread(1.0f / static_cast<float>(count));
    for (std::size_t at = 0; at < width; at += kLane) {
        Vector total = load(rows[0] + at);
        for (std::size_t i = 1; i < count; ++i) total += load(rows[i] + at);
        store(mean + at, total * part);
    }
}

static void add(float* const* rows, std::size_t count, std::size_t width, const float* change, float factor) {
    const Vector part = spread(factor);
    for (std::size_t i = 0; i < count; ++i)
        for (std::size_t at = 0; at < width; at += kLane)
            store(rows[i] + at, LANES_FUSED(part, load(change + at), load(rows[i] + at)));
}

constexpr Kernels kernels{kLane, learn, average, add};

