// Numbers as text, to the byte as Python's repr of a float writes them.
#pragma once

#include <cstddef>

namespace sagedock {

constexpr std::size_t longest_repr = 24;  // -2.2250738585072014e-308

// Write the shortest text that is read as `value` again; returns its end. `out` has room for `longest_repr` bytes.
char* write_repr(char* out, double value);

// Write `rows` lines of `columns` numbers with commas between them; returns the end. `out` has room for
// `longest_repr` + 1 bytes a number.
char* write_rows(char* out, const float* values, std::size_t rows, std::size_t columns);

}  // namespace sagedock
