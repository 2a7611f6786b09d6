#include "csv.hpp"

#include <algorithm>
#include <cmath>

#include "lines.hpp"
#include "number.hpp"

namespace sagedock::csv {

namespace {

constexpr float missing = __builtin_nanf("");

bool is_space(char byte) { return byte == ' ' || byte == '\t'; }

bool is_nan(std::string_view cell) {
    return cell.size() == 3 && (cell[0] | 0x20) == 'n' && (cell[1] | 0x20) == 'a' && (cell[2] | 0x20) == 'n';
}

// One cell, as sagedock.formats.cells.number reads it.
bool read_cell(const char* begin, const char* end, float& value) {
    while (begin != end && is_space(*begin)) ++begin;
    while (begin != end && is_space(end[-1])) --end;
    if (begin == end || is_nan({begin, static_cast<std::size_t>(end - begin)})) {
        value = missing;
        return true;
    }
    return read_number(begin, end, value) == end;
}

// The cell at `text`, its column being followed by `delimiter`. Returns where the next one begins, or nullptr.
const char* read_delimited(const char* text, const char* end, char delimiter, float& value) {
    const char* stop = read_number(text, end, value);
    if (stop != nullptr && stop != end && *stop == delimiter) return stop + 1;
    stop = text;
    while (stop != end && *stop != delimiter && *stop != '\n') ++stop;
    if (stop == end || *stop == '\n' || !read_cell(text, stop, value)) return nullptr;
    return stop + 1;
}

// The cell at `text`, the last of its line. Returns where the next line begins, or nullptr.
const char* read_last(const char* text, const char* end, float& value) {
    const char* stop = read_number(text, end, value);
    if (stop != nullptr && (stop == end || *stop == '\n')) return stop + (stop != end);
    stop = std::find(text, end, '\n');
    const char* cell_end = stop != text && stop[-1] == '\r' ? stop - 1 : stop;
    if (!read_cell(text, cell_end, value)) return nullptr;
    return stop + (stop != end);
}

}  // namespace

std::string_view records(std::string_view body) {
    constexpr std::string_view mark = "\xef\xbb\xbf";
    if (body.substr(0, mark.size()) == mark) body.remove_prefix(mark.size());
    for (;;) {
        const std::size_t last = body.find_last_not_of(" \t\r");
        if (last == std::string_view::npos) return {};
        if (body[last] != '\n') return body;
        body = body.substr(0, last);
    }
}

Shape shape_of(std::string_view text, char delimiter) {
    const std::string_view first = text.substr(0, text.find('\n'));
    const bool ended = !text.empty() && text.back() == '\n';
    return {count_lines(text) + !ended, 1 + static_cast<std::size_t>(std::count(first.begin(), first.end(), delimiter))};
}

bool has_other_delimiter(std::string_view text) {
    return text.substr(0, text.find('\n')).find_first_of("\t;| ") != std::string_view::npos;
}

bool read_rows(std::string_view text, char delimiter, Shape shape, Destination destination) {
    const char* begin = text.data();
    const char* const end = begin + text.size();
    const std::size_t last = shape.columns - 1;
    float* features = destination.features;
    for (std::size_t row = 0; row < shape.rows; ++row) {
        for (std::size_t column = 0; column < last; ++column) {
            float& value = column < destination.leading ? destination.columns[column][row] : *features++;
            begin = read_delimited(begin, end, delimiter, value);
            if (begin == nullptr) return false;
        }
        float& value = last < destination.leading ? destination.columns[last][row] : *features++;
        begin = read_last(begin, end, value);
        if (begin == nullptr || (last == 0 && std::isnan(value))) return false;  // that may be a blank line
    }
    return begin == end;
}

}  // namespace sagedock::csv
