// The kernels of LANES_SOURCE, a header that is included again and again: compiled once for each instruction set, in the
// namespaces baseline, avx2 and avx512, with LANES_BYTES the size of a vector register. Which is used is chosen at run
// time (processor.hpp). No guard: a file includes it once, after defining LANES_SOURCE.
namespace baseline {
#define LANES_BYTES 16
#include LANES_SOURCE
#undef LANES_BYTES
}  // namespace baseline

#ifdef SAGEDOCK_X86
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif
namespace avx2 {
#define LANES_BYTES 32
#include LANES_SOURCE
#undef LANES_BYTES
}  // namespace avx2
#if defined(__clang__)
#pragma clang attribute pop
#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512dq"))), apply_to = function)
#else
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx512f,avx512vl,avx512dq")
#endif
namespace avx512 {
#define LANES_BYTES 64
#include LANES_SOURCE
#undef LANES_BYTES
}  // namespace avx512
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
