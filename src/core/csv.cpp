#include "csv.hpp"

#include <algorithm>
#include <cmath>

#include "lines.hpp"
#include "number.hpp"
#include "separators.hpp"

namespace sagedock::csv {

namespace {

constexpr float missing = __builtin_nanf("");

bool is_space(char byte) { return byte == ' ' || byte == '\t'; }

bool is_nan(std::string_view cell) {
    return cell.size() == 3 && (cell[0] | 0x20) == 'n' && (cell[1] | 0x20) == 'a' && (cell[2] | 0x20) == 'n';
}

// One cell that is no bare number, as sagedock.formats.cells.number reads it.
bool read_unusual(const char* begin, const char* end, float& value) {
    while (begin != end && is_space(*begin)) ++begin;
    while (begin != end && is_space(end[-1])) --end;
    if (begin == end || is_nan({begin, static_cast<std::size_t>(end - begin)})) {
        value = missing;
        return true;
    }
    return read_number(begin, end, value) == end;
}

// The cells of a text, in their order.
class Cells {
public:
    Cells(std::string_view text, char delimiter)
        : separators_(text, delimiter), delimiter_(delimiter), begin_(text.data()), end_(begin_ + text.size()) {}

    // Read a cell that a delimiter follows.
    bool read_inner(float& value) {
        const char* stop = separators_.next();
        return stop != nullptr && stop != end_ && *stop == delimiter_ && read(stop, stop, value);
    }

    // Read the last cell of a line.
    bool read_last(float& value) {
        const char* stop = separators_.next();
        if (stop == nullptr || (stop != end_ && *stop != '\n')) return false;
        return read(stop, stop != begin_ && stop[-1] == '\r' ? stop - 1 : stop, value);
    }

    bool at_end() const { return begin_ >= end_; }

private:
    bool read(const char* stop, const char* cell_end, float& value) {
        const char* begin = begin_;
        begin_ = stop + 1;
        // what stands behind the cell may be looked at, up to the text's end, since it cannot pass for a digit of it
        return read_short(begin, cell_end, end_, value) || read_number(begin, end_, value) == cell_end || read_unusual(begin, cell_end, value);
    }

    Separators separators_;
    char delimiter_;
    const char* begin_;
    const char* end_;
};

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

bool is_credible(std::string_view text, Shape shape) {
    if (shape.rows > (text.size() + 1) / shape.columns) return false;
    return shape.columns > 1 || text.substr(0, text.find('\n')).find_first_of("\t;| ") == std::string_view::npos;
}

bool read_rows(std::string_view text, char delimiter, Shape shape, Destination destination) {
    Cells cells(text, delimiter);
    const std::size_t last = shape.columns - 1;
    float* features = destination.features;
    for (std::size_t row = 0; row < shape.rows; ++row) {
        std::size_t column = 0;
        for (; column < last && column < destination.leading; ++column)
            if (!cells.read_inner(destination.columns[column][row])) return false;
        for (; column < last; ++column)
            if (!cells.read_inner(*features++)) return false;
        float& value = last < destination.leading ? destination.columns[last][row] : *features++;
        if (!cells.read_last(value) || (last == 0 && std::isnan(value))) return false;  // that may be a blank line
    }
    return cells.at_end();
}

}  // namespace sagedock::csv
