// A stream of 64-bit random numbers whose n-th depends on the stream and n alone: SplitMix64 (Steele, Lea and Flood, Fast
// Splittable Pseudorandom Number Generators, 2014). sagedock.algorithms.blazingtext.chance makes the same ones.
#pragma once

#include <cstdint>

namespace sagedock {

// A permutation of the 64-bit numbers in which each bit of the argument changes half of those of the result.
inline std::uint64_t mix(std::uint64_t bits) {
    bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9U;
    bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebU;
    return bits ^ (bits >> 31);
}

class Chance {
public:
    // `part` chooses one of the streams that `stream` names.
    Chance(std::uint64_t stream, std::uint64_t part) : state_(mix(stream + part)) {}

    std::uint64_t next() { return mix(state_ += 0x9e3779b97f4a7c15U); }
    // Uniform over the 2^24 multiples of 2^-24 from 0 up to 1.
    float share() { return static_cast<float>(next() >> 40) * 0x1p-24F; }
    // Uniform from 0 up to 2^32.
    std::uint64_t half() { return next() >> 32; }
    // Nearly uniform from 0 up to `limit`, which is at most 2^32.
    std::uint64_t below(std::uint64_t limit) { return (half() * limit) >> 32; }

private:
    std::uint64_t state_;
};

}  // namespace sagedock
