#include "vocabulary.hpp"

#include <algorithm>

namespace sagedock::text {

Vocabulary::Vocabulary(std::string label_prefix, std::size_t most_tokens, std::size_t longest_token)
    : prefix_(std::move(label_prefix)), most_(most_tokens), longest_(longest_token), hashes_{hash_of(end_of_line)}, is_label_{0} {}

bool Vocabulary::feed(std::string_view block, std::vector<std::int32_t>& numbers) {
    const std::size_t size = block.size();
    std::size_t at = 0;
    if (!tail_.empty()) {
        while (at < size && !separates(block[at])) ++at;
        tail_.append(block.data(), at);
        if (tail_.size() > longest_) return false;
        if (at == size) return true;
        take(tail_, hash_of(tail_), numbers);
        tail_.clear();
    }
    while (at < size) {
        if (separates(block[at])) {
            if (block[at++] == '\n') take(end_of_line, hashes_[end], numbers);
            continue;
        }
        const std::size_t begin = at;
        std::uint32_t hash = hash_basis;
        for (; at < size && !separates(block[at]); ++at) hash = hashed(hash, block[at]);
        if (at == size) tail_.assign(block.data() + begin, size - begin);
        else take(block.substr(begin, at - begin), hash, numbers);
    }
    return tail_.size() <= longest_;
}

void Vocabulary::finish(std::vector<std::int32_t>& numbers) {
    if (!tail_.empty()) take(tail_, hash_of(tail_), numbers);
    tail_.clear();
    numbers.push_back(cut);
}

std::vector<Vocabulary::Entry> Vocabulary::in_order() const {
    std::vector<Entry> sorted = entries_;
    // where counts are equal fastText's order is what std::sort makes of it
    std::sort(sorted.begin(), sorted.end(), [](const Entry& one, const Entry& other) {
        return one.is_label != other.is_label ? one.is_label < other.is_label : one.count > other.count;
    });
    return sorted;
}

void Vocabulary::take(std::string_view token, std::uint32_t hash, std::vector<std::int32_t>& numbers) {
    ++total_;
    Entry& entry = entry_of(token, hash);
    ++entry.count;
    numbers.push_back(entry.number);
    if (entries_.size() > most_) forget();
}

Vocabulary::Entry& Vocabulary::entry_of(std::string_view token, std::uint32_t hash) {
    const std::int32_t found = table_.find(hash, [&](std::int32_t place) { return this->token(entries_[static_cast<std::size_t>(place)]) == token; });
    if (found >= 0) return entries_[static_cast<std::size_t>(found)];
    const bool is_end = token == end_of_line;
    const bool is_label = token.substr(0, prefix_.size()) == prefix_;
    const auto number = is_end ? end : static_cast<std::int32_t>(hashes_.size());
    if (!is_end) {
        hashes_.push_back(hash);
        is_label_.push_back(is_label);
    }
    table_.add(hash, static_cast<std::int32_t>(entries_.size()));
    entries_.push_back({bytes_.size(), static_cast<std::uint32_t>(token.size()), hash, 0, number, is_label});
    bytes_.append(token);
    return entries_.back();
}

void Vocabulary::forget() {
    ++least_;
    std::vector<Entry> kept = in_order();
    kept.erase(std::remove_if(kept.begin(), kept.end(), [&](const Entry& entry) { return entry.count < least_; }), kept.end());
    std::string bytes;
    Table table(kept.size());
    for (std::size_t place = 0; place < kept.size(); ++place) {
        const std::string_view text = token(kept[place]);
        kept[place].begin = bytes.size();
        bytes.append(text);
        table.add(kept[place].hash, static_cast<std::int32_t>(place));
    }
    bytes_ = std::move(bytes);
    entries_ = std::move(kept);
    table_ = std::move(table);
}

}  // namespace sagedock::text
