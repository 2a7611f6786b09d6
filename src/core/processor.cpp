#include "processor.hpp"

#include <atomic>

namespace sagedock {

namespace {

std::atomic<InstructionSet> chosen{instruction_sets().back()};

}  // namespace

std::string_view name_of(InstructionSet set) {
    switch (set) {
        case InstructionSet::avx512: return "avx512";
        case InstructionSet::avx2: return "avx2";
        default: return "scalar";
    }
}

std::vector<InstructionSet> instruction_sets() {
    std::vector<InstructionSet> found{InstructionSet::scalar};
#ifdef SAGEDOCK_X86
    __builtin_cpu_init();
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
                      __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("fma");
    if (avx2) found.push_back(InstructionSet::avx2);
    if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        found.push_back(InstructionSet::avx512);
#endif
    return found;
}

InstructionSet instruction_set() { return chosen.load(std::memory_order_relaxed); }

bool choose(std::string_view name) {
    for (const InstructionSet set : instruction_sets()) {
        if (name_of(set) == name) {
            chosen.store(set, std::memory_order_relaxed);
            return true;
        }
    }
    return false;
}

}  // namespace sagedock
