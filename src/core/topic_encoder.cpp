#include "topic_encoder.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace sagedock::topics {

namespace {

// sums += factor * row
void add(double* sums, double factor, const float* row, std::size_t width) {
    for (std::size_t i = 0; i < width; ++i) sums[i] += factor * static_cast<double>(row[i]);
}

double activated(double value, Activation activation) {
    switch (activation) {
        case Activation::sigmoid: return 1 / (1 + std::exp(-std::max(value, -700.0)));
        case Activation::tanh: return std::tanh(value);
        case Activation::relu: return std::max(value, 0.0);
        case Activation::softplus: return std::max(value, 0.0) + std::log1p(std::exp(-std::abs(value)));
    }
    return value;
}

void softmax(double* values, std::size_t count, float* shares) {
    const double highest = *std::max_element(values, values + count);
    double sum = 0;
    for (std::size_t i = 0; i < count; ++i) sum += values[i] = std::exp(values[i] - highest);
    for (std::size_t i = 0; i < count; ++i) shares[i] = static_cast<float>(values[i] / sum);
}

}  // namespace

TopicEncoder::TopicEncoder(std::vector<EncoderLayer> layers, Activation activation)
    : layers_(std::move(layers)), activation_(activation), widest_(0) {
    for (const EncoderLayer& layer : layers_) widest_ = std::max(widest_, layer.outputs);
}

void TopicEncoder::mixtures(const std::int64_t* starts, std::size_t documents, const std::int32_t* words, const float* counts,
                            float* found) const {
    std::vector<double> memory(2 * widest_);
    for (std::size_t document = 0; document < documents; ++document) {
        double *hidden = memory.data(), *next = hidden + widest_;
        const EncoderLayer& first = layers_.front();
        std::copy_n(first.bias, first.outputs, hidden);
        for (std::int64_t i = starts[document]; i < starts[document + 1]; ++i) {
            const float* row = first.weights + static_cast<std::size_t>(words[i]) * first.outputs;
            add(hidden, std::log1p(static_cast<double>(counts[i])), row, first.outputs);
        }
        for (std::size_t number = 1; number < layers_.size(); ++number) {
            const EncoderLayer& layer = layers_[number];
            std::copy_n(layer.bias, layer.outputs, next);
            for (std::size_t i = 0; i < layer.inputs; ++i)
                add(next, activated(hidden[i], activation_), layer.weights + i * layer.outputs, layer.outputs);
            std::swap(hidden, next);
        }
        softmax(hidden, topics(), found + document * topics());
    }
}

}  // namespace sagedock::topics
