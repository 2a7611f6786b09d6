// Layers of long short-term memory (Hochreiter and Schmidhuber, 1997), many paths side by side.
// sagedock/algorithms/deepar/recurrence.py is the same in NumPy, bit for bit, to be read first.
#pragma once

#include <cstddef>
#include <vector>

namespace sagedock {

// What the columns of a layer's weights are multiplied with: numbers `first` to `first + count` of its inputs.
struct Columns {
    std::size_t first, count;
};

// One layer. Its arrays are padded to whole groups of 16 cells; what pads them stays zero.
class LstmLayer {
public:
    static constexpr std::size_t group = 16;

    // `input_weights` (4 * cells, inputs), `hidden_weights` (4 * cells, cells) and `bias` (4 * cells) have the gates one
    // below the other: input, forget, cell, output, as in PyTorch.
    LstmLayer(std::size_t inputs, std::size_t cells, const float* input_weights, const float* hidden_weights, const float* bias);

    std::size_t inputs() const { return inputs_; }
    std::size_t cells() const { return cells_; }
    std::size_t padded() const { return groups_ * group; }  // cells with what pads them
    std::size_t gates() const { return 4 * padded(); }      // numbers of one row of sums
    const float* bias() const { return bias_.data(); }      // (gates), in the order of sums

    // sums (gates) += weights . the inputs of these columns
    void add(Columns columns, const float* inputs, float* sums) const;

    // One step of `paths` paths. What the gates are given is `sums`, shared by all, then each path's own inputs in
    // `columns` (row `path` of `inputs`, `stride` floats apart), then its `hidden` (paths, padded). `cell` (paths, padded)
    // is changed in its place; what becomes of the hidden state goes to `next`.
    void step(std::size_t paths, const float* sums, Columns columns, const float* inputs, std::size_t stride,
              const float* hidden, float* cell, float* next) const;

private:
    std::size_t inputs_, cells_, groups_;
    std::vector<float> weights_;  // (groups, inputs + padded, 4 gates, 16)
    std::vector<float> bias_;     // (groups, 4 gates, 16)
};

}  // namespace sagedock
