// Latent Dirichlet allocation by collapsed Gibbs sampling (Griffiths and Steyvers, Finding scientific topics, 2004): the
// topic of one token after the other is drawn, given those of all others.
//
// sagedock/algorithms/lda/gibbs.py is the same in NumPy, to be read first: the topics are the same to the last one,
// whatever the instruction set.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sagedock::topics {

constexpr std::size_t kGroup = 8;     // topics side by side; counts are padded to a multiple of it
constexpr std::size_t kStreams = 8;   // documents that are worked on at once

// Documents of tokens; the caller owns the arrays.
struct Corpus {
    const std::int64_t* starts;  // (documents + 1): where each begins in words
    std::size_t documents;
    const std::int32_t* words;   // of each token
};

// What each token's topic is, and how often each word and all words have each topic: these agree with one another.
struct State {
    std::uint16_t* assigned;     // (tokens)
    std::int32_t* word_topics;   // (words, padded)
    std::int32_t* totals;        // (padded)
    std::size_t topics, padded;
};

// The prior: `alpha` (padded, what is beyond the topics unread) of each topic, `beta` of each word, and of all words together.
struct Prior {
    const float* alpha;
    float beta, all_words;
};

// Draw every token's topic once. The tokens' random numbers are those of stream `sweep` of a seed.
void sweep(const Corpus& corpus, const State& state, const Prior& prior, std::uint64_t seed, std::uint64_t sweep);

// Minka's fixed point for `alpha` (topics), taken `rounds` times from where it stands and held above `least`
// (Estimating a Dirichlet distribution, 2000, equation 55).
void fit_alpha(const Corpus& corpus, const std::uint16_t* assigned, double* alpha, std::size_t topics, std::size_t rounds,
               double least);

}  // namespace sagedock::topics
