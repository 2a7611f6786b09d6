// Expectation maximisation of a document's mixture, eight topics side by side.
//
// Included once for each instruction set (each_instruction_set.hpp), with LANES_BYTES the size of a vector register. Eight
// numbers are one register of 32 bytes or two of 16; the order of sums is the same for both.

#if LANES_BYTES >= 32
#define LANES_WIDTH 32
#else
#define LANES_WIDTH 16
#endif

using Floats = float __attribute__((vector_size(LANES_WIDTH)));
constexpr std::size_t kParts = kGroup * sizeof(float) / LANES_WIDTH;
constexpr std::size_t kPart = kGroup / kParts;

struct Group {
    Floats part[kParts];
};

static inline __attribute__((always_inline)) Group load(const float* from) {
    Group group;
    std::memcpy(&group, from, sizeof group);
    return group;
}

static inline __attribute__((always_inline)) void store(float* to, const Group& group) { std::memcpy(to, &group, sizeof group); }

// Of eight numbers: the second four are added to the first, then two pairs, then the two sums.
static inline __attribute__((always_inline)) float sum(const Group& group) {
#if LANES_WIDTH == 32
    const __m256 all = (__m256)group.part[0];
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(all), _mm256_extractf128_ps(all, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehdup_ps(four));  // 0 + 1 and 2 + 3
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehl_ps(two, two)));
#else
    const Floats four = group.part[0] + group.part[1];
    return (four[0] + four[1]) + (four[2] + four[3]);
#endif
}

// One round for the document's words: from `shares` to the sums of count / probability of word * probability in topic.
template <std::size_t Groups>
static inline __attribute__((always_inline)) void expect(const Topics& topics, const Document& document, const float* shares,
                                                         float* sums) {
    const std::size_t groups = Groups > 0 ? Groups : topics.padded / kGroup;
    Group held[Groups > 0 ? Groups : 1];
    if constexpr (Groups > 0)
        for (std::size_t g = 0; g < groups; ++g) held[g] = Group{};
    else std::fill_n(sums, topics.padded, 0.0F);
    for (std::size_t i = 0; i < document.size; ++i) {
        const float* const row = topics.words + static_cast<std::size_t>(document.words[i]) * topics.padded;
        Group products{};
        for (std::size_t g = 0; g < groups; ++g) {
            const Group share = load(shares + g * kGroup), word = load(row + g * kGroup);
            for (std::size_t p = 0; p < kParts; ++p) products.part[p] += share.part[p] * word.part[p];
        }
        const float probability = sum(products);
        const float ratio = probability > 0 ? document.counts[i] / probability : 0.0F;
        for (std::size_t g = 0; g < groups; ++g) {
            const Group word = load(row + g * kGroup);
            Group all = Groups > 0 ? held[Groups > 0 ? g : 0] : load(sums + g * kGroup);
            for (std::size_t p = 0; p < kParts; ++p) all.part[p] += ratio * word.part[p];
            if constexpr (Groups > 0) held[g] = all;
            else store(sums + g * kGroup, all);
        }
    }
    if constexpr (Groups > 0)
        for (std::size_t g = 0; g < groups; ++g) store(sums + g * kGroup, held[g]);
}

// The mixture to `shares` (padded); false for a document that tells nothing. `sums` (padded) is for work.
template <std::size_t Groups>
static bool settle(const Topics& topics, const Document& document, const Rule& rule, float* shares, float* sums) {
    for (std::size_t round = 0; round < rule.rounds; ++round) {
        expect<Groups>(topics, document, shares, sums);
        Group all{};
        for (std::size_t at = 0; at < topics.padded; at += kGroup) {
            Group weights = load(sums + at);
            const Group share = load(shares + at);
            for (std::size_t p = 0; p < kParts; ++p) all.part[p] += weights.part[p] *= share.part[p];
            store(sums + at, weights);
        }
        const float total = sum(all);
        if (!(total > 0) || !(total <= kLargest)) return false;
        float change = 0;
        for (std::size_t topic = 0; topic < topics.topics; ++topic) {
            const float share = sums[topic] / total;
            change = std::max(change, std::abs(share - shares[topic]));
            shares[topic] = share;
        }
        if (change <= rule.tolerance) break;
    }
    return true;
}

static bool settle(const Topics& topics, const Document& document, const Rule& rule, float* shares, float* sums) {
    switch (topics.padded / kGroup) {
        case 1: return settle<1>(topics, document, rule, shares, sums);
        case 2: return settle<2>(topics, document, rule, shares, sums);
        case 3: return settle<3>(topics, document, rule, shares, sums);
        case 4: return settle<4>(topics, document, rule, shares, sums);
        default: return settle<0>(topics, document, rule, shares, sums);
    }
}

#undef LANES_WIDTH
