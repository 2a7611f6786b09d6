#include "walks.hpp"

#include <algorithm>
#include <cmath>

#ifdef SAGEDOCK_X86
#include <immintrin.h>
#endif

namespace sagedock::cuts {

namespace {

float fold(float* lanes) {
    for (size_t half = kLanes / 2; half > 0; half /= 2) {
        for (size_t i = 0; i < half; ++i) lanes[i] += lanes[i + half];
    }
    return lanes[0];
}

// The sum of length(column) over columns.
template <class Length>
inline float sum_of_lanes(size_t columns, const Length& length) {
    float lanes[kLanes] = {};
    size_t column = 0;
    for (; column + kLanes <= columns; column += kLanes) {
        for (size_t lane = 0; lane < kLanes; ++lane) lanes[lane] += length(column + lane);
    }
    for (size_t lane = 0; column < columns; ++lane, ++column) lanes[lane] += length(column);
    return fold(lanes);
}

inline float distance(float low, float high, float value) {
    const float above = value > low ? value : low;
    return std::fabs(value - (above < high ? above : high));
}

float outside(const float* low, const float* high, const float* point, size_t columns) {
    return sum_of_lanes(columns, [=](size_t i) { return distance(low[i], high[i], point[i]); });
}

float climb_one(const Ladders& ladders, const float* point, int32_t leaf) {
    const size_t columns = ladders.columns;
    const float* low = ladders.low(leaf);
    if (outside(low, low, point, columns) == 0) return ladders.rung(leaf).span;
    float score = ladders.rung(leaf).share;
    for (int32_t node = leaf; (node = ladders.rung(node).parent) >= 0;) {
        low = ladders.low(node);
        const float out = outside(low, low + columns, point, columns);
        if (out == 0) break;
        const Rung& rung = ladders.rung(node);
        score = rung.share + rung.span / (rung.span + out) * (score - rung.share);
    }
    return score;
}

#ifdef SAGEDOCK_X86

// Eight columns of how far a point lies outside of a box. Columns that are none are cleared by `keep`, as is the sign.
SAGEDOCK_AVX2 inline __m256 apart(const float* low, const float* high, const float* point, __m256 keep) {
    const __m256 value = _mm256_loadu_ps(point);
    const __m256 within = _mm256_min_ps(_mm256_max_ps(value, _mm256_loadu_ps(low)), _mm256_loadu_ps(high));
    return _mm256_and_ps(keep, _mm256_sub_ps(value, within));
}

// What clears the sign of all columns, and what clears besides those behind the last of `columns`.
struct Keep {
    __m256 all, last;
};

SAGEDOCK_AVX2 inline Keep keep_of(size_t columns) {
    const __m256i bits = _mm256_set1_epi32(0x7fffffff), lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const __m256i rest = _mm256_set1_epi32(static_cast<int>((columns - 1) % 8 + 1));
    return {_mm256_castsi256_ps(bits), _mm256_castsi256_ps(_mm256_and_si256(bits, _mm256_cmpgt_epi32(rest, lane)))};
}

// The first halving of the lanes done: eight partial sums. `Eights` is how many times eight columns there are, 3 for more.
template <int Eights>
SAGEDOCK_AVX2 inline __m256 partial_sums(const float* low, const float* high, const float* point, size_t columns, Keep keep) {
    if constexpr (Eights == 1) return apart(low, high, point, keep.last);
    if constexpr (Eights == 2) {
        return _mm256_add_ps(apart(low, high, point, keep.all), apart(low + 8, high + 8, point + 8, keep.last));
    }
    __m256 first = _mm256_setzero_ps(), second = first;
    size_t i = 0;
    for (; i + 16 < columns; i += 16) {
        first = _mm256_add_ps(first, apart(low + i, high + i, point + i, keep.all));
        second = _mm256_add_ps(second, apart(low + i + 8, high + i + 8, point + i + 8, keep.all));
    }
    const bool both = i + 8 < columns;
    first = _mm256_add_ps(first, apart(low + i, high + i, point + i, both ? keep.all : keep.last));
    if (both) second = _mm256_add_ps(second, apart(low + i + 8, high + i + 8, point + i + 8, keep.last));
    return _mm256_add_ps(first, second);
}

SAGEDOCK_AVX2 inline __m256 fold_halves(__m256 a, __m256 b) {
    return _mm256_add_ps(_mm256_permute2f128_ps(a, b, 0x20), _mm256_permute2f128_ps(a, b, 0x31));
}

SAGEDOCK_AVX2 inline __m256 fold_quarters(__m256 a, __m256 b) {
    return _mm256_add_ps(_mm256_shuffle_ps(a, b, 0x44), _mm256_shuffle_ps(a, b, 0xee));
}

// The rest of the folding, of eight sums at once.
SAGEDOCK_AVX2 inline __m256 fold(const __m256* sums) {
    const __m256 a = fold_quarters(fold_halves(sums[0], sums[4]), fold_halves(sums[1], sums[5]));
    const __m256 b = fold_quarters(fold_halves(sums[2], sums[6]), fold_halves(sums[3], sums[7]));
    return _mm256_add_ps(_mm256_shuffle_ps(a, b, 0x88), _mm256_shuffle_ps(a, b, 0xdd));
}

// `parent` (as bits), `share` and `span` of eight rungs.
struct Heads {
    __m256 parent, share, span;
};

SAGEDOCK_AVX2 inline __m256 two_heads(const Rung* a, const Rung* b) {
    const __m128 lower = _mm_loadu_ps(reinterpret_cast<const float*>(&a->parent));
    return _mm256_insertf128_ps(_mm256_castps128_ps256(lower), _mm_loadu_ps(reinterpret_cast<const float*>(&b->parent)), 1);
}

SAGEDOCK_AVX2 inline Heads heads_of(const Rung* const* at) {
    const __m256 a = two_heads(at[0], at[4]), b = two_heads(at[1], at[5]);
    const __m256 c = two_heads(at[2], at[6]), d = two_heads(at[3], at[7]);
    const __m256 ab = _mm256_unpacklo_ps(a, b), cd = _mm256_unpacklo_ps(c, d);
    const __m256 spans = _mm256_shuffle_ps(_mm256_unpackhi_ps(a, b), _mm256_unpackhi_ps(c, d), 0x44);
    return {_mm256_shuffle_ps(ab, cd, 0x44), _mm256_shuffle_ps(ab, cd, 0xee), spans};
}

// All go up as far as the one that goes farthest; who has arrived climbs on, and nothing comes of it.
template <int Eights>
SAGEDOCK_AVX2 void climb_avx2(const Ladders& ladders, const float* const* points, const int32_t* leaves, float* scores) {
    const size_t columns = ladders.columns;
    const Keep keep = keep_of(columns);
    const __m256 zero = _mm256_setzero_ps();
    const Rung* at[kWalks];
    __m256 sums[kWalks];
    for (size_t i = 0; i < kWalks; ++i) {
        const float* const point = ladders.low(leaves[i]);
        at[i] = &ladders.rung(leaves[i]);
        sums[i] = partial_sums<Eights>(point, point, points[i], columns, keep);
    }
    Heads heads = heads_of(at);
    __m256 open = _mm256_cmp_ps(fold(sums), zero, _CMP_GT_OQ);
    __m256 score = _mm256_blendv_ps(heads.span, heads.share, open);
    __m256 here = _mm256_loadu_ps(reinterpret_cast<const float*>(leaves));
    while (open = _mm256_andnot_ps(heads.parent, open), _mm256_movemask_ps(open)) {  // by signs: a root's parent is -1
        here = _mm256_blendv_ps(heads.parent, here, heads.parent);
        alignas(32) int32_t nodes[kWalks];
        _mm256_store_ps(reinterpret_cast<float*>(nodes), here);
        for (size_t i = 0; i < kWalks; ++i) {
            const float* const low = ladders.low(nodes[i]);
            at[i] = &ladders.rung(nodes[i]);
            sums[i] = partial_sums<Eights>(low, low + columns, points[i], columns, keep);
        }
        heads = heads_of(at);
        const __m256 out = fold(sums);
        const __m256 kept = _mm256_div_ps(heads.span, _mm256_add_ps(heads.span, out));
        const __m256 climbed = _mm256_add_ps(heads.share, _mm256_mul_ps(kept, _mm256_sub_ps(score, heads.share)));
        open = _mm256_and_ps(open, _mm256_cmp_ps(out, zero, _CMP_GT_OQ));
        score = _mm256_blendv_ps(score, climbed, open);
    }
    _mm256_storeu_ps(scores, score);
}

#endif

}  // namespace

void descend(const Node* nodes, const float* const* points, int32_t* at) {
    int32_t here[kWalks];
    std::copy(at, at + kWalks, here);
    const auto step = [&] {
        int32_t moved = 0;
#pragma GCC unroll 8
        for (size_t i = 0; i < kWalks; ++i) {
            const Node& node = nodes[here[i]];
            const int32_t next = node.next + !(points[i][node.column] <= node.cut);
            moved |= next ^ here[i];
            here[i] = next;
        }
        return moved;
    };
    do {
        step();
        step();
    } while (step());
    std::copy(here, here + kWalks, at);
}

void climb(InstructionSet instructions, const Ladders& ladders, const float* const* points, const int32_t* leaves,
           float* scores) {
#ifdef SAGEDOCK_X86
    if (instructions >= InstructionSet::avx2) {
        if (ladders.columns <= 8) return climb_avx2<1>(ladders, points, leaves, scores);
        if (ladders.columns <= 16) return climb_avx2<2>(ladders, points, leaves, scores);
        return climb_avx2<3>(ladders, points, leaves, scores);
    }
#endif
    (void)instructions;
    for (size_t i = 0; i < kWalks; ++i) scores[i] = climb_one(ladders, points[i], leaves[i]);
}

float measure_outside(const float* low, const float* high, const float* point, size_t columns, float* apart) {
    for (size_t i = 0; i < columns; ++i) apart[i] = distance(low[i], high[i], point[i]);
    return sum_of_lanes(columns, [=](size_t i) { return apart[i]; });
}

float sum_of_sides(const float* low, size_t columns) {
    const float* const high = low + columns;
    return sum_of_lanes(columns, [=](size_t i) { return high[i] - low[i]; });
}

}  // namespace sagedock::cuts
