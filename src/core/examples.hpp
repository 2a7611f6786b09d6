// Lines of numbered tokens made into rows and labels (lines.py says what they are, and does the same).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "text.hpp"

namespace sagedock::text {

// What each token's number stands for; the caller owns the arrays.
struct Numbering {
    std::size_t count;           // how many numbers there are
    const std::int32_t* final;   // (count)
    const std::uint32_t* hashes; // (count)
    const bool* is_label;        // (count)
    std::int32_t words;
    const std::int32_t* rows;
    const std::int64_t* row_starts;  // (count + 1), rising, within `rows`
};

struct Lines {
    std::vector<std::int32_t> rows, labels;
    std::vector<std::int64_t> lengths, label_lengths, token_lengths;
    std::int64_t total = 0, unlabelled = 0, first_unlabelled = -1, unseen = 0;
};

// The lines of `tokens`, the last of which ends one. False, and nothing of use, for a token that has no number.
bool make_lines(const std::int32_t* tokens, std::size_t count, const Numbering& numbering, const Ngrams& ngrams, Lines& lines);

}  // namespace sagedock::text
