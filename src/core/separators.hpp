// Where the cells of a text end. To know it before numbers are read lets a processor read several of them at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sagedock {

constexpr std::size_t separator_block = 2048;  // bytes that are searched at once

// The ends of the cells of a text, one after another: where a delimiter or a line feed stands, and the end of the text
// unless a line feed stands last.
class Separators {
public:
    Separators(std::string_view text, char delimiter)
        : delimiter_(delimiter), block_(text.data()), next_block_(text.data()), end_(text.data() + text.size()) {}

    // The next end, or nullptr when there is none.
    const char* next() {
        if (position_ == count_ && !search()) return nullptr;
        return block_ + found_[position_++];
    }

private:
    bool search();

    char delimiter_;
    const char* block_;
    const char* next_block_;
    const char* end_;
    std::size_t position_ = 0, count_ = 0;
    std::uint32_t found_[separator_block + 8];  // vector code writes up to eight more than it counts
};

}  // namespace sagedock
