// Many points climb one random cut tree side by side, over whatever vectors the processor has.
//
// This header is included once for each instruction set, inside a namespace and under a target pragma of its own
// (cuts.cpp), with LANES_BYTES the size of a vector register. The points stand sorted by their leaves, so that those below
// a node are neighbours: a vector holds one column of several of them, and no number of a box is gathered.

using Vector = float __attribute__((vector_size(LANES_BYTES), may_alias));
using Unaligned = float __attribute__((vector_size(LANES_BYTES), may_alias, aligned(4)));
using Mask = int32_t __attribute__((vector_size(LANES_BYTES), may_alias));
constexpr int32_t kWidth = LANES_BYTES / 4;

static inline __attribute__((always_inline)) Vector spread(float value) { return value - Vector{}; }

static inline __attribute__((always_inline)) Vector load(const float* place) {
    return *reinterpret_cast<const Unaligned*>(place);
}

static inline __attribute__((always_inline)) void store(float* place, Vector value) {
    *reinterpret_cast<Unaligned*>(place) = value;
}

static inline __attribute__((always_inline)) Vector magnitude(Vector value) {
    return reinterpret_cast<Vector>(reinterpret_cast<Mask>(value) & 0x7fffffff);
}

static inline __attribute__((always_inline)) bool any(Mask mask) {
#if LANES_BYTES == 64
    return _mm512_movepi32_mask(reinterpret_cast<__m512i>(mask)) != 0;
#elif LANES_BYTES == 32
    return _mm256_movemask_ps(reinterpret_cast<__m256>(mask)) != 0;
#else
    int64_t halves[2];
    std::memcpy(halves, &mask, sizeof halves);
    return (halves[0] | halves[1]) != 0;
#endif
}

// The lanes of a vector that hold one of `count` points.
static inline __attribute__((always_inline)) Mask lanes_below(int32_t count) {
    Mask number;
    for (int32_t lane = 0; lane < kWidth; ++lane) number[lane] = lane;
    return number < count - Mask{};
}

// How far the points at `place` lie outside of one column of a box.
static inline __attribute__((always_inline)) Vector apart(const float* place, float low, float high) {
    const Vector point = load(place), lower = spread(low), upper = spread(high);
    const Vector above = point > lower ? point : lower;
    const Vector within = above < upper ? above : upper;
    return magnitude(point - within);
}

// The sum over columns as sum_of_lanes (forest.py) has it: lane `Lane` and those that fold into it, `Step` apart. `Columns`
// are the columns, or kManyColumns when there are more than lanes.
template <int Columns, int Lane = 0, int Step = 1>
static inline __attribute__((always_inline)) Vector outside(const float* points, size_t stride, const float* low,
                                                            size_t columns) {
    if constexpr (Step == kLanes) {
        Vector sum = apart(points + Lane * stride, low[Lane], low[columns + Lane]);
        if constexpr (Columns == kManyColumns) {
            for (size_t column = Lane + kLanes; column < columns; column += kLanes) {
                sum += apart(points + column * stride, low[column], low[columns + column]);
            }
        }
        return sum;
    } else if constexpr (Lane + Step < Columns) {
        return outside<Columns, Lane, 2 * Step>(points, stride, low, columns) +
               outside<Columns, Lane + Step, 2 * Step>(points, stride, low, columns);
    } else {
        return outside<Columns, Lane, 2 * Step>(points, stride, low, columns);
    }
}

// Scores of a leaf's points: its own point's is settled, and settled scores are negative until the end.
static inline void start(const Sorted& sorted, int32_t begin, int32_t end, const float* leaf, Rung rung,
                         size_t columns) {
    for (int32_t at = begin; at < end; at += kWidth) {
        Mask equal = Mask{} == Mask{};
        for (size_t column = 0; column < columns && any(equal); ++column) {
            equal &= load(sorted.points + column * sorted.stride + at) == spread(leaf[column]);
        }
        const Vector score = equal ? spread(-rung.span) : spread(rung.share);
        float* const place = sorted.scores + at;
        store(place, end - at < kWidth ? lanes_below(end - at) ? score : load(place) : score);
    }
}

template <int Columns>
static void climb(const Tree& tree, const Sorted& sorted) {
    const size_t columns = tree.ladders.columns;
    for (int32_t number = tree.count - 1; number >= 0; --number) {
        const int32_t begin = sorted.begin[number], end = sorted.end[number], node = tree.first + number;
        if (begin == end) continue;
        const Rung rung = tree.ladders.rung(node);
        const float* const low = tree.ladders.low(node);
        if (std::isnan(tree.nodes[node].cut)) {
            start(sorted, begin, end, low, rung, columns);
            continue;
        }
        const Vector span = spread(rung.span), share = spread(rung.share);
        for (int32_t at = begin; at < end; at += kWidth) {
            float* const place = sorted.scores + at;
            const Vector before = load(place);
            const Mask open = before > Vector{};
            if (!any(open)) continue;
            const Vector out = outside<Columns>(sorted.points + at, sorted.stride, low, columns);
            const Vector climbed = share + span / (span + out) * (before - share);
            Vector score = out > Vector{} ? climbed : -before;
            score = open ? score : before;
            store(place, end - at < kWidth ? lanes_below(end - at) ? score : before : score);
        }
    }
}

static Climb* climber(size_t columns) {
    static constexpr Climb* known[] = {climb<1>,  climb<2>,  climb<3>,  climb<4>,  climb<5>,  climb<6>,
                                       climb<7>,  climb<8>,  climb<9>,  climb<10>, climb<11>, climb<12>,
                                       climb<13>, climb<14>, climb<15>, climb<16>, climb<kManyColumns>};
    return known[std::min(columns, size_t{kManyColumns}) - 1];
}
