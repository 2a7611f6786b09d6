// SplitMix64 (Steele, Lea and Flood, Fast Splittable Pseudorandom Number Generators, 2014): what all random numbers of the
// core are made of.
#pragma once

#include <cstdint>

namespace sagedock {

// How far a state moves on between two numbers.
constexpr std::uint64_t splitmix_step = 0x9E3779B97F4A7C15u;

// A permutation of the 64-bit numbers in which each bit of the argument changes half of those of the result.
inline std::uint64_t mixed(std::uint64_t bits) {
    bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9u;
    bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EBu;
    return bits ^ (bits >> 31);
}

}  // namespace sagedock
