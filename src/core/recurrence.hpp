// One LSTM layer over many steps, forwards and backwards, with zoneout: what goes from step to step.
//
// What the inputs add to the gates is the caller's; the gates stand in the order input, forget, candidate, output.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sagedock::recurrence {

struct Size {
    std::size_t steps, rows, cells;
};

// Arrays (steps, rows, numbers) of C order. `hidden` and `cell` have one step more, the first being the states before.
struct Tape {
    float* gates;     // (steps, rows, 4 cells)
    float* hidden;    // (steps + 1, rows, cells), after zoneout
    float* cell;      // (steps + 1, rows, cells), after zoneout
    float* squashed;  // (steps, rows, cells): tanh of the cell states before zoneout
    float* outputs;   // (steps, rows, cells): hidden states before zoneout
    const std::uint8_t* kept_hidden;  // (steps, rows, cells), 1 where zoneout keeps the state; or null for nowhere
    const std::uint8_t* kept_cell;    // null when kept_hidden is
};

// Fill the tape: of gates before their functions, in whose place the functions' values are put; `weight` is
// (4 cells, cells).
void forward(Size size, const float* weight, const Tape& tape);

// The slopes of the gates before their functions (steps, rows, 4 cells), to `found`, of those of the outputs.
void backward(Size size, const float* weight, const Tape& tape, const float* slopes, float* found);

}  // namespace sagedock::recurrence
