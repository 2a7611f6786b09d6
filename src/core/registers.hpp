// One register of floats, whatever this processor's has of them. Included by kernels that are compiled once for each
// instruction set (each_instruction_set.hpp), with LANES_BYTES the size of a register; therefore no guard.

#undef LANES_FUSED
#if LANES_BYTES == 64
#define LANES_FUSED(a, b, c) _mm512_fmadd_ps(a, b, c)
#elif LANES_BYTES == 32
#define LANES_FUSED(a, b, c) _mm256_fmadd_ps(a, b, c)
#else
#define LANES_FUSED(a, b, c) ((a) * (b) + (c))
#endif

using Vector = float __attribute__((vector_size(LANES_BYTES)));
using Bits = std::uint32_t __attribute__((vector_size(LANES_BYTES)));
constexpr std::size_t kLane = LANES_BYTES / sizeof(float);

static inline __attribute__((always_inline)) Vector load(const float* from) {
    Vector vector;
    std::memcpy(&vector, from, sizeof vector);
    return vector;
}

static inline __attribute__((always_inline)) void store(float* to, Vector vector) { std::memcpy(to, &vector, sizeof vector); }

static inline __attribute__((always_inline)) Vector spread(float value) {
    return value - Vector{};  // x - 0 is x in every bit, so that compilers leave the subtraction out
}
