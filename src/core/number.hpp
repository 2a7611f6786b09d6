// Decimal text as a 32-bit float: the nearest double, rounded to a float (docs/decisions/0005).
//
//     [+-]? ([0-9]+ "."? [0-9]* | "." [0-9]+) ([eE] [+-]? [0-9]+)?
//
// The fast way takes at most 19 significant digits w and the exponent q of ten. w * 10^q is one multiplication of 64 by
// 64 bits, off by less than 2^8 units of its upper 64 bits. That tells the float unless the product lies next to the
// middle between two floats; then, and for more digits and for sizes at the ends of the range, `exact` decides.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "digits are read as little-endian words");

namespace sagedock {

__extension__ using Wide = unsigned __int128;

// The float of the unsigned number that `text` is known to hold; false when it does not fit a finite 32-bit float.
bool exact(const char* text, const char* end, float& value);

namespace decimal {

constexpr int least_power = -64, greatest_power = 40;
constexpr int most_digits = 19;  // of which every number fits into 64 bits

// 10^q is about significand * 2^exponent, the highest bit of the significand set.
struct Power {
    std::uint64_t significand;
    int exponent;
};

constexpr std::array<Power, greatest_power - least_power + 1> make_powers() {
    std::array<Power, greatest_power - least_power + 1> powers{};
    powers[-least_power] = {std::uint64_t{1} << 63, -63};
    // each step loses less than one unit, and carries on what was lost before: under 2^7 units after 64 steps
    for (int q = 0; q < greatest_power; ++q) {
        const Power& from = powers[q - least_power];
        Wide next = Wide{from.significand} * 10;  // below 2^68, at least 2^66
        int shift = next >> 67 ? 4 : 3;
        powers[q + 1 - least_power] = {static_cast<std::uint64_t>(next >> shift), from.exponent + shift};
    }
    for (int q = 0; q > least_power; --q) {
        const Power& from = powers[q - least_power];
        Wide next = (Wide{from.significand} << 64) / 10;
        int shift = next >> 124 ? 61 : 60;  // between 2^123 and 2^125
        powers[q - 1 - least_power] = {static_cast<std::uint64_t>(next >> shift), from.exponent + shift - 64};
    }
    return powers;
}

inline constexpr auto powers = make_powers();
inline constexpr std::array<std::uint64_t, 9> small_powers{1,      10,      100,      1000,     10000,
                                                           100000, 1000000, 10000000, 100000000};

// Up to eight digits at the beginning of a text.
struct Digits {
    std::uint64_t value;
    int count;
};

inline std::uint64_t load(const char* text, const char* end) {
    std::uint64_t word = 0;
    if (end - text >= 8) std::memcpy(&word, text, 8);
    else std::memcpy(&word, text, static_cast<std::size_t>(end - text));
    return word;
}

inline Digits read_digits(const char* text, const char* end) {
    std::uint64_t word = load(text, end) ^ 0x3030303030303030;
    // the highest bit of each byte: no digit. A carry runs upwards only, behind the first that is none.
    const std::uint64_t others = ((word + 0x7676767676767676) | word) & 0x8080808080808080;
    const int count = others ? __builtin_ctzll(others) >> 3 : 8;
    if (count == 0) return {0, 0};
    word <<= 64 - 8 * count;  // the last digit on top, zeros before the first
    word = word * 10 + (word >> 8);
    const std::uint64_t mask = 0x000000FF000000FF;
    const std::uint64_t upper = (word & mask) * 0x000F424000000064;
    const std::uint64_t lower = ((word >> 16) & mask) * 0x0000271000000001;
    return {(upper + lower) >> 32, count};
}

// Append the digits at `text` to `value` (which wraps around behind 19 of them) and return where they end.
inline const char* append_digits(const char* text, const char* end, std::uint64_t& value) {
    for (;;) {
        const Digits digits = read_digits(text, end);
        value = value * small_powers[digits.count] + digits.value;
        text += digits.count;
        if (digits.count < 8) return text;
    }
}

// The float of w * 10^q, w not being zero; false when `exact` has to decide.
inline bool nearest(std::uint64_t w, long q, float& value) {
    if (q < least_power || q > greatest_power) return false;
    const Power& power = powers[q - least_power];
    const int zeros = __builtin_clzll(w);
    Wide product = Wide{w << zeros} * power.significand;
    const int high = static_cast<int>(product >> 127);
    const auto bits = static_cast<std::uint64_t>(product >> (63 + high));  // the highest bit is set
    const int exponent = power.exponent - zeros + 126 + high;              // of that bit
    const std::uint64_t below = bits & ((std::uint64_t{1} << 40) - 1), middle = std::uint64_t{1} << 39;
    // within 2^11 units of the middle the nearest double may be the middle itself
    if (below - (middle - 4096) <= 8192 || exponent < -126 || exponent > 126) return false;
    const auto word = static_cast<std::uint32_t>(bits >> 40) + (below > middle) +
                      (static_cast<std::uint32_t>(exponent + 126) << 23);
    std::memcpy(&value, &word, sizeof value);
    return true;
}

// Past the exponent at `text`, if there is one, which is added to `q`; nullptr when it has no digits.
inline const char* read_exponent(const char* text, const char* end, long& q) {
    if (text == end || (*text | 0x20) != 'e') return text;
    ++text;
    const bool negative = text != end && *text == '-';
    if (text != end && (*text == '-' || *text == '+')) ++text;
    const char* begin = text;
    long found = 0;
    for (; text != end && static_cast<unsigned char>(*text - '0') < 10; ++text)
        if (found < 1'000'000'000'000) found = found * 10 + (*text - '0');
    if (text == begin) return nullptr;
    q += negative ? -found : found;
    return text;
}

// How many of the `count` digits at `text` are zeros before the first that is none; a point is skipped.
inline long leading_zeros(const char* text, const char* end) {
    long zeros = 0;
    for (; text != end && (*text == '0' || *text == '.'); ++text) zeros += *text == '0';
    return zeros;
}

}  // namespace decimal

// The number at the beginning of `text`. Returns where it ends, or nullptr when there is none or it does not fit.
inline const char* read_number(const char* text, const char* end, float& value) {
    const bool negative = text != end && *text == '-';
    if (text != end && (*text == '-' || *text == '+')) ++text;
    const char* begin = text;
    std::uint64_t w = 0;
    long q = 0;
    text = decimal::append_digits(text, end, w);
    long digits = text - begin;
    if (text != end && *text == '.') {
        const char* point = ++text;
        text = decimal::append_digits(text, end, w);
        q = point - text;
        digits -= q;
    }
    if (digits == 0) return nullptr;
    const char* stop = decimal::read_exponent(text, end, q);
    if (stop == nullptr) return nullptr;
    if (digits > decimal::most_digits) digits -= decimal::leading_zeros(begin, text);
    if (digits > decimal::most_digits || w == 0 || !decimal::nearest(w, q, value)) {
        if (digits <= decimal::most_digits && w == 0) value = 0.0F;
        else if (!exact(begin, stop, value)) return nullptr;
    }
    if (negative) value = -value;
    return stop;
}

}  // namespace sagedock
