// Decimal text as a 32-bit float: the nearest double, rounded to a float (docs/decisions/0005).
//
//     [+-]? ([0-9]+ "."? [0-9]* | "." [0-9]+) ([eE] [+-]? [0-9]+)?
//
// Up to eight digits and a point, in a cell whose end is known, are one word: the point taken out, a division of two
// exact doubles gives the nearest one.
//
// Else the fast way takes at most 19 significant digits w and the exponent q of ten. w * 10^q is one multiplication of 64 by
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

constexpr std::uint64_t zeros = 0x3030303030303030;  // as text

// The highest bit of each byte of `word`, a text less its `zeros`, that was no digit. A carry runs upwards: only the
// lowest bit, or that there is none, tells for sure.
inline std::uint64_t no_digits(std::uint64_t word) {
    return ((word + 0x7676767676767676) | word) & 0x8080808080808080;
}

// The number whose eight digits are the bytes of `word`, the first in the lowest.
inline std::uint64_t eight_digits(std::uint64_t word) {
    word = word * 10 + (word >> 8);
    const std::uint64_t mask = 0x000000FF000000FF;
    const std::uint64_t upper = (word & mask) * 0x000F424000000064;
    const std::uint64_t lower = ((word >> 16) & mask) * 0x0000271000000001;
    return (upper + lower) >> 32;
}

inline Digits read_digits(const char* text, const char* end) {
    const std::uint64_t word = load(text, end) ^ zeros, others = no_digits(word);
    const int count = others ? __builtin_ctzll(others) >> 3 : 8;
    // the last digit on top, zeros before the first
    return {eight_digits(word << (32 - 4 * count) << (32 - 4 * count)), count};
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
    const int leading = __builtin_clzll(w);
    Wide product = Wide{w << leading} * power.significand;
    const int high = static_cast<int>(product >> 127);
    const auto bits = static_cast<std::uint64_t>(product >> (63 + high));  // the highest bit is set
    const int exponent = power.exponent - leading + 126 + high;              // of that bit
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

inline constexpr std::array<double, 8> short_powers{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7};

}  // namespace decimal

// The number that is the whole of the text up to `stop`, if it has one to eight bytes beside its sign, digits and at
// most one point. False, and nothing read, for any other; `end` is that of the memory that may be looked at.
inline bool read_short(const char* text, const char* stop, const char* end, float& value) {
    if (end - text < 9) return false;
    const bool negative = *text == '-';
    text += negative | (*text == '+');
    const auto length = static_cast<unsigned>(stop - text);
    if (length - 1 > 7) return false;
    std::uint64_t word = 0;
    std::memcpy(&word, text, sizeof word);
    word = (word ^ decimal::zeros) << (64 - 8 * length);  // the last byte on top, zeros before the first
    const std::uint64_t others = decimal::no_digits(word);
    unsigned fraction = 0;
    if (others != 0) {
        const int point = __builtin_ctzll(others) & ~7;  // the first bit of the first byte that is no digit
        if ((word >> point & 0xFF) != ('.' ^ '0') || length == 1) return false;
        const std::uint64_t before = word & ((std::uint64_t{1} << point) - 1), behind = word >> point >> 8;
        if (decimal::no_digits(behind) != 0) return false;
        word = before << 8 | behind << point << 8;
        fraction = 7 - static_cast<unsigned>(point) / 8;
    }
    const double whole = static_cast<double>(static_cast<std::int64_t>(decimal::eight_digits(word)));
    const auto nearest = static_cast<float>(whole / decimal::short_powers[fraction]);
    value = negative ? -nearest : nearest;
    return true;
}

// The number at the beginning of `text`. Returns where it ends, or nullptr when there is none or it does not fit.
inline const char* read_number(const char* text, const char* end, float& value) {
    if (text == end) return nullptr;
    const bool negative = *text == '-';
    text += negative | (*text == '+');
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
    std::uint32_t word = 0;
    std::memcpy(&word, &value, sizeof word);
    word |= static_cast<std::uint32_t>(negative) << 31;
    std::memcpy(&value, &word, sizeof word);
    return stop;
}

}  // namespace sagedock
