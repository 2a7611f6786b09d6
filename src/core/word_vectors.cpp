#include "word_vectors.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <system_error>
#include <thread>

#include "chance.hpp"
#include "processor.hpp"
#ifdef SAGEDOCK_X86
#include <immintrin.h>
#endif

#pragma GCC diagnostic ignored "-Wpsabi"  // vectors are passed between inlined functions only

namespace sagedock::word_vectors {

namespace {

// Hidden vectors against output rows, no row of which stands twice. Rows and scores belong to others.
struct Block {
    float* const* hidden;
    float* const* changes;  // where the change of each hidden vector is added: the vector itself, or another
    std::size_t hidden_count;
    float* const* outputs;
    std::size_t output_count;
    const float* labels;   // (stride): 1 for what stands near, 0 for noise
    const float* weights;  // (stride): how often each output row counts, zero from output_count on
    float* scores;         // (hidden_count, stride)
    std::size_t stride;
};

// What is written for each instruction set (word_lanes.hpp).
struct Kernels {
    std::size_t lanes;
    void (*learn)(const Block&, std::size_t width, float rate);
    void (*average)(float* const* rows, std::size_t count, std::size_t width, float* mean);
    void (*add)(float* const* rows, std::size_t count, std::size_t width, const float* change, float factor);
};

constexpr std::size_t kMostLanes = 16;
constexpr std::size_t kClaim = 8;  // sentences that a thread takes at once

constexpr std::size_t padded(std::size_t count) { return (count + kMostLanes - 1) / kMostLanes * kMostLanes; }

}  // namespace

#define LANES_SOURCE "word_lanes.hpp"
#include "each_instruction_set.hpp"

namespace {

const Kernels& kernels_here() {
#ifdef SAGEDOCK_X86
    if (instruction_set() == InstructionSet::avx512) return avx512::kernels;
    if (instruction_set() == InstructionSet::avx2) return avx2::kernels;
#endif
    return baseline::kernels;
}

// A block in the making, in memory that is there from the beginning.
struct Draft {
    std::vector<float*> rows;       // of the input matrix, those of one hidden vector after those of the other
    std::vector<std::size_t> ends;  // where each hidden vector's end in `rows`
    std::vector<std::int32_t> targets;
    std::vector<float*> outputs;
    std::vector<float> labels;
    std::vector<float> weights;
    std::size_t row_count = 0;
    std::size_t hidden_count = 0;
    std::size_t output_count = 0;
    float output_speed = 1;  // how many times faster output rows move than rows of the input matrix

    Draft(std::size_t most_rows, std::size_t most_hidden, std::size_t most_outputs)
        : rows(most_rows), ends(most_hidden), targets(most_outputs), outputs(most_outputs), labels(padded(most_outputs)),
          weights(padded(most_outputs)) {}

    std::size_t stride() const { return padded(output_count); }
    void clear() { row_count = hidden_count = output_count = 0; }
    void end_hidden() { ends[hidden_count++] = row_count; }

    // A target once more, or for the first time.
    void take(std::int32_t word, float* row, float label) {
        const auto end = targets.begin() + static_cast<std::ptrdiff_t>(output_count);
        const auto place = static_cast<std::size_t>(std::find(targets.begin(), end, word) - targets.begin());
        if (place < output_count) {
            weights[place] += labels[place] == label ? 1.0F : 0.0F;  // noise that is the centre itself does not count
            return;
        }
        targets[output_count] = word;
        outputs[output_count] = row;
        labels[output_count] = label;
        weights[output_count++] = 1.0F;
    }

    void pad() {
        for (std::size_t at = output_count; at < stride(); ++at) labels[at] = weights[at] = 0.0F;
    }
};

}  // namespace

// One thread at work: sentences in, blocks out, one made ready and fetched while the one before it is learnt.
class Reader {
public:
    explicit Reader(const Trainer& trainer) : Reader(trainer, trainer.most_words_in_block()) {}

    void learn(std::size_t sentence, const Part& part, float rate);

private:
    Reader(const Trainer& trainer, std::size_t most_words);

    static Draft draft_for(const Trainer& trainer, std::size_t most_words);
    void keep(std::size_t sentence, Chance& chance);
    bool go_on();
    bool make(Draft& draft, Chance& chance);
    void take_word(Draft& draft, std::int32_t word) const;
    void take_target(Draft& draft, std::int32_t word, float label) const;
    std::int32_t draw(Chance& chance) const;
    void learn(const Draft& draft, float rate);

    const Trainer& trainer_;
    const Kernels& kernels_;
    std::vector<std::int32_t> words_;  // of the sentence, without what sub-sampling leaves out
    std::vector<std::uint32_t> reach_;
    std::size_t kept_ = 0;
    std::size_t next_ = 0;  // the word after the centre
    std::int32_t centre_ = 0;
    std::vector<std::int32_t> context_;
    std::size_t context_count_ = 0;
    std::size_t begun_ = 0;  // words of the context that have been in a block
    Draft drafts_[2];
    std::vector<float> scores_;
    std::vector<float> hidden_;          // the hidden vectors of a block
    std::vector<float> changes_;         // what is to be added to each row of their means
    std::vector<float*> hidden_places_;  // where each begins
    std::vector<float*> change_places_;
};

Draft Reader::draft_for(const Trainer& trainer, std::size_t most_words) {
    const std::size_t hidden = trainer.settings_.mode == Mode::cbow ? 1 : most_words;
    return Draft(std::min(most_words * trainer.widest_, trainer.most_rows_), hidden, 1 + trainer.settings_.negatives);
}

Reader::Reader(const Trainer& trainer, std::size_t most_words)
    : trainer_(trainer), kernels_(kernels_here()), words_(trainer.longest_), reach_(trainer.longest_),
      context_(trainer.most_context()), drafts_{draft_for(trainer, most_words), draft_for(trainer, most_words)},
      scores_(drafts_[0].ends.size() * drafts_[0].labels.size()), hidden_(drafts_[0].ends.size() * trainer.matrices_.stride),
      changes_(hidden_.size()), hidden_places_(drafts_[0].ends.size()), change_places_(hidden_places_.size()) {
    for (std::size_t i = 0; i < hidden_places_.size(); ++i) hidden_places_[i] = &hidden_[i * trainer.matrices_.stride];
}

void Reader::learn(std::size_t sentence, const Part& part, float rate) {
    Chance chance(part.stream, sentence);
    keep(sentence, chance);
    std::size_t now = 0;
    for (bool is_more = make(drafts_[0], chance); is_more; now = 1 - now) {
        is_more = make(drafts_[1 - now], chance);
        learn(drafts_[now], rate);
    }
}

void Reader::keep(std::size_t sentence, Chance& chance) {
    const Text& text = trainer_.text_;
    kept_ = next_ = begun_ = context_count_ = 0;
    for (std::int64_t at = text.starts[sentence]; at < text.starts[sentence + 1]; ++at) {
        const std::int32_t word = text.tokens[at];
        words_[kept_] = word;
        kept_ += chance.share() < trainer_.settings_.kept[word];
    }
    for (std::size_t at = 0; at < kept_; ++at)
        reach_[at] = 1 + static_cast<std::uint32_t>(chance.below(trainer_.settings_.window));
}

// Go to the next centre word that has a context; false at the end of the sentence.
bool Reader::go_on() {
    begun_ = context_count_ = 0;
    for (; context_count_ == 0 && next_ < kept_; ++next_) {
        const std::size_t reach = reach_[next_];
        const std::size_t first = next_ - std::min(next_, reach), last = next_ + 1 + std::min(kept_ - next_ - 1, reach);
        centre_ = words_[next_];
        for (std::size_t at = first; at < last; ++at)
            if (at != next_) context_[context_count_++] = words_[at];
    }
    return context_count_ > 0;
}

// The next block of the sentence; false at its end.
bool Reader::make(Draft& draft, Chance& chance) {
    if (begun_ == context_count_ && !go_on()) return false;
    const bool is_mean = trainer_.settings_.mode == Mode::cbow;
    const std::size_t end = std::min(context_count_, begun_ + trainer_.most_words_in_block());
    draft.clear();
    draft.output_speed = is_mean ? std::sqrt(static_cast<float>(context_count_)) : 1.0F;
    for (; begun_ < end; ++begun_) {
        take_word(draft, context_[begun_]);
        if (!is_mean) draft.end_hidden();
    }
    if (is_mean) draft.end_hidden();
    take_target(draft, centre_, 1.0F);
    for (std::size_t number = 0; number < trainer_.settings_.negatives; ++number) take_target(draft, draw(chance), 0.0F);
    draft.pad();
    return true;
}

void Reader::take_word(Draft& draft, std::int32_t word) const {
    const Text& text = trainer_.text_;
    for (std::int64_t at = text.row_starts[word]; at < text.row_starts[word + 1]; ++at)
        draft.rows[draft.row_count++] = trainer_.fetched(trainer_.matrices_.input, text.row_ids[at]);
}

void Reader::take_target(Draft& draft, std::int32_t word, float label) const {
    draft.take(word, trainer_.fetched(trainer_.matrices_.output, word), label);
}

std::int32_t Reader::draw(Chance& chance) const {
    const std::uint64_t bits = chance.half();
    const std::uint64_t* const noise = trainer_.settings_.noise;
    std::uint32_t word = trainer_.guide_[bits >> trainer_.guide_shift_];
    while (noise[word] <= bits) ++word;
    return static_cast<std::int32_t>(word);
}

void Reader::learn(const Draft& draft, float rate) {
    const std::size_t width = trainer_.matrices_.width, stride = trainer_.matrices_.stride;
    for (std::size_t i = 0, begin = 0; i < draft.hidden_count; begin = draft.ends[i++]) {
        const std::size_t count = draft.ends[i] - begin;
        change_places_[i] = count == 1 ? draft.rows[begin] : &changes_[i * stride];
        if (count == 1) {
            std::memcpy(hidden_places_[i], draft.rows[begin], stride * sizeof(float));
        } else {
            kernels_.average(&draft.rows[begin], count, width, hidden_places_[i]);
            std::memset(change_places_[i], 0, stride * sizeof(float));
        }
    }
    kernels_.learn({hidden_places_.data(), change_places_.data(), draft.hidden_count, draft.outputs.data(),
                    draft.output_count, draft.labels.data(), draft.weights.data(), scores_.data(), draft.stride()},
                   width, rate * draft.output_speed);
    for (std::size_t i = 0, begin = 0; i < draft.hidden_count; begin = draft.ends[i++]) {
        const std::size_t count = draft.ends[i] - begin;
        if (count > 1) kernels_.add(&draft.rows[begin], count, width, change_places_[i], 1.0F / draft.output_speed);
    }
}

Mode mode_of(std::string_view name) {
    if (name == "skipgram") return Mode::skipgram;
    if (name == "cbow") return Mode::cbow;
    if (name == "batch_skipgram") return Mode::batch_skipgram;
    throw std::invalid_argument("there is no such mode of training word vectors");
}

Trainer::Trainer(const Text& text, const Matrices& matrices, const Settings& settings)
    : text_(text), matrices_(matrices), settings_(settings) {
    if (matrices_.stride % kMostLanes != 0 || matrices_.stride < matrices_.width)
        throw std::invalid_argument("rows have to be padded to multiples of sixteen numbers");
    if (settings_.window == 0 || settings_.window >> 32 != 0 || settings_.batch == 0)
        throw std::invalid_argument("window and batch have to be 1 at least");
    check_rows();
    check_sentences();
    make_guide();
}

// Also finds how much there is in a word and in a sentence at most, which says how much memory training needs.
void Trainer::check_rows() {
    const std::int64_t* const starts = text_.row_starts;
    if (starts[0] != 0 || starts[text_.words] != static_cast<std::int64_t>(text_.row_count))
        throw std::invalid_argument("the rows of words do not begin and end with the list of rows");
    for (std::size_t word = 0; word < text_.words; ++word) {
        if (starts[word] >= starts[word + 1]) throw std::invalid_argument("every word needs a row");
        widest_ = std::max(widest_, static_cast<std::size_t>(starts[word + 1] - starts[word]));
    }
    for (std::size_t at = 0; at < text_.row_count; ++at)
        if (text_.row_ids[at] < 0 || static_cast<std::size_t>(text_.row_ids[at]) >= matrices_.input_rows)
            throw std::invalid_argument("a word has a row that the input matrix does not have");
}

void Trainer::check_sentences() {
    const std::int64_t* const starts = text_.starts;
    if (starts[0] < 0 || starts[text_.sentences] > static_cast<std::int64_t>(text_.token_count))
        throw std::invalid_argument("sentences begin or end outside the text");
    if (!std::is_sorted(starts, starts + text_.sentences + 1)) throw std::invalid_argument("sentences are not in order");
    for (std::size_t sentence = 0; sentence < text_.sentences; ++sentence) {
        std::size_t rows = 0;
        for (std::int64_t at = starts[sentence]; at < starts[sentence + 1]; ++at) {
            const std::int32_t word = text_.tokens[at];
            if (word < 0 || static_cast<std::size_t>(word) >= text_.words)
                throw std::invalid_argument("the text has a word that the vocabulary does not have");
            rows += static_cast<std::size_t>(text_.row_starts[word + 1] - text_.row_starts[word]);
        }
        longest_ = std::max(longest_, static_cast<std::size_t>(starts[sentence + 1] - starts[sentence]));
        most_rows_ = std::max(most_rows_, rows);
    }
}

// A table of the leading bits of a draw, about as long as the vocabulary: from there a draw looks at two words or so.
void Trainer::make_guide() {
    const std::uint64_t* const noise = settings_.noise;
    if (text_.words == 0 || noise[text_.words - 1] < std::uint64_t{1} << 32)
        throw std::invalid_argument("the probabilities of noise do not add up to one");
    guide_shift_ = 24;
    while (guide_shift_ > 8 && std::size_t{1} << (32 - guide_shift_) < text_.words) --guide_shift_;
    guide_.resize(std::size_t{1} << (32 - guide_shift_));
    std::uint32_t word = 0;
    for (std::uint64_t place = 0; place < guide_.size(); ++place) {
        while (noise[word] <= place << guide_shift_) ++word;
        guide_[place] = word;
    }
}

// The words of a context at most.
std::size_t Trainer::most_context() const { return 2 * std::min(settings_.window, longest_); }

// The words of a context that one block takes at most.
std::size_t Trainer::most_words_in_block() const {
    return settings_.mode == Mode::batch_skipgram ? std::min(settings_.batch, most_context()) : most_context();
}

// A row of a matrix, on its way into the processor's cache.
float* Trainer::fetched(float* matrix, std::int32_t row) const {
    float* const begin = matrix + static_cast<std::size_t>(row) * matrices_.stride;
    for (std::size_t at = 0; at < matrices_.width; at += kMostLanes) __builtin_prefetch(begin + at, 1);
    return begin;
}

void Trainer::learn(const Part& part, std::size_t threads) const {
    std::atomic<std::size_t> next{part.first};
    std::atomic<std::int64_t> done{part.done};
    const std::size_t last = std::min(part.last, text_.sentences);
    const auto work = [&](Reader& reader) {
        for (;;) {
            const std::size_t first = next.fetch_add(kClaim, std::memory_order_relaxed);
            if (first >= last) return;
            for (std::size_t sentence = first; sentence < std::min(first + kClaim, last); ++sentence) {
                const auto read = static_cast<double>(done.load(std::memory_order_relaxed));
                const double left = part.total > 0 ? std::max(1.0 - read / static_cast<double>(part.total), 0.0) : 0.0;
                reader.learn(sentence, part, static_cast<float>(part.rate * left));
                done.fetch_add(text_.starts[sentence + 1] - text_.starts[sentence], std::memory_order_relaxed);
            }
        }
    };
    std::vector<Reader> readers;
    for (std::size_t number = 0; number < std::max<std::size_t>(threads, 1); ++number) readers.emplace_back(*this);
    std::vector<std::thread> others;
    others.reserve(readers.size());
    try {
        for (std::size_t number = 1; number < readers.size(); ++number) others.emplace_back(work, std::ref(readers[number]));
    } catch (const std::system_error&) {  // no more threads are to be had: those there are do the work
    }
    work(readers[0]);
    for (std::thread& other : others) other.join();
}

}  // namespace sagedock::word_vectors
