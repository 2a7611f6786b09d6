#include "questions.hpp"

#include <cstring>

#include "repr.hpp"

namespace sagedock::text {

namespace {

constexpr std::size_t most_digits = 9;  // of k

bool is_blank(char byte) { return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t'; }

// Hexadecimal digits of an escape; -1 when they are none.
std::int32_t four_digits(std::string_view text) {
    if (text.size() < 4) return -1;
    std::int32_t value = 0;
    for (const char digit : text.substr(0, 4)) {
        const int found = digit >= '0' && digit <= '9' ? digit - '0' : (digit | 32) >= 'a' && (digit | 32) <= 'f' ? (digit | 32) - 'a' + 10 : -1;
        if (found < 0) return -1;
        value = 16 * value + found;
    }
    return value;
}

void append_character(std::string& bytes, std::int32_t point) {
    const auto append = [&](std::int32_t byte) { bytes.push_back(static_cast<char>(byte)); };
    if (point < 0x80) return append(point);
    if (point < 0x800) append(0xC0 | point >> 6);
    else if (point < 0x10000) append(0xE0 | point >> 12), append(0x80 | (point >> 6 & 0x3F));
    else append(0xF0 | point >> 18), append(0x80 | (point >> 12 & 0x3F)), append(0x80 | (point >> 6 & 0x3F));
    append(0x80 | (point & 0x3F));
}

}  // namespace

// JSON read from left to right; every member is false, or 0, once something is not as expected.
class Reader {
public:
    Reader(std::string_view text, Questions& found) : text_(text), found_(found) {}

    bool is_at_end() {
        skip();
        return at_ == text_.size();
    }

    bool take(char wanted) {
        skip();
        if (at_ == text_.size() || text_[at_] != wanted) return false;
        ++at_;
        return true;
    }

    // A name without escapes and the colon behind it; empty for anything else.
    std::string_view name() {
        if (!take('"')) return {};
        const std::size_t end = text_.find_first_of("\"\\", at_);
        if (end == std::string_view::npos || text_[end] == '\\') return {};
        const std::string_view name = text_.substr(at_, end - at_);
        at_ = end + 1;
        return take(':') ? name : std::string_view();
    }

    // The members of an object: member(name) reads the value of each.
    template <class Member>
    bool object(Member member) {
        if (!take('{')) return false;
        if (take('}')) return true;
        do {
            if (!member(name())) return false;
        } while (take(','));
        return take('}');
    }

    // A positive whole number without a sign, point or exponent.
    std::int32_t number() {
        skip();
        const std::size_t begin = at_;
        std::int32_t value = 0;
        for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9' && at_ - begin < most_digits; ++at_) value = 10 * value + (text_[at_] - '0');
        const bool ended = at_ < text_.size() && (is_blank(text_[at_]) || text_[at_] == ',' || text_[at_] == '}');
        return ended && text_[begin] != '0' ? value : 0;
    }

    // A string, which becomes the next text.
    bool string() {
        if (!take('"')) return false;
        while (at_ < text_.size()) {
            const std::size_t begin = at_;
            bool plain = true;
            for (; at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\\'; ++at_) {
                const auto byte = static_cast<unsigned char>(text_[at_]);
                if (byte < ' ') return false;
                plain = plain && byte < 0x80;
            }
            const std::string_view piece = text_.substr(begin, at_ - begin);
            if (!plain && !is_utf8(piece)) return false;
            found_.bytes_.append(piece);
            if (at_ == text_.size()) return false;
            if (text_[at_++] == '"') {
                found_.finish_text();
                return true;
            }
            if (!escape()) return false;
        }
        return false;
    }

private:
    void skip() {
        while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
    }

    // What follows a backslash.
    bool escape() {
        if (at_ == text_.size()) return false;
        const char kind = text_[at_++];
        if (kind == 'u') return unicode();
        static constexpr char kinds[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
        const char* const found = static_cast<const char*>(std::memchr(kinds, kind, sizeof kinds - 1));
        if (found == nullptr) return false;
        found_.bytes_.push_back(meanings[found - kinds]);
        return true;
    }

    bool unicode() {
        std::int32_t point = four_digits(text_.substr(at_));
        at_ += 4;
        if (point < 0 || (point >= 0xDC00 && point < 0xE000)) return false;
        if (point >= 0xD800 && point < 0xDC00) {
            if (text_.substr(at_, 2) != "\\u") return false;
            const std::int32_t low = four_digits(text_.substr(at_ + 2));
            at_ += 6;
            if (low < 0xDC00 || low >= 0xE000) return false;
            point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
        }
        append_character(found_.bytes_, point);
        return true;
    }

    std::string_view text_;
    Questions& found_;
    std::size_t at_ = 0;
};

void Questions::clear() {
    bytes_.clear();
    begins_.assign(1, 0);
    wanted_.clear();
}

void Questions::finish_text() {
    begins_.push_back(bytes_.size());
    wanted_.push_back(1);
}

bool Questions::read_document(std::string_view body) {
    clear();
    Reader reader(body, *this);
    bool configured = false;
    std::int32_t k = 1;
    const auto configuration = [&](std::string_view name) {
        if (name != "k" || k != 1) return false;
        k = reader.number();
        return k > 0;
    };
    const bool plain = reader.object([&](std::string_view name) {
        if (name == "configuration" && !configured) {
            configured = true;
            return reader.object(configuration);
        }
        if (name != "instances" || count() > 0 || !reader.take('[')) return false;
        do {
            if (!reader.string()) return false;
        } while (reader.take(','));
        return reader.take(']');
    });
    wanted_.assign(wanted_.size(), k);
    return plain && reader.is_at_end() && count() > 0;
}

bool Questions::read_lines(std::string_view body) {
    clear();
    while (!body.empty()) {
        const std::size_t end = body.find('\n');
        Reader reader(body.substr(0, end), *this);
        body = end == std::string_view::npos ? std::string_view() : body.substr(end + 1);
        const std::size_t before = count();
        std::int32_t k = 1;
        bool counted = false;
        const bool plain = reader.object([&](std::string_view name) {
            if (name == "source" && count() == before) return reader.string();
            if (name != "k" || counted) return false;
            counted = true;
            k = reader.number();
            return k > 0;
        });
        if (!plain || !reader.is_at_end() || count() != before + 1) return false;
        wanted_.back() = k;
    }
    return count() > 0;
}

bool is_utf8(std::string_view text) {
    const auto byte = [&](std::size_t at) { return at < text.size() ? static_cast<unsigned char>(text[at]) : 0u; };
    for (std::size_t at = 0; at < text.size();) {
        const unsigned first = byte(at);
        if (first < 0x80) {
            ++at;
            continue;
        }
        const std::size_t more = first < 0xC2 ? 0 : first < 0xE0 ? 1 : first < 0xF0 ? 2 : first < 0xF5 ? 3 : 0;
        const unsigned least = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80, most = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
        if (more == 0 || byte(at + 1) < least || byte(at + 1) > most) return false;
        for (std::size_t next = 2; next <= more; ++next)
            if ((byte(at + next) & 0xC0) != 0x80) return false;
        at += more + 1;
    }
    return true;
}

// repr turns to an exponent of two digits below 1e-4, orjson to one without zeros below 1e-5
char* write_json(char* out, double value) {
    char* const end = write_repr(out, value);
    char* const exponent = static_cast<char*>(std::memchr(out, 'e', static_cast<std::size_t>(end - out)));
    if (exponent == nullptr) return end;
    if (std::string_view(exponent, static_cast<std::size_t>(end - exponent)) == "e-05") {
        char digits[32];
        std::size_t count = 0;
        for (const char* from = out; from != exponent; ++from)
            if (*from != '.') digits[count++] = *from;
        std::memcpy(out, "0.0000", 6);
        std::memcpy(out + 6, digits, count);
        return out + 6 + count;
    }
    if (exponent[2] != '0') return end;
    std::memmove(exponent + 2, exponent + 3, static_cast<std::size_t>(end - exponent - 3));
    return end - 1;
}

}  // namespace sagedock::text
