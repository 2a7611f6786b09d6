#include "number.hpp"

#include <algorithm>
#include <charconv>

namespace sagedock {

namespace {

constexpr double limit = 0x1p128 - 0x1p103;  // the least double that rounds to an infinite 32-bit float
constexpr long too_large = 39, too_small = -47;  // powers of ten of the first digit
constexpr int enough_digits = 800;  // doubles and the middles between them have at most 767

// A number's significant digits, as d.ddd, and the power of ten of the first; what follows very many is one digit 1.
struct Scientific {
    char text[enough_digits + 16];
    char* end = text;
    long power = 0;
    int digits = 0;
    bool cut = false;  // a digit other than 0 was left out

    void add(char digit) {
        if (digits == 0 && digit == '0') return;
        if (digits == enough_digits) {
            cut = cut || digit != '0';
            return;
        }
        *end++ = digit;
        if (++digits == 1) *end++ = '.';
    }
};

Scientific significant(const char* text, const char* end) {
    Scientific found;
    long point = 0;  // digits before the point, less those zeros that lead behind it
    bool fraction = false;
    for (; text != end && (*text | 0x20) != 'e'; ++text) {
        if (*text == '.') {
            fraction = true;
            continue;
        }
        found.add(*text);
        if (!fraction && found.digits > 0) ++point;
        if (fraction && found.digits == 0) --point;
    }
    found.power = point - 1;
    decimal::read_exponent(text, end, found.power);
    return found;
}

}  // namespace

bool exact(const char* text, const char* end, float& value) {
    Scientific number = significant(text, end);
    if (number.digits == 0 || number.power < too_small) {
        value = 0.0F;
        return true;
    }
    if (number.power >= too_large) return false;
    if (number.cut) *number.end++ = '1';
    *number.end++ = 'e';
    number.end = std::to_chars(number.end, std::end(number.text), number.power).ptr;
    double nearest = 0;
    std::from_chars(number.text, number.end, nearest);
    if (nearest >= limit) return false;
    value = static_cast<float>(nearest);
    return true;
}

}  // namespace sagedock
