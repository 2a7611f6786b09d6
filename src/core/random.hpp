// Random numbers that are a function of a counter: uniforms of sagedock/algorithms/randomcutforest/forest.py.
#pragma once

#include <cstdint>

namespace sagedock {

// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): the mixing of its counter.
inline uint64_t mixed(uint64_t bits) {
    bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9u;
    bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EBu;
    return bits ^ (bits >> 31);
}

// The numbers of one stream of a seed, each from [0, 1).
class Uniforms {
   public:
    Uniforms(uint64_t seed, uint64_t stream) : key_(mixed(mixed(seed) + step * (stream + 1))) {}

    double operator()(uint64_t number) const {
        return static_cast<double>(mixed(key_ + step * (number + 1)) >> 11) * 0x1p-53;
    }

   private:
    static constexpr uint64_t step = 0x9E3779B97F4A7C15u;
    uint64_t key_;
};

}  // namespace sagedock
