// Text classification: a step of training for each example, and probabilities of labels (classifier.py,
// classifier_trainer.py and probabilities.py say what they are).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "processor.hpp"
#include "text.hpp"

namespace sagedock::text {

// A matrix of floats that somebody else owns; it may begin at any byte. Rows are `stride` bytes apart.
struct Matrix {
    const char* data;
    std::size_t rows, columns, stride;
    const char* row(std::size_t number) const { return data + number * stride; }
};

// What one call of `learn` is about; the caller owns the arrays. Rows of both matrices are `stride` floats apart, of
// which `columns`, a multiple of 16, are used; what the model has no number for is zero.
struct Learning {
    float* input;
    float* output;
    std::size_t input_stride, output_stride, columns, label_count;
    const std::int32_t* rows;
    const std::int64_t* starts;
    const std::int32_t* labels;
    const std::int64_t* label_starts;
    const std::int64_t* token_starts;
    const std::int64_t* order;  // which example comes at each place, or null
    const float* weights;       // by label
    const float* scales;        // by row, or null
    double rate;                // at the very beginning
    double tokens_before;       // of earlier epochs
    double tokens_in_all;       // of all epochs
    std::int64_t examples;
    std::uint64_t seed, epoch;
};

// How long the arrays are.
struct Lengths {
    std::size_t rows, input_rows, labels;
};

// What is wrong with the examples at places first to last; null when nothing is, and `learn` may read them.
const char* fault(const Learning& task, const Lengths& lengths, std::size_t first, std::size_t last);

// Whether all values lie from 0 to below a limit.
bool all_below(const std::int32_t* values, std::size_t count, std::size_t limit);

// Learn the examples at places first to last, in order, and return the sum of their losses. Several threads may do so
// at once with the same matrices.
double learn(const Learning& task, std::size_t first, std::size_t last);

// Whether these are the children of the inner nodes of a tree over so many labels, each behind its children, so that
// the root comes last.
bool is_tree(const std::vector<std::int32_t>& left, const std::vector<std::int32_t>& right, std::size_t labels);

enum class Loss { softmax, hierarchical, table };

// A classifier that is ready to predict.
class Classifier {
public:
    // What an answer is made with: reused, it allocates nothing.
    struct Scratch {
        Dictionary::Line line;
        std::vector<float> hidden, scores;
        std::vector<double> shares;
        std::vector<std::int32_t> best;
    };

    // `places` (dictionary rows) or none; `left` and `right` (labels - 1) of the tree, `table` of sigmoids, as the loss
    // needs them. All numbers have been checked.
    Classifier(const Dictionary& dictionary, Matrix input, Matrix output, Loss loss, const std::int32_t* places,
               std::vector<std::int32_t> left, std::vector<std::int32_t> right, std::vector<float> table);

    // scratch.scores become the probabilities of all labels for a text of these rows; false when the model holds what
    // is no number.
    bool probabilities(const std::int32_t* rows, std::size_t count, Scratch& scratch) const;

    // scratch.best become the `k` best labels, those below `threshold` left out.
    void choose(std::size_t k, float threshold, Scratch& scratch) const;

    const Dictionary& dictionary() const { return dictionary_; }
    std::size_t labels() const { return output_.rows; }

private:
    void finish(Scratch& scratch) const;

    const Dictionary& dictionary_;
    Matrix input_, output_;
    Loss loss_;
    const std::int32_t* places_;
    std::vector<std::int32_t> left_, right_;
    std::vector<float> table_;
};

}  // namespace sagedock::text
