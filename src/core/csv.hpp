// Rows of numbers between delimiters, as text in UTF-8. Whatever is unusual is not read here: sagedock.formats.csv and
// csv_files read it a cell at a time, or say what is wrong with it.
#pragma once

#include <cstddef>
#include <string_view>

namespace sagedock::csv {

// Where the cells of a row go: the first `leading` columns to arrays of their own (rows,), the rest to `features`
// (rows, columns - leading).
struct Destination {
    float* const* columns;  // the leading ones
    std::size_t leading;
    float* features;
};

struct Shape {
    std::size_t rows, columns;
};

// `body` without UTF-8's mark at its beginning and without blank lines at its end; empty when it holds no record.
std::string_view records(std::string_view body);

// The lines of `text`, and the cells of the first. As many rows and columns as `read_rows` finds, if it finds any.
Shape shape_of(std::string_view text, char delimiter);

// Whether a table of commas may have this shape: each cell takes a byte at least, its delimiter, so that what claims more is
// no table and gets no memory; and a single column may be several, delimited otherwise.
bool is_credible(std::string_view text, Shape shape);

// Read `shape.rows` rows of `shape.columns` cells that make up the whole of `text`. False when they do not, or when a
// cell holds anything but a number that fits, nan or nothing; what was written then means nothing.
bool read_rows(std::string_view text, char delimiter, Shape shape, Destination destination);

}  // namespace sagedock::csv
