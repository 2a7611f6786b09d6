#include "topic_sampler.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "processor.hpp"
#include "splitmix.hpp"
#ifdef SAGEDOCK_X86
#include <immintrin.h>
#endif

#pragma GCC diagnostic ignored "-Wpsabi"  // vectors are passed between inlined functions only

namespace sagedock::topics {

namespace {

constexpr std::int32_t kOne[kGroup][kGroup] = {{1}, {0, 1}, {0, 0, 1}, {0, 0, 0, 1}, {0, 0, 0, 0, 1}, {0, 0, 0, 0, 0, 1},
                                               {0, 0, 0, 0, 0, 0, 1}, {0, 0, 0, 0, 0, 0, 0, 1}};

// One uniform for each token of a sweep.
class Chance {
public:
    Chance(std::uint64_t seed, std::uint64_t sweep) : key_(mixed(mixed(seed) + splitmix_step * (sweep + 1))) {}

    // From 0 up to 1, in steps of 2^-24.
    float share(std::uint64_t number) const {
        return static_cast<float>(mixed(key_ + splitmix_step * (number + 1)) >> 40) * 0x1p-24F;
    }

private:
    std::uint64_t key_;
};

// One run of documents, of which one is worked on: its counts of topics, and one over each topic's total and prior.
struct Stream {
    std::int64_t token, end;  // next, and the end of the document
    std::size_t document, last_document;
    std::int32_t *counts, *before;  // now, and when it was begun
    float* parts;
    std::int32_t* row;  // of the token's word
};

struct Work {
    const Corpus& corpus;
    const State& state;
    const Prior& prior;
    const Chance chance;
    std::vector<std::int32_t> counts;
    std::vector<float> parts, sums;
    Stream streams[kStreams];
    std::size_t active = 0;

    Work(const Corpus& whole, const State& known, const Prior& given, Chance chances)
        : corpus(whole), state(known), prior(given), chance(chances), counts(2 * kStreams * known.padded),
          parts(kStreams * known.padded), sums(known.padded) {
        const std::int64_t tokens = corpus.starts[corpus.documents];
        std::size_t begin = 0;
        for (std::size_t s = 0; s < kStreams; ++s) {  // about as many tokens for each
            const std::int64_t share = tokens / static_cast<std::int64_t>(kStreams) * static_cast<std::int64_t>(s + 1);
            const std::int64_t* const place = std::lower_bound(corpus.starts, corpus.starts + corpus.documents, share);
            const std::size_t end = s + 1 == kStreams ? corpus.documents : static_cast<std::size_t>(place - corpus.starts);
            Stream& stream = streams[active];
            stream = {0, 0, begin, end, &counts[2 * active * state.padded], &counts[(2 * active + 1) * state.padded],
                      &parts[active * state.padded], nullptr};
            begin = end;
            if (open(stream)) ++active;
        }
    }

    // Stand before the next document that has tokens; false when there is none.
    bool open(Stream& stream) {
        while (stream.document < stream.last_document &&
               corpus.starts[stream.document] == corpus.starts[stream.document + 1]) ++stream.document;
        if (stream.document == stream.last_document) return false;
        stream.token = corpus.starts[stream.document];
        stream.end = corpus.starts[stream.document + 1];
        std::fill_n(stream.counts, state.padded, 0);
        for (std::int64_t token = stream.token; token < stream.end; ++token) ++stream.counts[state.assigned[token]];
        std::copy_n(stream.counts, state.padded, stream.before);
        for (std::size_t topic = 0; topic < state.topics; ++topic)
            stream.parts[topic] = 1.0F / (static_cast<float>(state.totals[topic]) + prior.all_words);
        return true;
    }

    // The document of stream `s` is done: go on with the next, or without the stream.
    void next_document(std::size_t s) {
        Stream& stream = streams[s];
        for (std::size_t topic = 0; topic < state.topics; ++topic) state.totals[topic] += stream.counts[topic] - stream.before[topic];
        ++stream.document;
        if (!open(stream)) std::swap(stream, streams[--active]);
    }
};

#define LANES_SOURCE "topic_lanes.hpp"
#include "each_instruction_set.hpp"

}  // namespace

void sweep(const Corpus& corpus, const State& state, const Prior& prior, std::uint64_t seed, std::uint64_t number) {
    Work work(corpus, state, prior, Chance(seed, number));
#ifdef SAGEDOCK_X86
    if (instruction_set() == InstructionSet::avx512) return avx512::sweep(work);
    if (instruction_set() == InstructionSet::avx2) return avx2::sweep(work);
#endif
    baseline::sweep(work);
}

namespace {

// Of how many documents the number is larger than 0, larger than 1 and so on.
void tally(std::vector<std::int64_t>& larger, std::size_t number) {
    if (larger.size() < number) larger.resize(number);
    if (number > 0) ++larger[number - 1];
}

void accumulate(std::vector<std::int64_t>& larger) {
    for (std::size_t at = larger.size(); at-- > 1;) larger[at - 1] += larger[at];
}

// The sum of digamma(number + shift) - digamma(shift) over documents.
double rise(const std::vector<std::int64_t>& larger, double shift) {
    double sum = 0;
    for (std::size_t at = 0; at < larger.size(); ++at) sum += static_cast<double>(larger[at]) / (static_cast<double>(at) + shift);
    return sum;
}

}  // namespace

void fit_alpha(const Corpus& corpus, const std::uint16_t* assigned, double* alpha, std::size_t topics, std::size_t rounds,
               double least) {
    std::vector<std::vector<std::int64_t>> of_topic(topics);
    std::vector<std::int64_t> of_length;
    std::vector<std::size_t> counts(topics);
    for (std::size_t document = 0; document < corpus.documents; ++document) {
        const std::int64_t begin = corpus.starts[document], end = corpus.starts[document + 1];
        std::fill(counts.begin(), counts.end(), std::size_t{0});
        for (std::int64_t token = begin; token < end; ++token) ++counts[assigned[token]];
        for (std::size_t topic = 0; topic < topics; ++topic) tally(of_topic[topic], counts[topic]);
        tally(of_length, static_cast<std::size_t>(end - begin));
    }
    for (auto& larger : of_topic) accumulate(larger);
    accumulate(of_length);
    for (std::size_t round = 0; round < rounds; ++round) {
        double all = 0;
        for (std::size_t topic = 0; topic < topics; ++topic) all += alpha[topic];
        const double lengths = rise(of_length, all);
        if (!(lengths > 0)) return;
        for (std::size_t topic = 0; topic < topics; ++topic)
            alpha[topic] = std::max(alpha[topic] * rise(of_topic[topic], alpha[topic]) / lengths, least);
    }
}

}  // namespace sagedock::topics
