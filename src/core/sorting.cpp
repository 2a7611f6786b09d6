#include "sorting.hpp"

#include <algorithm>
#include <array>

#ifdef SAGEDOCK_X86
#include <immintrin.h>
#endif

namespace sagedock::cuts {

namespace {

// Moves those of `count` rows whose value in `column` is above the cut behind the others, keeping their order; returns how
// many the others are.
size_t divide(uint16_t* rows, size_t count, const float* column, float cut, uint16_t* spare) {
    size_t left = 0, right = 0;
    for (size_t done = 0; done < count; ++done) {
        const uint16_t row = rows[done];
        const bool goes_left = column[row] <= cut;
        rows[left] = row;
        spare[right] = row;
        left += goes_left;
        right += !goes_left;
    }
    std::copy(spare, spare + right, rows + left);
    return left;
}

// `divide_rows` at every node that has rows.
template <class Divide>
inline __attribute__((always_inline)) void sort_by(const Node* nodes, int32_t first, int32_t last, const float* columns,
                                                   size_t stride, int32_t count, const Order& order, const Divide& divide_rows) {
    for (int32_t row = 0; row < count; ++row) order.rows[row] = static_cast<uint16_t>(row);
    order.begin[0] = 0;
    order.end[0] = count;
    for (int32_t at = first; at < last; ++at) {
        const Node& node = nodes[at];
        if (node.next < at) continue;  // a leaf
        const int32_t left = node.next - first, begin = order.begin[at - first], end = order.end[at - first];
        int32_t middle = begin;
        if (begin < end) {
            middle += static_cast<int32_t>(divide_rows(order.rows + begin, static_cast<size_t>(end - begin),
                                                  columns + node.column * stride, node.cut, order.spare));
        }
        order.begin[left] = begin;
        order.end[left] = order.begin[left + 1] = middle;
        order.end[left + 1] = end;
    }
}

void transpose_rest(const float* points, size_t columns, const uint16_t* rows, size_t begin, size_t end, float* place,
                    size_t stride, size_t first_column) {
    for (size_t at = begin; at < end; ++at) {
        const float* const point = points + rows[at] * columns;
        for (size_t column = first_column; column < columns; ++column) place[column * stride + at] = point[column];
    }
}

#ifdef SAGEDOCK_X86

// For each eight bits, a shuffle of eight words that puts those whose bit is set first, in their order.
constexpr std::array<std::array<uint8_t, 16>, 256> make_packings() {
    std::array<std::array<uint8_t, 16>, 256> packings{};
    for (size_t bits = 0; bits < 256; ++bits) {
        size_t place = 0;
        for (size_t bit = 0; bit < 8; ++bit) {
            if (!(bits >> bit & 1)) continue;
            packings[bits][place++] = static_cast<uint8_t>(2 * bit);
            packings[bits][place++] = static_cast<uint8_t>(2 * bit + 1);
        }
    }
    return packings;
}

alignas(16) constexpr auto packings = make_packings();

SAGEDOCK_AVX2 inline __m128i packed(__m128i words, unsigned bits) {
    return _mm_shuffle_epi8(words, _mm_load_si128(reinterpret_cast<const __m128i*>(packings[bits].data())));
}

// Eight loads are faster than a gather.
SAGEDOCK_AVX2 inline __m256 values_of(const uint16_t* rows, const float* column) {
    return _mm256_setr_ps(column[rows[0]], column[rows[1]], column[rows[2]], column[rows[3]], column[rows[4]],
                          column[rows[5]], column[rows[6]], column[rows[7]]);
}

SAGEDOCK_AVX2 inline __m128i load(const uint16_t* rows) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(rows)); }

SAGEDOCK_AVX2 inline void store(uint16_t* rows, __m128i words) { _mm_storeu_si128(reinterpret_cast<__m128i*>(rows), words); }

// Whole vectors only: those behind the rows are written too, and put back.
SAGEDOCK_AVX2 inline size_t divide_avx2(uint16_t* rows, size_t count, const float* column, float cut, uint16_t* spare) {
    const __m256 highest = _mm256_set1_ps(cut);
    const __m128i behind = load(rows + count);
    size_t left = 0, right = 0;
    for (size_t done = 0; done < count; done += 8) {
        const __m128i next = load(rows + done);
        const __m256 goes_left = _mm256_cmp_ps(values_of(rows + done, column), highest, _CMP_LE_OQ);
        const unsigned there = count - done < 8 ? (1u << (count - done)) - 1 : 255;
        const unsigned bits = static_cast<unsigned>(_mm256_movemask_ps(goes_left)) & there;
        store(rows + left, packed(next, bits));
        store(spare + right, packed(next, bits ^ there));
        left += static_cast<size_t>(__builtin_popcount(bits));
        right += static_cast<size_t>(__builtin_popcount(bits ^ there));
    }
    for (size_t i = 0; i < right; i += 8) store(rows + left + i, load(spare + i));
    store(rows + count, behind);
    return left;
}

SAGEDOCK_AVX2 void sort_avx2(const Node* nodes, int32_t first, int32_t last, const float* columns, size_t stride,
                             int32_t count, const Order& order) {
    sort_by(nodes, first, last, columns, stride, count, order, divide_avx2);
}

// Eight columns of eight rows.
SAGEDOCK_AVX2 inline void transpose_square(const float* const* points, size_t column, float* place, size_t stride) {
    __m256 pairs[8], fours[8];
    for (size_t i = 0; i < 8; i += 2) {
        const __m256 a = _mm256_loadu_ps(points[i] + column), b = _mm256_loadu_ps(points[i + 1] + column);
        pairs[i] = _mm256_unpacklo_ps(a, b);
        pairs[i + 1] = _mm256_unpackhi_ps(a, b);
    }
    for (size_t i = 0; i < 8; i += 4) {
        fours[i] = _mm256_shuffle_ps(pairs[i], pairs[i + 2], 0x44);
        fours[i + 1] = _mm256_shuffle_ps(pairs[i], pairs[i + 2], 0xee);
        fours[i + 2] = _mm256_shuffle_ps(pairs[i + 1], pairs[i + 3], 0x44);
        fours[i + 3] = _mm256_shuffle_ps(pairs[i + 1], pairs[i + 3], 0xee);
    }
    for (size_t i = 0; i < 4; ++i) {
        _mm256_storeu_ps(place + i * stride, _mm256_permute2f128_ps(fours[i], fours[i + 4], 0x20));
        _mm256_storeu_ps(place + (i + 4) * stride, _mm256_permute2f128_ps(fours[i], fours[i + 4], 0x31));
    }
}

SAGEDOCK_AVX2 void transpose_avx2(const float* points, size_t columns, const uint16_t* rows, size_t count, float* place,
                                  size_t stride) {
    const size_t whole = columns / 8 * 8;
    size_t at = 0;
    for (; at + 8 <= count; at += 8) {
        const float* of[8];
        for (size_t i = 0; i < 8; ++i) of[i] = points + rows[at + i] * columns;
        for (size_t column = 0; column < whole; column += 8) {
            transpose_square(of, column, place + column * stride + at, stride);
        }
        transpose_rest(points, columns, rows, at, at + 8, place, stride, whole);
    }
    transpose_rest(points, columns, rows, at, count, place, stride, 0);
}

#endif

}  // namespace

void sort(InstructionSet instructions, const Node* nodes, int32_t first, int32_t last, const float* columns, size_t stride,
          int32_t count, const Order& order) {
#ifdef SAGEDOCK_X86
    if (instructions >= InstructionSet::avx2) return sort_avx2(nodes, first, last, columns, stride, count, order);
#endif
    (void)instructions;
    sort_by(nodes, first, last, columns, stride, count, order, divide);
}

void transpose(InstructionSet instructions, const float* points, size_t columns, const uint16_t* rows, size_t count,
               float* place, size_t stride) {
#ifdef SAGEDOCK_X86
    if (instructions >= InstructionSet::avx2) return transpose_avx2(points, columns, rows, count, place, stride);
#endif
    (void)instructions;
    transpose_rest(points, columns, rows, 0, count, place, stride, 0);
}

}  // namespace sagedock::cuts
