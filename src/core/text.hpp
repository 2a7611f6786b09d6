// Tokens, hashes and n-grams with fastText's numbers, and the dictionary of a model (ngrams.py and dictionary.py say
// what they are).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace sagedock::text {

constexpr std::string_view end_of_line = "</s>";
constexpr std::uint32_t hash_basis = 2166136261u;

// FNV-1a, one byte more: those from 128 on extended with their sign.
inline std::uint32_t hashed(std::uint32_t state, char byte) {
    return (state ^ static_cast<std::uint32_t>(static_cast<std::int8_t>(byte))) * 16777619u;
}

std::uint32_t hash_of(std::string_view token, std::uint32_t state = hash_basis);

// Whether a byte stands between tokens.
inline bool separates(char byte) {
    const auto code = static_cast<unsigned char>(byte);
    return code <= ' ' && (code == ' ' || code == 0 || (code >= '\t' && code <= '\r'));
}

// Which n-grams there are, as ngrams.py has it.
struct Ngrams {
    std::uint32_t buckets;
    std::int32_t min_char, max_char, word_ngrams;
};

// The buckets of the n-grams of words: add(bucket) for each, in fastText's order.
template <class Add>
void word_ngrams(const std::uint32_t* hashes, std::size_t count, const Ngrams& ngrams, Add add) {
    const auto wide = [&](std::size_t place) { return static_cast<std::uint64_t>(static_cast<std::int64_t>(static_cast<std::int32_t>(hashes[place]))); };
    for (std::size_t first = 0; first < count; ++first) {
        std::uint64_t state = wide(first);
        for (std::size_t next = first + 1; next < count && next < first + static_cast<std::size_t>(ngrams.word_ngrams); ++next) {
            state = state * 116049371u + wide(next);
            add(static_cast<std::int32_t>(state % ngrams.buckets));
        }
    }
}

// A table of tokens by their hash: find() gives the number that add() was given last for the same token.
class Table {
public:
    explicit Table(std::size_t tokens = 0);

    // The number of a token, -1 for none. `same(number)` says whether that number's token is the one.
    template <class Same>
    std::int32_t find(std::uint32_t hash, Same same) const {
        for (std::size_t at = hash & mask_;; at = (at + 1) & mask_) {
            const Slot& slot = slots_[at];
            if (slot.number < 0) return -1;
            if (slot.hash == hash && same(slot.number)) return slot.number;
        }
    }

    // A token that is not in the table yet.
    void add(std::uint32_t hash, std::int32_t number);

    // The token that find() gives as `before` has another number from now on.
    void renumber(std::uint32_t hash, std::int32_t before, std::int32_t after);

    std::size_t bytes() const { return slots_.size() * sizeof(Slot); }

private:
    struct Slot {
        std::uint32_t hash;
        std::int32_t number;
    };

    void place(std::uint32_t hash, std::int32_t number);

    std::vector<Slot> slots_;
    std::size_t mask_;
    std::size_t used_ = 0;
};

// Words and labels of a model, and the rows of a text.
class Dictionary {
public:
    // What a line is read with: reused, it allocates nothing.
    struct Line {
        std::vector<std::int32_t> rows;
        std::vector<std::uint32_t> hashes;
    };

    // `tokens` are the words and then the labels, one after the other without anything between; `lengths` says how long
    // each is, and they add up to its size. `kept` are the pairs of a pruned model, of bucket and place.
    Dictionary(std::string tokens, const std::vector<std::uint32_t>& lengths, std::size_t words, const Ngrams& ngrams,
               std::string label_prefix, bool pruned, const std::vector<std::pair<std::int32_t, std::int32_t>>& kept);

    // The id of a word, words() + i for label i, -1 for neither.
    std::int32_t find(std::string_view token, std::uint32_t hash) const;

    // The rows of a word are appended: its own, and those of its character n-grams.
    void add_subwords(std::string_view word, std::vector<std::int32_t>& rows) const;

    // line.rows becomes the rows of a line; line feeds within count as spaces.
    void read(std::string_view text, Line& line) const;

    std::size_t words() const { return words_; }
    std::size_t labels() const { return begins_.size() - 1 - words_; }
    std::size_t rows() const { return words_ + (pruned_ ? places_.size() : ngrams_.buckets); }
    std::size_t bytes() const { return tokens_.capacity() + begins_.capacity() * sizeof(std::uint64_t) + table_.bytes() + 32 * places_.size(); }

private:
    std::string_view token(std::int32_t number) const {
        const auto place = static_cast<std::size_t>(number);
        return {tokens_.data() + begins_[place], begins_[place + 1] - begins_[place]};
    }
    bool take(std::string_view token, std::uint32_t hash, Line& line) const;
    void add_rows(std::string_view word, std::int32_t number, std::vector<std::int32_t>& rows) const;
    void add_characters(std::string_view word, std::vector<std::int32_t>& rows) const;
    void add_bucket(std::int32_t bucket, std::vector<std::int32_t>& rows) const;

    std::string tokens_;
    std::vector<std::uint64_t> begins_;
    std::size_t words_;
    Ngrams ngrams_;
    std::string prefix_;
    bool pruned_;
    std::unordered_map<std::int32_t, std::int32_t> places_;
    Table table_;
};

}  // namespace sagedock::text
