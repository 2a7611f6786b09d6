#include "mixtures.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "processor.hpp"
#ifdef SAGEDOCK_X86
#include <immintrin.h>
#endif

#pragma GCC diagnostic ignored "-Wpsabi"  // vectors are passed between inlined functions only

namespace sagedock::mixtures {

namespace {

constexpr float kLargest = std::numeric_limits<float>::max();

struct Document {
    const std::int32_t* words;
    const float* counts;
    std::size_t size;
};

#define LANES_SOURCE "mixture_lanes.hpp"
#include "each_instruction_set.hpp"

using Settle = bool (*)(const Topics&, const Document&, const Rule&, float*, float*);

Settle settle_here() {
#ifdef SAGEDOCK_X86
    if (instruction_set() == InstructionSet::avx512) return avx512::settle;
    if (instruction_set() == InstructionSet::avx2) return avx2::settle;
#endif
    return baseline::settle;
}

// Write what is left of the shares once the small ones are nothing, so that they are 1 together again.
void write(const float* shares, std::size_t topics, float least, float* mixture) {
    float all = 0;
    for (std::size_t topic = 0; topic < topics; ++topic)
        if (shares[topic] >= least) all += shares[topic];
    for (std::size_t topic = 0; topic < topics; ++topic) mixture[topic] = shares[topic] >= least ? shares[topic] / all : 0.0F;
}

}  // namespace

void infer(const Topics& topics, const Documents& documents, const Rule& rule, float* mixtures) {
    const Settle settle = settle_here();
    std::vector<float> shares(topics.padded), sums(topics.padded);
    for (std::size_t d = 0; d < documents.documents; ++d) {
        const std::int64_t begin = documents.starts[d], end = documents.starts[d + 1];
        const Document document{documents.words + begin, documents.counts + begin, static_cast<std::size_t>(end - begin)};
        std::fill(shares.begin(), shares.end(), 0.0F);
        std::fill_n(shares.begin(), topics.topics, 1.0F / static_cast<float>(topics.topics));
        float* const mixture = mixtures + d * topics.topics;
        if (settle(topics, document, rule, shares.data(), sums.data())) write(shares.data(), topics.topics, rule.least, mixture);
        else std::copy_n(topics.prior, topics.topics, mixture);
    }
}

}  // namespace sagedock::mixtures
