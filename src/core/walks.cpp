#include "walks.hpp"

#include <algorithm>
#include <cmath>

#ifdef SAGEDOCK_X86
#include <immintrin.h>
#endif

namespace sagedock::cuts {

namespace {

constexpr size_t kSeldom = 6;  // levels from the root on that a climb seldom reaches

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

// For each set of lanes, by its bits: how many lanes of it are below each lane, a byte for each.
struct Below {
    uint64_t lanes[256];
};

constexpr Below below_in_sets() {
    Below below{};
    for (uint64_t set = 0; set < 256; ++set) {
        uint64_t count = 0;
        for (unsigned lane = 0; lane < kWalks; ++lane) {
            below.lanes[set] |= count << 8 * lane;
            count += set >> lane & 1;
        }
    }
    return below;
}

constexpr Below kBelow = below_in_sets();

SAGEDOCK_AVX2 inline __m256 bits(__m256i integers) { return _mm256_castsi256_ps(integers); }

// Climbs that have not begun: those from `next` on. So many as `left` are not over.
struct Queue {
    int32_t next, left;
};

// Eight climbs side by side. Where one is over the next begins, and nothing branches on it: when that is cannot be foreseen.
// Behind the last climb they go on with leaves that are none, and nothing comes of it.
template <int Eights>
class Eight {
   public:
    SAGEDOCK_AVX2 explicit Eight(const Climbs& climbs, Queue& queue)
        : over_(bits(_mm256_set1_epi32(-1))), score_(_mm256_setzero_ps()) {
        begin(climbs, queue, _mm256_setzero_ps(), 0xff);
    }

    SAGEDOCK_AVX2 inline __attribute__((always_inline)) void step(const Ladders& ladders, const Climbs& climbs, Queue& queue,
                                                                  Keep keep) {
        const Rung* at[kWalks];
        __m256 sums[kWalks];
        measure(ladders, climbs, keep, at, sums);
        const Heads heads = heads_of(at);
        const __m256 out = fold(sums), is_out = _mm256_cmp_ps(out, _mm256_setzero_ps(), _CMP_GT_OQ);
        const __m256 kept = _mm256_div_ps(heads.span, _mm256_add_ps(heads.span, out));
        const __m256 climbed = _mm256_add_ps(heads.share, _mm256_mul_ps(kept, _mm256_sub_ps(score_, heads.share)));
        const __m256 inside = _mm256_blendv_ps(score_, heads.span, over_), outside = _mm256_blendv_ps(climbed, heads.share, over_);
        score_ = _mm256_blendv_ps(inside, outside, is_out);
        write(climbs);
        const __m256 open = _mm256_andnot_ps(heads.parent, is_out);  // by signs: a root's parent is -1
        over_ = bits(_mm256_cmpgt_epi32(_mm256_castps_si256(open), _mm256_set1_epi32(-1)));
        const unsigned over = static_cast<unsigned>(_mm256_movemask_ps(over_));
        const __m256 real = bits(_mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(climbs.count)), number_));
        queue.left -= __builtin_popcount(static_cast<unsigned>(_mm256_movemask_ps(_mm256_and_ps(real, over_))));
        begin(climbs, queue, heads.parent, over);
    }

   private:
    // The next climbs in the lanes that are `over`, and the next step of the others.
    SAGEDOCK_AVX2 inline __attribute__((always_inline)) void begin(const Climbs& climbs, Queue& queue, __m256 parents,
                                                                   unsigned over) {
        const __m256i below = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(static_cast<int64_t>(kBelow.lanes[over])));
        const __m256 leaves = _mm256_loadu_ps(reinterpret_cast<const float*>(climbs.leaves + queue.next));
        const __m256i numbers = _mm256_add_epi32(below, _mm256_set1_epi32(queue.next));
        node_ = _mm256_blendv_ps(parents, _mm256_permutevar8x32_ps(leaves, below), over_);
        number_ = _mm256_castps_si256(_mm256_blendv_ps(bits(number_), bits(numbers), over_));
        queue.next = std::min(queue.next + __builtin_popcount(over), static_cast<int32_t>(climbs.count));
    }

    SAGEDOCK_AVX2 inline __attribute__((always_inline)) void measure(const Ladders& ladders, const Climbs& climbs, Keep keep,
                                                                     const Rung** at, __m256* sums) const {
        const int last = static_cast<int>(climbs.count) - 1, columns = static_cast<int>(ladders.columns);
        alignas(32) int32_t nodes[kWalks], points[kWalks], above[kWalks];
        _mm256_store_ps(reinterpret_cast<float*>(nodes), node_);
        _mm256_store_ps(reinterpret_cast<float*>(points), bits(_mm256_min_epi32(number_, _mm256_set1_epi32(last))));
        // From the lowest to the highest coordinates of a box; a leaf's are the same.
        _mm256_store_ps(reinterpret_cast<float*>(above), _mm256_andnot_ps(over_, bits(_mm256_set1_epi32(columns))));
        for (size_t i = 0; i < kWalks; ++i) {
            const float* const low = ladders.low(nodes[i]);
            const float* const point = climbs.points + static_cast<size_t>(points[i]) * climbs.stride;
            at[i] = &ladders.rung(nodes[i]);
            sums[i] = partial_sums<Eights>(low, low + above[i], point, ladders.columns, keep);
        }
    }

    SAGEDOCK_AVX2 inline __attribute__((always_inline)) void write(const Climbs& climbs) const {
        alignas(32) int32_t numbers[kWalks];
        alignas(32) float scores[kWalks];
        _mm256_store_ps(reinterpret_cast<float*>(numbers), bits(number_));
        _mm256_store_ps(scores, score_);
        for (size_t i = 0; i < kWalks; ++i) climbs.scores[numbers[i]] = scores[i];
    }

    __m256 node_, over_, score_;  // nodes as bits; over_: which lanes are to begin at a leaf
    __m256i number_ = _mm256_setzero_si256();
};

template <int Eights>
SAGEDOCK_AVX2 void climb_avx2(const Ladders& ladders, const Climbs& climbs) {
    const Keep keep = keep_of(ladders.columns);
    Queue queue{0, static_cast<int32_t>(climbs.count)};
    Eight<Eights> one(climbs, queue), other(climbs, queue);  // while the one waits for memory, the other goes on
    while (queue.left > 0) {
        one.step(ladders, climbs, queue, keep);
        other.step(ladders, climbs, queue, keep);
    }
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

void descend(const Ladders& ladders, const float* point, Descents& descents) {
    int32_t* const here = descents.here;
    int32_t* const tree = descents.tree;
    size_t level = 0;
    for (size_t open = descents.count, still; open > 0; open = still) {
        still = 0;
        const size_t bytes = ++level < kSeldom ? 1 : ladders.stride;
        for (size_t i = 0; i < open; ++i) {
            const Node& node = ladders.record(here[i]).node;
            const int32_t next = node.next + !(point[node.column] <= node.cut), which = tree[i];
            const bool moved = next != here[i];
            const char* const record = reinterpret_cast<const char*>(&ladders.record(next));
            for (size_t line = 0; line < bytes; line += kLine) __builtin_prefetch(record + line);
            descents.leaf[which] = here[still] = next;
            tree[still] = which;
            still += moved;
        }
    }
}

void climb(InstructionSet instructions, const Ladders& ladders, const Climbs& climbs) {
    if (climbs.count == 0) return;
#ifdef SAGEDOCK_X86
    if (instructions >= InstructionSet::avx2) {
        if (ladders.columns <= 8) return climb_avx2<1>(ladders, climbs);
        if (ladders.columns <= 16) return climb_avx2<2>(ladders, climbs);
        return climb_avx2<3>(ladders, climbs);
    }
#endif
    (void)instructions;
    for (size_t i = 0; i < climbs.count; ++i) {
        climbs.scores[i] = climb_one(ladders, climbs.points + i * climbs.stride, climbs.leaves[i]);
    }
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
