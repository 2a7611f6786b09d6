#include "tokenizer.hpp"

#include <cstring>

namespace sagedock {

namespace {

constexpr std::string_view label = "__label__";
constexpr std::uint32_t code_mask = 0xFFFFFF;

bool is_blank(char byte) { return byte == ' ' || (byte >= '\t' && byte <= '\r') || byte == '\0'; }

// A character, or a byte that is none.
struct Character {
    std::uint32_t code;
    std::size_t length;
    bool whole;
};

// The character that begins at `at`, of which `left` bytes are there.
Character character(const unsigned char* at, std::size_t left) {
    const unsigned char first = at[0];
    if (first < 0x80) return {first, 1, true};
    const std::size_t length = first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
    if (length == 0 || length > left) return {first, 1, false};
    const unsigned char low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;   // no longer form than needed
    const unsigned char high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;  // no surrogate, nothing above Unicode
    if (at[1] < low || at[1] > high) return {first, 1, false};
    std::uint32_t code = first & (0xFF >> (length + 1));
    for (std::size_t place = 1; place < length; ++place) {
        if ((at[place] & 0xC0) != 0x80) return {first, 1, false};
        code = code << 6 | (at[place] & 0x3F);
    }
    return {code, length, true};
}

std::size_t bytes_of(std::uint32_t code) { return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4; }

char* write(std::uint32_t code, char* out) {
    if (code < 0x80) {
        *out++ = static_cast<char>(code);
        return out;
    }
    const std::size_t more = bytes_of(code) - 1;
    *out++ = static_cast<char>((0xFF00 >> (more + 1) & 0xFF) | code >> 6 * more);
    for (std::size_t place = more; place-- > 0;) *out++ = static_cast<char>(0x80 | (code >> 6 * place & 0x3F));
    return out;
}

bool is_label(const char* at, std::size_t left) {
    return *at == label[0] && left >= label.size() && std::memcmp(at, label.data(), label.size()) == 0;
}

}  // namespace

bool Tokenizer::usable(const std::vector<std::uint32_t>& table) {
    for (std::uint32_t code = 0; code < table.size(); ++code) {
        const std::uint32_t written = table[code] & code_mask;
        if (table[code] >> 24 > alone || written > 0x10FFFF || bytes_of(written) + 1 > 2 * bytes_of(code)) return false;
    }
    return true;
}

char* Tokenizer::rewrite(std::string_view text, char* out) const {
    const char* at = text.data();
    const char* const end = at + text.size();
    bool fresh = true;     // nothing but a blank, or nothing at all, stands before
    bool begun = false;    // the line has a token
    bool running = false;  // the last token may go on
    while (at < end) {
        const auto left = static_cast<std::size_t>(end - at);
        if (*at == '\n') {
            *out++ = *at++;
            fresh = true, begun = running = false;
            continue;
        }
        if (fresh && is_label(at, left)) {
            if (begun && split_) *out++ = ' ';
            while (at < end && !is_blank(*at)) *out++ = *at++;
            fresh = false, begun = true, running = false;
            continue;
        }
        fresh = is_blank(*at);
        const Character next = character(reinterpret_cast<const unsigned char*>(at), left);
        const std::uint32_t entry = !next.whole                   ? std::uint32_t{inner} << 24
                                    : next.code < table_.size() ? table_[next.code]
                                                                : (std::uint32_t{alone} << 24 | next.code);
        if (split_) {
            const std::uint32_t kind = entry >> 24;
            const bool goes_on = running && kind == inner;
            running = kind == inner;
            if (kind == separator) {
                at += next.length;
                continue;
            }
            if (begun && !goes_on) *out++ = ' ';
            begun = true;
        }
        if (next.whole) out = write(entry & code_mask, out);
        else *out++ = *at;
        at += next.length;
    }
    return out;
}

}  // namespace sagedock
