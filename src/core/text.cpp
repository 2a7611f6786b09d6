#include "text.hpp"

namespace sagedock::text {

namespace {

constexpr std::size_t least_slots = 16;

bool continues(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

}  // namespace

std::uint32_t hash_of(std::string_view token, std::uint32_t state) {
    for (const char byte : token) state = hashed(state, byte);
    return state;
}

Table::Table(std::size_t tokens) {
    std::size_t slots = least_slots;
    while (slots < 2 * tokens) slots *= 2;
    slots_.assign(slots, {0, -1});
    mask_ = slots - 1;
}

void Table::add(std::uint32_t hash, std::int32_t number) {
    if (2 * (used_ + 1) > slots_.size()) {
        std::vector<Slot> old(2 * slots_.size(), Slot{0, -1});
        old.swap(slots_);
        mask_ = slots_.size() - 1;
        for (const Slot& slot : old)
            if (slot.number >= 0) place(slot.hash, slot.number);
    }
    place(hash, number);
    ++used_;
}

void Table::place(std::uint32_t hash, std::int32_t number) {
    std::size_t at = hash & mask_;
    while (slots_[at].number >= 0) at = (at + 1) & mask_;
    slots_[at] = {hash, number};
}

void Table::renumber(std::uint32_t hash, std::int32_t before, std::int32_t after) {
    std::size_t at = hash & mask_;
    while (slots_[at].number != before) at = (at + 1) & mask_;
    slots_[at].number = after;
}

Dictionary::Dictionary(std::string tokens, const std::vector<std::uint32_t>& lengths, std::size_t words,
                       const Ngrams& ngrams, std::string label_prefix, bool pruned,
                       const std::vector<std::pair<std::int32_t, std::int32_t>>& kept)
    : tokens_(std::move(tokens)),
      words_(words),
      ngrams_(ngrams),
      prefix_(std::move(label_prefix)),
      pruned_(pruned),
      places_(kept.begin(), kept.end()),
      table_(lengths.size()) {
    begins_.reserve(lengths.size() + 1);
    begins_.push_back(0);
    for (const std::uint32_t length : lengths) begins_.push_back(begins_.back() + length);
    for (std::size_t place = 0; place < lengths.size(); ++place) {
        const auto number = static_cast<std::int32_t>(place);
        const std::uint32_t hash = hash_of(token(number));
        const std::int32_t before = find(token(number), hash);
        if (before < 0) table_.add(hash, number);
        else table_.renumber(hash, before, number);
    }
}

std::int32_t Dictionary::find(std::string_view wanted, std::uint32_t hash) const {
    return table_.find(hash, [&](std::int32_t number) { return token(number) == wanted; });
}

void Dictionary::add_subwords(std::string_view word, std::vector<std::int32_t>& rows) const {
    add_rows(word, find(word, hash_of(word)), rows);
}

void Dictionary::add_rows(std::string_view word, std::int32_t number, std::vector<std::int32_t>& rows) const {
    if (number >= 0 && static_cast<std::size_t>(number) < words_) rows.push_back(number);
    if (ngrams_.max_char > 0 && word != end_of_line) add_characters(word, rows);
}

void Dictionary::add_characters(std::string_view word, std::vector<std::int32_t>& rows) const {
    const std::size_t size = word.size() + 2;
    const auto byte = [&](std::size_t place) { return place == 0 ? '<' : place == size - 1 ? '>' : word[place - 1]; };
    for (std::size_t first = 0; first < size; ++first) {
        if (continues(byte(first))) continue;
        std::uint32_t state = hash_basis;
        std::size_t next = first;
        for (std::int32_t length = 1; next < size && length <= ngrams_.max_char; ++length) {
            do state = hashed(state, byte(next++));
            while (next < size && continues(byte(next)));
            const bool lone_mark = length == 1 && (first == 0 || next == size);
            if (length >= ngrams_.min_char && !lone_mark) add_bucket(static_cast<std::int32_t>(state % ngrams_.buckets), rows);
        }
    }
}

void Dictionary::add_bucket(std::int32_t bucket, std::vector<std::int32_t>& rows) const {
    if (!pruned_) {
        rows.push_back(static_cast<std::int32_t>(words_) + bucket);
        return;
    }
    const auto found = places_.find(bucket);
    if (found != places_.end()) rows.push_back(static_cast<std::int32_t>(words_) + found->second);
}

// One token of a line; false when it ends the line.
bool Dictionary::take(std::string_view token, std::uint32_t hash, Line& line) const {
    const std::int32_t number = find(token, hash);
    const bool is_word = number < 0 ? token.substr(0, prefix_.size()) != prefix_ : static_cast<std::size_t>(number) < words_;
    if (is_word) {
        add_rows(token, number, line.rows);
        line.hashes.push_back(hash);
    }
    return token != end_of_line;
}

void Dictionary::read(std::string_view text, Line& line) const {
    line.rows.clear();
    line.hashes.clear();
    const std::size_t size = text.size();
    bool open = true;
    for (std::size_t at = 0; at < size && open;) {
        if (separates(text[at])) {
            ++at;
            continue;
        }
        const std::size_t begin = at;
        std::uint32_t hash = hash_basis;
        for (; at < size && !separates(text[at]); ++at) hash = hashed(hash, text[at]);
        open = take(text.substr(begin, at - begin), hash, line);
    }
    if (open) take(end_of_line, hash_of(end_of_line), line);
    word_ngrams(line.hashes.data(), line.hashes.size(), ngrams_, [&](std::int32_t bucket) { add_bucket(bucket, line.rows); });
}

}  // namespace sagedock::text
