// The vocabulary of a text while it is read (vocabulary.py says what it does, and does the same).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text.hpp"

namespace sagedock::text {

class Vocabulary {
public:
    static constexpr std::int32_t end = 0, cut = -1;

    Vocabulary(std::string label_prefix, std::size_t most_tokens, std::size_t longest_token);

    // The numbers of the tokens of the next block are appended; what may go on is kept back. False for a token that is
    // longer than any may be.
    bool feed(std::string_view block, std::vector<std::int32_t>& numbers);

    // The numbers of what was kept back are appended, and `cut`.
    void finish(std::vector<std::int32_t>& numbers);

    struct Entry {
        std::uint64_t begin;
        std::uint32_t length;
        std::uint32_t hash;
        std::int64_t count;
        std::int32_t number;
        bool is_label;
    };

    // What is known, in fastText's order: words, then labels, each by descending count.
    std::vector<Entry> in_order() const;

    std::string_view token(const Entry& entry) const { return {bytes_.data() + entry.begin, entry.length}; }
    const std::vector<std::uint32_t>& hashes() const { return hashes_; }    // by number
    const std::vector<std::uint8_t>& is_label() const { return is_label_; }  // by number
    const std::string& kept_back() const { return tail_; }
    std::int64_t total() const { return total_; }

private:
    void take(std::string_view token, std::uint32_t hash, std::vector<std::int32_t>& numbers);
    Entry& entry_of(std::string_view token, std::uint32_t hash);
    void forget();

    std::string prefix_;
    std::size_t most_;
    std::size_t longest_;
    std::int64_t least_ = 1;
    std::int64_t total_ = 0;
    std::string tail_;
    std::string bytes_;  // of all entries
    std::vector<Entry> entries_;
    Table table_;  // of places in entries_
    std::vector<std::uint32_t> hashes_;
    std::vector<std::uint8_t> is_label_;
};

}  // namespace sagedock::text
