// The lines of a text.
#pragma once

#include <cstddef>
#include <string_view>

namespace sagedock {

// How many line feeds `text` holds.
std::size_t count_lines(std::string_view text);

}  // namespace sagedock
