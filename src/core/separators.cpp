#include "separators.hpp"

#include <algorithm>

#include "processor.hpp"

#ifdef SAGEDOCK_X86
#include <immintrin.h>
#endif

namespace sagedock {

namespace {

std::size_t find_scalar(const char* text, std::size_t from, std::size_t size, char delimiter, std::uint32_t* found) {
    std::size_t count = 0;
    for (std::size_t position = from; position < size; ++position) {
        found[count] = static_cast<std::uint32_t>(position);
        count += (text[position] == delimiter) | (text[position] == '\n');
    }
    return count;
}

#ifdef SAGEDOCK_X86

// The positions, from `begin` on, of the bits that are set; four at a time, without a branch for each.
inline std::size_t write_positions(std::uint64_t bits, std::size_t begin, std::uint32_t* found) {
    const auto count = static_cast<std::size_t>(__builtin_popcountll(bits));
    for (std::size_t written = 0; written < count; written += 4) {
        for (std::size_t step = 0; step < 4; ++step) {
            found[written + step] = static_cast<std::uint32_t>(begin) + static_cast<std::uint32_t>(__builtin_ctzll(bits | std::uint64_t{1} << 63));
            bits &= bits - 1;
        }
    }
    return count;
}

SAGEDOCK_AVX2 inline std::uint64_t separators_of_32(const char* text, __m256i delimiter, __m256i feed) {
    const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text));
    const __m256i either = _mm256_or_si256(_mm256_cmpeq_epi8(bytes, delimiter), _mm256_cmpeq_epi8(bytes, feed));
    return static_cast<std::uint32_t>(_mm256_movemask_epi8(either));
}

SAGEDOCK_AVX2 std::size_t find_avx2(const char* text, std::size_t size, char delimiter, std::uint32_t* found) {
    const __m256i delimiters = _mm256_set1_epi8(delimiter), feeds = _mm256_set1_epi8('\n');
    std::size_t count = 0, position = 0;
    for (; position + 64 <= size; position += 64) {
        const std::uint64_t low = separators_of_32(text + position, delimiters, feeds);
        const std::uint64_t high = separators_of_32(text + position + 32, delimiters, feeds);
        count += write_positions(low | high << 32, position, found + count);
    }
    return count + find_scalar(text, position, size, delimiter, found + count);
}

SAGEDOCK_AVX512 std::size_t find_avx512(const char* text, std::size_t size, char delimiter, std::uint32_t* found) {
    const __m512i delimiters = _mm512_set1_epi8(delimiter), feeds = _mm512_set1_epi8('\n');
    std::size_t count = 0, position = 0;
    for (; position + 64 <= size; position += 64) {
        const __m512i bytes = _mm512_loadu_si512(text + position);
        const std::uint64_t either = _mm512_cmpeq_epi8_mask(bytes, delimiters) | _mm512_cmpeq_epi8_mask(bytes, feeds);
        count += write_positions(either, position, found + count);
    }
    return count + find_scalar(text, position, size, delimiter, found + count);
}

#endif

std::size_t find(const char* text, std::size_t size, char delimiter, std::uint32_t* found) {
#ifdef SAGEDOCK_X86
    if (instruction_set() == InstructionSet::avx512) return find_avx512(text, size, delimiter, found);
    if (instruction_set() == InstructionSet::avx2) return find_avx2(text, size, delimiter, found);
#endif
    return find_scalar(text, 0, size, delimiter, found);
}

}  // namespace

bool Separators::search() {
    position_ = count_ = 0;
    while (count_ == 0 && next_block_ != end_) {
        block_ = next_block_;
        const std::size_t size = std::min(separator_block, static_cast<std::size_t>(end_ - block_));
        count_ = find(block_, size, delimiter_, found_);
        next_block_ += size;
        if (next_block_ == end_ && end_[-1] != '\n') found_[count_++] = static_cast<std::uint32_t>(size);
    }
    return count_ != 0;
}

}  // namespace sagedock
