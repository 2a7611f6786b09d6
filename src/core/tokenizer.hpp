// Text rewritten for training and serving alike: letters lower, tokens apart. The rules are tokenizer.py's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace sagedock {

class Tokenizer {
public:
    // What a code point does: it ends a token, belongs to the token it stands in, or is one by itself.
    enum Kind : std::uint32_t { separator = 0, inner = 1, alone = 2 };

    // table[c] is 2^24 times the kind of code point c, plus the code point that is written for it; those beyond the
    // table are alone and stay as they are. Without `split` only the code points are used.
    Tokenizer(std::vector<std::uint32_t> table, bool split) : table_(std::move(table)), split_(split) {}

    // Whether a table can be used: kinds and code points exist, and what is written fits into `most`.
    static bool usable(const std::vector<std::uint32_t>& table);

    // The most bytes that `rewrite` makes of so many.
    static std::size_t most(std::size_t bytes) { return 2 * bytes + 1; }

    // Write what `text` becomes to `out`, which has room for most(text.size()); returns where it ends. Lines stay lines,
    // and what begins with __label__ stays as it is. Bytes that are no UTF-8 belong to a token.
    char* rewrite(std::string_view text, char* out) const;

private:
    std::vector<std::uint32_t> table_;
    bool split_;
};

}  // namespace sagedock
