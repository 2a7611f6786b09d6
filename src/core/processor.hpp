// What this processor can do: kernels with several versions ask here, at run time, which one to take.
#pragma once

#include <string_view>
#include <vector>

#if defined(__x86_64__)
#define SAGEDOCK_X86 1
#define SAGEDOCK_AVX2 __attribute__((target("avx2,bmi,bmi2,fma")))
#define SAGEDOCK_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,bmi,bmi2,fma")))
#endif

namespace sagedock {

enum class InstructionSet { scalar, avx2, avx512 };  // in this order; each includes those before it

std::string_view name_of(InstructionSet set);

// What this processor and this build have, the best last.
std::vector<InstructionSet> instruction_sets();

// The best one, until another was chosen.
InstructionSet instruction_set();

// Choose one for the whole process; false, and nothing happens, when it is not to be had here.
bool choose(std::string_view name);

}  // namespace sagedock
