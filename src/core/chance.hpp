// A stream of 64-bit random numbers whose n-th depends on the stream and n alone; sagedock.algorithms.blazingtext.chance
// makes the same ones.
#pragma once

#include <cstdint>

#include "splitmix.hpp"

namespace sagedock {

class Chance {
public:
    // `part` chooses one of the streams that `stream` names.
    Chance(std::uint64_t stream, std::uint64_t part) : state_(mixed(stream + part)) {}

    std::uint64_t next() { return mixed(state_ += splitmix_step); }
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
