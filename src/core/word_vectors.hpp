// Word vectors: skipgram, cbow and batch_skipgram with negative sampling, one small matrix product after the other.
// sagedock/algorithms/blazingtext/vectors.py is the same in NumPy, to be read first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace sagedock::word_vectors {

enum class Mode { skipgram, cbow, batch_skipgram };

// From a name of Mode; throws std::invalid_argument for another.
Mode mode_of(std::string_view name);

// Sentences as word ids, and which rows of the input matrix each word has; the caller owns the arrays.
struct Text {
    std::size_t words;           // of the vocabulary
    const std::int32_t* tokens;  // all sentences, one after the other
    std::size_t token_count;
    const std::int64_t* starts;  // (sentences + 1): where each begins in tokens
    std::size_t sentences;
    const std::int64_t* row_starts;  // (words + 1): where each word's rows begin in row_ids
    const std::int32_t* row_ids;
    std::size_t row_count;
};

// Both matrices: `stride` floats from row to row, the first `width` of them numbers and the rest zeros.
struct Matrices {
    float* input;
    std::size_t input_rows;
    float* output;  // (words, stride)
    std::size_t width;
    std::size_t stride;
};

struct Settings {
    Mode mode;
    std::size_t window;      // words on either side, at most
    std::size_t negatives;   // words drawn from the noise for one block
    std::size_t batch;       // words of the context in one block of batch_skipgram, at most
    const float* kept;       // (words): the probability that a token of the word is kept
    const std::uint64_t* noise;  // (words): 2^32 times the probability that a draw is this word or one before it
};

// A run of sentences to learn, and how far training had come before it.
struct Part {
    std::size_t first;
    std::size_t last;
    std::uint64_t stream;  // of random numbers; each sentence has its own within it
    std::int64_t done;     // tokens of this training read before
    std::int64_t total;    // tokens of the whole training
    double rate;           // what the learning rate began with; it falls to nothing as done grows to total
};

class Trainer {
public:
    // Throws std::invalid_argument when an index leads out of the array that it is for.
    Trainer(const Text& text, const Matrices& matrices, const Settings& settings);

    // Learn a part with so many threads, which write to the matrices without a lock.
    void learn(const Part& part, std::size_t threads) const;

    std::size_t sentences() const { return text_.sentences; }

private:
    friend class Reader;

    void check_rows();
    void check_sentences();
    void make_guide();
    std::size_t most_context() const;
    std::size_t most_words_in_block() const;
    float* fetched(float* matrix, std::int32_t row) const;

    Text text_;
    Matrices matrices_;
    Settings settings_;
    std::size_t longest_ = 0;    // tokens of a sentence
    std::size_t widest_ = 0;     // rows of a word
    std::size_t most_rows_ = 0;  // rows of a sentence
    int guide_shift_ = 0;
    std::vector<std::uint32_t> guide_;  // the first word that a draw may be, by its leading bits
};

}  // namespace sagedock::word_vectors
