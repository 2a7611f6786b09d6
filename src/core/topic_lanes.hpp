// Drawing topics of tokens, eight topics side by side and a few documents in step: a token's draw waits for the one before
// it in its document, and processors have other documents' work to do meanwhile.
//
// Included once for each instruction set (each_instruction_set.hpp), with LANES_BYTES the size of a vector register. Eight
// numbers are one register of 32 bytes or two of 16; the order of sums is the same for both, and so are the topics.

#if LANES_BYTES >= 32
#define LANES_WIDTH 32
#else
#define LANES_WIDTH 16
#endif

using Floats = float __attribute__((vector_size(LANES_WIDTH)));
using Counts = std::int32_t __attribute__((vector_size(LANES_WIDTH)));
constexpr std::size_t kParts = kGroup * sizeof(float) / LANES_WIDTH;
constexpr std::size_t kPart = kGroup / kParts;

template <class Vector, class Number>
static inline __attribute__((always_inline)) Vector load(const Number* from) {
    Vector vector;
    std::memcpy(&vector, from, sizeof vector);
    return vector;
}

template <class Vector, class Number>
static inline __attribute__((always_inline)) void store(Number* to, Vector vector) { std::memcpy(to, &vector, sizeof vector); }

static inline __attribute__((always_inline)) Floats spread(float value) {
    return value - Floats{};  // x - 0 is x in every bit, so that compilers leave the subtraction out
}

struct Group {
    Floats part[kParts];
};

// Sums of the numbers up to each: of pairs, of fours, of eights.
static inline __attribute__((always_inline)) Group summed(Group group) {
#if LANES_WIDTH == 32
    __m256 x = (__m256)group.part[0];
    x = _mm256_add_ps(x, _mm256_castsi256_ps(_mm256_slli_si256(_mm256_castps_si256(x), 4)));
    x = _mm256_add_ps(x, _mm256_castsi256_ps(_mm256_slli_si256(_mm256_castps_si256(x), 8)));
    const __m256 lower = _mm256_permute2f128_ps(x, x, 0x08);  // the first four where the last are, and zeros before
    group.part[0] = (Floats)_mm256_add_ps(x, _mm256_permute_ps(lower, 0xff));
#else
    for (std::size_t i = 0; i < kParts; ++i) {
        Floats x = group.part[i];
        x += __builtin_shufflevector(Floats{}, x, 0, 4, 5, 6);
        x += __builtin_shufflevector(Floats{}, x, 0, 1, 4, 5);
        group.part[i] = i == 0 ? x : x + group.part[0][3];
    }
#endif
    return group;
}

static inline __attribute__((always_inline)) Floats last_of(const Group& group) {
#if LANES_WIDTH == 32
    return (Floats)_mm256_permutevar8x32_ps((__m256)group.part[0], _mm256_set1_epi32(7));
#else
    return spread(group.part[1][3]);
#endif
}

// How many of the numbers are `bound` or less.
static inline __attribute__((always_inline)) unsigned at_most(const Group& group, Floats bound) {
#if LANES_WIDTH == 32
    const __m256 yes = _mm256_cmp_ps((__m256)group.part[0], (__m256)bound, _CMP_LE_OQ);
    return static_cast<unsigned>(__builtin_popcount(static_cast<unsigned>(_mm256_movemask_ps(yes))));
#else
    const Counts yes = (group.part[0] <= bound) + (group.part[1] <= bound);
    return static_cast<unsigned>(-(yes[0] + yes[1] + yes[2] + yes[3]));
#endif
}

// Add one, or minus one, to number `place` of `counts`, by whole groups: what is read next is a group too.
template <int Sign>
static inline __attribute__((always_inline)) void count(std::int32_t* counts, unsigned place) {
    std::int32_t* const group = counts + place / kGroup * kGroup;
    const std::int32_t* const one = kOne[place % kGroup];
    for (std::size_t i = 0; i < kParts; ++i) {
        const Counts change = load<Counts>(one + i * kPart), old = load<Counts>(group + i * kPart);
        store(group + i * kPart, Sign > 0 ? old + change : old - change);
    }
}

// The topic that share `share` of the token's weights falls to: (document's count + alpha) / total * (word's count + beta).
template <std::size_t Groups>
static inline __attribute__((always_inline)) unsigned drawn(const Stream& stream, const std::int32_t* row, const State& state,
                                                            const Prior& prior, float share, float* sums) {
    const std::size_t groups = Groups > 0 ? Groups : state.padded / kGroup;
    const Floats beta = spread(prior.beta);
    Floats before = Floats{};
    Group held[Groups > 0 ? Groups : 1];
    for (std::size_t g = 0; g < groups; ++g) {
        Group weights;
        for (std::size_t i = 0; i < kParts; ++i) {
            const std::size_t at = g * kGroup + i * kPart;
            const Floats here = __builtin_convertvector(load<Counts>(stream.counts + at), Floats) + load<Floats>(prior.alpha + at);
            const Floats word = __builtin_convertvector(load<Counts>(row + at), Floats) + beta;
            weights.part[i] = here * load<Floats>(stream.parts + at) * word;
        }
        Group sum = summed(weights);
        if (g > 0)
            for (std::size_t i = 0; i < kParts; ++i) sum.part[i] += before;
        before = last_of(sum);
        if constexpr (Groups > 0) held[g] = sum;
        else
            for (std::size_t i = 0; i < kParts; ++i) store(sums + g * kGroup + i * kPart, sum.part[i]);
    }
    const Floats bound = spread(share) * before;
    unsigned topic = 0;
    for (std::size_t g = 0; g < groups; ++g) {
        if constexpr (Groups == 0)
            for (std::size_t i = 0; i < kParts; ++i) held[0].part[i] = load<Floats>(sums + g * kGroup + i * kPart);
        topic += at_most(held[Groups > 0 ? g : 0], bound);
    }
    const unsigned last = static_cast<unsigned>(state.topics - 1);
    return topic < last ? topic : last;
}

template <std::size_t Groups>
static void run(Work& work) {
    const Corpus& corpus = work.corpus;
    const State& state = work.state;
    unsigned chosen[kStreams];
    while (work.active > 0) {
        for (std::size_t s = 0; s < work.active; ++s) {
            Stream& stream = work.streams[s];
            const unsigned old = state.assigned[stream.token];
            stream.row = state.word_topics + static_cast<std::size_t>(corpus.words[stream.token]) * state.padded;
            count<-1>(stream.row, old);
            count<-1>(stream.counts, old);
        }
        for (std::size_t s = 0; s < work.active; ++s) {
            const Stream& stream = work.streams[s];
            const float share = work.chance.share(static_cast<std::uint64_t>(stream.token));
            chosen[s] = drawn<Groups>(stream, stream.row, state, work.prior, share, work.sums.data());
        }
        for (std::size_t s = 0; s < work.active; ++s) {
            Stream& stream = work.streams[s];
            count<1>(stream.row, chosen[s]);
            count<1>(stream.counts, chosen[s]);
            state.assigned[stream.token++] = static_cast<std::uint16_t>(chosen[s]);
        }
        for (std::size_t s = work.active; s-- > 0;)
            if (work.streams[s].token == work.streams[s].end) work.next_document(s);
    }
}

static void sweep(Work& work) {
    switch (work.state.padded / kGroup) {
        case 1: return run<1>(work);
        case 2: return run<2>(work);
        case 3: return run<3>(work);
        case 4: return run<4>(work);
        default: return run<0>(work);
    }
}

#undef LANES_WIDTH
