// From the counts of a document to its mixture of topics: layers x W + b, an activation between, a softmax at the end.
//
// sagedock/algorithms/ntm/encoder.py is the same in NumPy, to be read first. Sums are of doubles and answers of floats, so
// that neither the order of a sum nor the neighbours of a document tell.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sagedock::topics {

enum class Activation { sigmoid, tanh, relu, softplus };

// One layer; its numbers are the caller's.
struct EncoderLayer {
    const float* weights;  // (inputs, outputs)
    const float* bias;     // (outputs)
    std::size_t inputs, outputs;
};

class TopicEncoder {
public:
    // The inputs of the first layer are words; each other one has as many as the layer before it has outputs.
    TopicEncoder(std::vector<EncoderLayer> layers, Activation activation);

    std::size_t words() const { return layers_.front().inputs; }
    std::size_t topics() const { return layers_.back().outputs; }

    // Write the (documents, topics) mixtures of documents that have counts[i] times words[i], all below words(), for i from
    // starts[d] up to starts[d + 1].
    void mixtures(const std::int64_t* starts, std::size_t documents, const std::int32_t* words, const float* counts,
                  float* found) const;

private:
    std::vector<EncoderLayer> layers_;
    Activation activation_;
    std::size_t widest_;
};

}  // namespace sagedock::topics
