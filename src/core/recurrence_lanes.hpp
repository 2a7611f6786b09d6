// Steps of an LSTM layer for a few rows, over whatever vectors the processor has.
//
// Included once for each instruction set (each_instruction_set.hpp), with LANES_BYTES the size of a vector register.

#include "dense_lanes.hpp"

static inline __attribute__((always_inline)) Vector kept_at(const std::uint8_t* kept, std::size_t at, std::size_t count) {
    float lanes[kLane] = {};
    for (std::size_t i = 0; i < count; ++i) lanes[i] = kept[at + i];
    return load(lanes);
}

// A step of one row from gates that are complete; all pointers are the row's.
static inline __attribute__((always_inline)) void step_row(std::size_t cells, float* gates, const float* hidden, const float* cell,
                                                           float* squashed, float* outputs, float* next_hidden, float* next_cell,
                                                           const std::uint8_t* kept_hidden, const std::uint8_t* kept_cell) {
    for (std::size_t at = 0; at < cells; at += kLane) {
        const std::size_t count = cells - at < kLane ? cells - at : kLane;
        const Vector into = sigmoid(load_some(gates + at, count)), forget = sigmoid(load_some(gates + cells + at, count));
        const Vector fresh = hyperbolic(load_some(gates + 2 * cells + at, count)), out = sigmoid(load_some(gates + 3 * cells + at, count));
        const Vector before = load_some(cell + at, count);
        const Vector state = forget * before + into * fresh;
        const Vector squeezed = hyperbolic(state), output = out * squeezed;
        store_some(gates + at, into, count);
        store_some(gates + cells + at, forget, count);
        store_some(gates + 2 * cells + at, fresh, count);
        store_some(gates + 3 * cells + at, out, count);
        store_some(squashed + at, squeezed, count);
        store_some(outputs + at, output, count);
        if (kept_hidden == nullptr) {
            store_some(next_hidden + at, output, count);
            store_some(next_cell + at, state, count);
        } else {
            const Vector one = spread(1.0f), stay = kept_at(kept_hidden, at, count), hold = kept_at(kept_cell, at, count);
            store_some(next_hidden + at, stay * load_some(hidden + at, count) + (one - stay) * output, count);
            store_some(next_cell + at, hold * before + (one - hold) * state, count);
        }
    }
}

static void run_forward(Size size, const float* packed, const Tape& tape) {
    const std::size_t cells = size.cells, all = 4 * cells;
    for (std::size_t row = 0; row < size.rows; row += kRows) {
        const std::size_t rows = size.rows - row < kRows ? size.rows - row : kRows;
        for (std::size_t step = 0; step < size.steps; ++step) {
            const std::size_t at = step * size.rows + row;
            multiply(tape.hidden + at * cells, cells, cells, packed, all, tape.gates + at * all, all, rows);
            for (std::size_t i = at; i < at + rows; ++i) {
                const std::size_t next = (i + size.rows) * cells;
                const std::uint8_t* const kept = tape.kept_hidden == nullptr ? nullptr : tape.kept_hidden + i * cells;
                const std::uint8_t* const kept_cell = kept == nullptr ? nullptr : tape.kept_cell + i * cells;
                step_row(cells, tape.gates + i * all, tape.hidden + i * cells, tape.cell + i * cells, tape.squashed + i * cells,
                         tape.outputs + i * cells, tape.hidden + next, tape.cell + next, kept, kept_cell);
            }
        }
    }
}

// The way back through a step of one row: `hidden` and `cell` are the slopes of the states behind it, and become those
// of the states before it, but for what goes through the gates to `hidden`.
static inline __attribute__((always_inline)) void back_row(std::size_t cells, const float* gates, const float* before_row,
                                                           const float* squashed, const float* slopes, float* found, float* hidden,
                                                           float* cell, const std::uint8_t* kept_hidden, const std::uint8_t* kept_cell) {
    const Vector one = spread(1.0f);
    for (std::size_t at = 0; at < cells; at += kLane) {
        const std::size_t count = cells - at < kLane ? cells - at : kLane;
        const Vector into = load_some(gates + at, count), forget = load_some(gates + cells + at, count);
        const Vector fresh = load_some(gates + 2 * cells + at, count), out = load_some(gates + 3 * cells + at, count);
        const Vector before = load_some(before_row + at, count), squeezed = load_some(squashed + at, count);
        Vector behind = load_some(hidden + at, count), state = load_some(cell + at, count), carried = {}, held = {};
        if (kept_hidden != nullptr) {
            carried = behind * kept_at(kept_hidden, at, count);
            held = state * kept_at(kept_cell, at, count);
        }
        const Vector output = load_some(slopes + at, count) + (behind - carried);
        state = (state - held) + output * out * (one - squeezed * squeezed);
        store_some(found + at, state * fresh * into * (one - into), count);
        store_some(found + cells + at, state * before * forget * (one - forget), count);
        store_some(found + 2 * cells + at, state * into * (one - fresh * fresh), count);
        store_some(found + 3 * cells + at, output * squeezed * out * (one - out), count);
        store_some(cell + at, state * forget + held, count);
        store_some(hidden + at, carried, count);
    }
}

static void run_backward(Size size, const float* packed, const Tape& tape, const float* slopes, float* found, float* states) {
    const std::size_t cells = size.cells, all = 4 * cells;
    float* const hidden = states;
    float* const cell = states + kRows * cells;
    for (std::size_t row = 0; row < size.rows; row += kRows) {
        const std::size_t rows = size.rows - row < kRows ? size.rows - row : kRows;
        std::memset(states, 0, 2 * kRows * cells * sizeof(float));
        for (std::size_t step = size.steps; step-- > 0;) {
            const std::size_t first = step * size.rows + row;
            for (std::size_t i = 0; i < rows; ++i) {
                const std::size_t at = first + i;
                const std::uint8_t* const kept = tape.kept_hidden == nullptr ? nullptr : tape.kept_hidden + at * cells;
                const std::uint8_t* const kept_cell = kept == nullptr ? nullptr : tape.kept_cell + at * cells;
                back_row(cells, tape.gates + at * all, tape.cell + at * cells, tape.squashed + at * cells, slopes + at * cells,
                         found + at * all, hidden + i * cells, cell + i * cells, kept, kept_cell);
            }
            multiply(found + first * all, all, all, packed, cells, hidden, cells, rows);
        }
    }
}
