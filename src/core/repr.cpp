#include "repr.hpp"

#include <charconv>
#include <cmath>
#include <cstring>

namespace sagedock {

namespace {

// repr turns to an exponent below 1e-4 and from 1e16 on
constexpr int least_plain = -4, most_plain = 16;

char* write_text(char* out, const char* text) {
    const std::size_t length = std::strlen(text);
    std::memcpy(out, text, length);
    return out + length;
}

// The digits and the power of ten of the first, from d.ddde+xx, where std::to_chars has written that.
struct Shortest {
    char digits[20];
    int count = 0;
    int power = 0;

    explicit Shortest(double value) {
        char text[32];
        const char* end = std::to_chars(text, text + sizeof text, value, std::chars_format::scientific).ptr;
        const char* from = text;
        for (; *from != 'e'; ++from)
            if (*from != '.') digits[count++] = *from;
        std::from_chars(from + (from[1] == '+' ? 2 : 1), end, power);
    }
};

char* write_digits(char* out, const char* digits, int count) {
    std::memcpy(out, digits, static_cast<std::size_t>(count));
    return out + count;
}

char* write_zeros(char* out, int count) {
    std::memset(out, '0', static_cast<std::size_t>(count));
    return out + count;
}

char* write_plain(char* out, const Shortest& shortest) {
    const int whole = shortest.power + 1;  // digits before the point
    if (whole <= 0) {
        out = write_zeros(write_text(out, "0."), -whole);
        return write_digits(out, shortest.digits, shortest.count);
    }
    if (shortest.count <= whole) {
        out = write_digits(out, shortest.digits, shortest.count);
        return write_text(write_zeros(out, whole - shortest.count), ".0");
    }
    out = write_digits(out, shortest.digits, whole);
    *out++ = '.';
    return write_digits(out, shortest.digits + whole, shortest.count - whole);
}

char* write_scientific(char* out, const Shortest& shortest) {
    *out++ = shortest.digits[0];
    if (shortest.count > 1) {
        *out++ = '.';
        out = write_digits(out, shortest.digits + 1, shortest.count - 1);
    }
    *out++ = 'e';
    *out++ = shortest.power < 0 ? '-' : '+';
    const int size = std::abs(shortest.power);
    if (size < 10) *out++ = '0';
    return std::to_chars(out, out + 3, size).ptr;
}

}  // namespace

// std::to_chars writes as repr does but for whole numbers, which lack their ".0", and for an exponent where it is shorter.
char* write_repr(char* out, double value) {
    if (std::isnan(value)) return write_text(out, "nan");
    if (std::signbit(value)) *out++ = '-';
    value = std::fabs(value);
    if (std::isinf(value)) return write_text(out, "inf");
    if (value == 0) return write_text(out, "0.0");
    if (value >= 1e-4 && value < 1e16) {
        char* end = std::to_chars(out, out + longest_repr, value).ptr;
        if (end - out < 5 || end[-4] != 'e') return value == std::trunc(value) ? write_text(end, ".0") : end;
    }
    const Shortest shortest(value);
    const bool plain = shortest.power >= least_plain && shortest.power < most_plain;
    return plain ? write_plain(out, shortest) : write_scientific(out, shortest);
}

char* write_rows(char* out, const float* values, std::size_t rows, std::size_t columns) {
    for (std::size_t row = 0; row < rows; ++row) {
        for (std::size_t column = 0; column < columns; ++column) {
            out = write_repr(out, static_cast<double>(*values++));
            *out++ = column + 1 < columns ? ',' : '\n';
        }
    }
    return out;
}

}  // namespace sagedock
