#include "lines.hpp"

#include <algorithm>

#include "processor.hpp"

#ifdef SAGEDOCK_X86
#include <immintrin.h>
#endif

namespace sagedock {

namespace {

std::size_t count_scalar(std::string_view text) {
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

#ifdef SAGEDOCK_X86

SAGEDOCK_AVX2 std::size_t count_avx2(std::string_view text) {
    constexpr std::size_t width = 32;
    const __m256i feed = _mm256_set1_epi8('\n');
    std::size_t found = 0, position = 0;
    for (; position + width <= text.size(); position += width) {
        const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text.data() + position));
        found += static_cast<std::size_t>(
            __builtin_popcount(static_cast<unsigned>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(bytes, feed)))));
    }
    return found + count_scalar(text.substr(position));
}

#endif

}  // namespace

std::size_t count_lines(std::string_view text) {
#ifdef SAGEDOCK_X86
    if (instruction_set() >= InstructionSet::avx2) return count_avx2(text);
#endif
    return count_scalar(text);
}

}  // namespace sagedock
