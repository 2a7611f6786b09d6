// What is left of a JSON text, read from left to right (RFC 8259). Every member is false once something is not as expected.
#pragma once

#include <cstddef>
#include <string_view>

#include "number.hpp"

namespace sagedock {

class Json {
public:
    explicit Json(std::string_view text) : at_(text.data()), end_(at_ + text.size()) {}

    // Pass blanks and then `expected`.
    bool pass(char expected) {
        skip();
        if (at_ == end_ || *at_ != expected) return false;
        ++at_;
        return true;
    }

    bool pass(std::string_view expected) {
        skip();
        if (std::string_view(at_, static_cast<std::size_t>(end_ - at_)).substr(0, expected.size()) != expected) return false;
        at_ += expected.size();
        return true;
    }

    bool at_end() {
        skip();
        return at_ == end_;
    }

    // Read a whole number of up to `most_digits` digits, without a sign, point or exponent.
    bool read_whole(std::size_t most_digits, std::size_t& value) {
        skip();
        const char* const stop = pass_digits(at_);
        const auto digits = static_cast<std::size_t>(stop - at_);
        if (digits == 0 || digits > most_digits || (*at_ == '0' && digits > 1)) return false;
        value = 0;
        for (; at_ != stop; ++at_) value = 10 * value + static_cast<std::size_t>(*at_ - '0');
        return at_ == end_ || (*at_ != '.' && (*at_ | 0x20) != 'e');
    }

    // The next byte but for blanks, which stays; 0 at the end.
    char peek() {
        skip();
        return at_ == end_ ? '\0' : *at_;
    }

    // Read a number that fits a 32-bit float: at once where it is one digit, or one and a zero behind the point.
    bool read(float& value) {
        skip();
        if (end_ - at_ >= 4 && is_digit(*at_)) {
            const bool pointed = at_[1] == '.' && at_[2] == '0';
            const char* const stop = at_ + (pointed ? 3 : 1);
            if (*stop == ',' || *stop == ']') {
                value = static_cast<float>(*at_ - '0');
                at_ = stop;
                return true;
            }
        }
        const char* const stop = number_end();
        if (stop == nullptr) return false;
        const char* const begin = at_;
        at_ = stop;
        return read_number(begin, stop, value) == stop;
    }

private:
    static bool is_digit(char byte) { return byte >= '0' && byte <= '9'; }

    void skip() {
        while (at_ != end_ && (*at_ == ' ' || *at_ == '\t' || *at_ == '\r' || *at_ == '\n')) ++at_;
    }

    const char* pass_digits(const char* from) const {
        while (from != end_ && is_digit(*from)) ++from;
        return from;
    }

    // The end of the number that begins here (RFC 8259 section 6), nullptr when none does.
    const char* number_end() const {
        const char* from = at_;
        if (from != end_ && *from == '-') ++from;
        const char* stop = pass_digits(from);
        if (stop == from || (*from == '0' && stop - from > 1)) return nullptr;
        if (stop != end_ && *stop == '.') {
            from = stop + 1;
            stop = pass_digits(from);
            if (stop == from) return nullptr;
        }
        if (stop == end_ || (*stop | 0x20) != 'e') return stop;
        from = stop + 1;
        if (from != end_ && (*from == '+' || *from == '-')) ++from;
        stop = pass_digits(from);
        return stop == from ? nullptr : stop;
    }

    const char* at_;
    const char* end_;
};

}  // namespace sagedock
