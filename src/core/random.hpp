// Random numbers that are a function of a counter: uniforms of sagedock/algorithms/randomcutforest/forest.py.
#pragma once

#include <cstdint>

#include "splitmix.hpp"

namespace sagedock {

// The numbers of one stream of a seed, each from [0, 1).
class Uniforms {
   public:
    Uniforms(uint64_t seed, uint64_t stream) : key_(mixed(mixed(seed) + splitmix_step * (stream + 1))) {}

    double operator()(uint64_t number) const {
        return static_cast<double>(mixed(key_ + splitmix_step * (number + 1)) >> 11) * 0x1p-53;
    }

   private:
    uint64_t key_;
};

}  // namespace sagedock
