// The mixture of topics that makes a document's words most likely, found by expectation maximisation.
//
// sagedock/algorithms/lda/inference.py is the same in NumPy, to be read first: the numbers are the same to the bit,
// whatever the instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sagedock::mixtures {

constexpr std::size_t kGroup = 8;  // topics side by side: rows are padded to a multiple of it with zeros

// The probabilities of words in topics, word by word; the caller owns them.
struct Topics {
    const float* words;  // (vocabulary, padded)
    std::size_t topics, padded;
    const float* prior;  // (padded): the mixture of a document that tells nothing
};

// Sparse documents: counts[i] times words[i] for i from starts[d] up to starts[d + 1].
struct Documents {
    const std::int64_t* starts;  // (documents + 1)
    std::size_t documents;
    const std::int32_t* words;   // all below the vocabulary's size
    const float* counts;         // above zero
};

struct Rule {
    std::size_t rounds;  // at most
    float tolerance;     // a round that changes no share by more is the last
    float least;         // what has a smaller share has none
};

// Write the (documents, topics) mixtures.
void infer(const Topics& topics, const Documents& documents, const Rule& rule, float* mixtures);

}  // namespace sagedock::mixtures
