// Feeds a kernel of the compiled core damaged inputs, compiled with sanitizers: fuzz KERNEL INPUTS SEED
//
// Input number i of a seed is made from the two alone. Every input and every output lies in memory of exactly its size,
// so that a byte beyond is an error. What ends the program prints the input first. A kernel is one entry of `kernels`.
#include <sanitizer/common_interface_defs.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "classifier.hpp"
#include "csv.hpp"
#include "cuts.hpp"
#include "documents.hpp"
#include "examples.hpp"
#include "forecaster.hpp"
#include "growth.hpp"
#include "hls.hpp"
#include "instances.hpp"
#include "lines.hpp"
#include "libsvm.hpp"
#include "mixtures.hpp"
#include "nearest.hpp"
#include "number.hpp"
#include "processor.hpp"
#include "questions.hpp"
#include "recurrence.hpp"
#include "repr.hpp"
#include "resampling.hpp"
#include "reservoir.hpp"
#include "text.hpp"
#include "tokenizer.hpp"
#include "topic_encoder.hpp"
#include "topic_sampler.hpp"
#include "trees.hpp"
#include "vocabulary.hpp"
#include "word_vectors.hpp"

namespace {

namespace csv = sagedock::csv;
namespace libsvm = sagedock::libsvm;

using Chance = std::mt19937_64;

std::string current;
std::uint64_t current_seed;

void print_current() {
    std::fprintf(stderr, "input of seed %llu, %zu bytes: ", static_cast<unsigned long long>(current_seed), current.size());
    for (const unsigned char byte : current.substr(0, 4000)) std::fprintf(stderr, byte < 32 || byte > 126 ? "\\x%02x" : "%c", byte);
    std::fprintf(stderr, "\n");
}

void require(bool condition, const char* what) {
    if (condition) return;
    std::fprintf(stderr, "not so: %s\n", what);
    print_current();
    std::abort();
}

// Memory of exactly so many elements.
template <class Element>
std::unique_ptr<Element[]> exactly(std::size_t count) { return std::unique_ptr<Element[]>(new Element[count]); }

bool usable(float value) { return !std::isinf(value); }

void fuzz_number(std::string_view text) {
    float value = 0;
    const char* const end = text.data() + text.size();
    const char* stop = sagedock::read_number(text.data(), end, value);
    if (stop == nullptr) return;
    const std::string number(text.data(), stop);
    const auto expected = static_cast<float>(std::strtod(number.c_str(), nullptr));
    require(std::memcmp(&value, &expected, sizeof value) == 0, "the nearest double and then a float");
    float again = 0;
    if (sagedock::read_short(text.data(), stop, end, again))
        require(std::memcmp(&value, &again, sizeof value) == 0, "the short way is the long way");
}

void fuzz_csv(std::string_view body) {
    const std::string_view text = csv::records(body);
    if (text.empty()) return;
    const csv::Shape shape = csv::shape_of(text, ',');
    if (shape.rows > (text.size() + 1) / shape.columns) return;
    const std::size_t count = shape.rows * shape.columns;
    const auto features = exactly<float>(count);
    if (!csv::read_rows(text, ',', shape, {nullptr, 0, features.get()})) return;
    for (std::size_t cell = 0; cell < count; ++cell) require(usable(features[cell]), "finite or missing");
}

void fuzz_csv_block(std::string_view text) {
    const char delimiter = ",;\t |"[text.size() % 5];
    const csv::Shape shape = csv::shape_of(text, delimiter);
    const std::size_t leading = text.size() % 3;
    if (shape.columns <= leading || shape.rows > (text.size() + 1) / shape.columns) return;
    const auto first = exactly<float>(shape.rows), second = exactly<float>(shape.rows);
    const auto features = exactly<float>(shape.rows * (shape.columns - leading));
    float* columns[] = {first.get(), second.get()};
    if (!csv::read_rows(text, delimiter, shape, {columns, leading, features.get()})) return;
    for (std::size_t row = 0; leading > 0 && row < shape.rows; ++row) require(usable(first[row]), "finite or missing");
}

void fuzz_libsvm(std::string_view body) {
    const libsvm::Use use = body.size() % 2 == 0 ? libsvm::Use::request : libsvm::Use::training;
    const std::string_view text = use == libsvm::Use::request ? csv::records(body) : body;
    const libsvm::Size size = libsvm::size_of(text);
    const auto labels = exactly<float>(size.rows), weights = exactly<float>(size.rows), values = exactly<float>(size.entries);
    const auto groups = exactly<std::int64_t>(size.rows), starts = exactly<std::int64_t>(size.rows + 1);
    const auto keys = exactly<std::int32_t>(size.entries);
    const libsvm::Found found = libsvm::read(
        text, use, size, {labels.get(), weights.get(), groups.get(), values.get(), keys.get(), starts.get()});
    if (!found.plain) return;
    require(found.entries <= size.entries && starts[0] == 0, "no more entries than colons");
    for (std::size_t row = 0; row < size.rows; ++row) {
        require(starts[row] <= starts[row + 1], "rows in order");
        for (std::int64_t entry = starts[row] + 1; entry < starts[row + 1]; ++entry)
            require(keys[entry - 1] < keys[entry], "indices in order");
    }
    for (std::size_t entry = 0; entry < found.entries; ++entry) require(usable(values[entry]), "finite or missing");
}

// Pixels: the bytes of `text` over and over.
std::unique_ptr<std::uint8_t[]> pixels_of(std::string_view text, std::size_t count) {
    auto pixels = exactly<std::uint8_t>(count);
    for (std::size_t i = 0; i < count; ++i) pixels[i] = text.empty() ? 0 : static_cast<std::uint8_t>(text[i % text.size()]);
    return pixels;
}

// What `write` makes of `count` bytes, by the instruction set in force and by none: the same.
template <class Write>
void require_same(std::size_t count, const Write& write) {
    const auto found = exactly<std::uint8_t>(count), plain = exactly<std::uint8_t>(count);
    write(found.get());
    const std::string_view set = sagedock::name_of(sagedock::instruction_set());
    sagedock::choose("scalar");
    write(plain.get());
    sagedock::choose(set);
    require(std::equal(found.get(), found.get() + count, plain.get()), "the same with every instruction set");
}

void fuzz_resampling(std::string_view text) {
    namespace pictures = sagedock::pictures;
    const auto number = [&](std::size_t at) { return at < text.size() ? static_cast<std::size_t>(static_cast<std::uint8_t>(text[at])) : 0; };
    const std::size_t channels = number(0) % 2 == 0 ? 1 : 3, height = 1 + number(1) % 40, width = 1 + number(2) % 60;
    pictures::Window window{1 + number(3) % 30, 1 + number(4) % 50, 0, 0, 0, 0};
    window.top = number(5) % window.height, window.left = number(6) % window.width;
    window.rows = 1 + number(7) % (window.height - window.top), window.columns = 1 + number(8) % (window.width - window.left);
    const auto pixels = pixels_of(text.substr(std::min<std::size_t>(text.size(), 9)), height * width * channels);
    require_same(channels * window.rows * window.columns, [&](std::uint8_t* planes) {
        pictures::resample({pixels.get(), height, width, channels}, window, planes);
    });
}

void fuzz_hls(std::string_view text) {
    if (text.size() < 3) return;
    const auto number = [&](std::size_t at) { return static_cast<int>(static_cast<signed char>(text[at])); };
    const std::size_t pixels = text.size() / 3;
    const auto planes = pixels_of(text, 3 * pixels);
    require_same(3 * pixels, [&](std::uint8_t* shifted) {
        sagedock::pictures::shift_hls(planes.get(), pixels, {number(0), number(1), number(2)}, shifted);
    });
}

void fuzz_repr(std::string_view bytes) {
    float value = 0;
    std::memcpy(&value, bytes.data(), bytes.size() < sizeof value ? bytes.size() : sizeof value);
    const auto out = exactly<char>(sagedock::longest_repr);
    const char* end = sagedock::write_repr(out.get(), static_cast<double>(value));
    const std::string text(static_cast<const char*>(out.get()), end);
    const double again = std::strtod(text.c_str(), nullptr);
    require(std::isnan(value) ? std::isnan(again) : again == static_cast<double>(value), "what is written is read");
}

// An LSTM layer of any size, its numbers what the bytes make: finite, endless and none at all.
void fuzz_recurrence(std::string_view text) {
    namespace recurrence = sagedock::recurrence;
    std::size_t at = 0;
    const auto byte = [&] { return text.empty() ? 0 : static_cast<int>(static_cast<unsigned char>(text[at++ % text.size()])); };
    const recurrence::Size size{static_cast<std::size_t>(byte() % 4), static_cast<std::size_t>(byte() % 14), static_cast<std::size_t>(1 + byte() % 21)};
    const std::size_t states = size.rows * size.cells, all = size.steps * states;
    bool finite = true;
    const auto filled = [&](std::size_t count) {
        auto made = exactly<float>(count);
        for (std::size_t i = 0; i < count; ++i) {
            const int drawn = byte();
            made[i] = drawn == 255 ? std::numeric_limits<float>::quiet_NaN() : drawn == 254 ? 1e38f : static_cast<float>(drawn - 128) / 64;
            finite = finite && drawn < 254;
        }
        return made;
    };
    const auto weight = filled(4 * size.cells * size.cells), gates = filled(4 * all), slopes = filled(all);
    const auto hidden = filled(all + states), cell = filled(all + states);
    const auto squashed = exactly<float>(all), outputs = exactly<float>(all), found = exactly<float>(4 * all);
    const auto kept_hidden = exactly<std::uint8_t>(all), kept_cell = exactly<std::uint8_t>(all);
    for (std::size_t i = 0; i < all; ++i) kept_hidden[i] = byte() % 2, kept_cell[i] = byte() % 2;
    const bool keeps = byte() % 2 == 0;
    const recurrence::Tape tape{gates.get(), hidden.get(), cell.get(), squashed.get(), outputs.get(),
                                keeps ? kept_hidden.get() : nullptr, keeps ? kept_cell.get() : nullptr};
    recurrence::forward(size, weight.get(), tape);
    recurrence::backward(size, weight.get(), tape, slopes.get(), found.get());
    if (!finite) return;
    for (std::size_t i = 0; i < all; ++i) {
        require(std::fabs(outputs[i]) <= 1 && std::fabs(squashed[i]) <= 1, "no output beyond one");
        if (keeps && kept_cell[i] == 1) require(cell[i + states] == cell[i], "what is kept stays as it was");
        if (!keeps) require(hidden[i + states] == outputs[i], "nothing is kept");
    }
    for (std::size_t i = 0; i < 4 * all; ++i) require(std::isfinite(found[i]), "finite slopes");
}

// Sentences, rows and probabilities that are right or near it, as the bytes of `text` have them.
void fuzz_word_vectors(std::string_view text) {
    namespace vectors = sagedock::word_vectors;
    std::size_t at = 0;
    const auto byte = [&] { return text.empty() ? 0 : static_cast<int>(static_cast<unsigned char>(text[at++ % text.size()])); };
    const auto wrong = [&] { return byte() % 64 == 63; };
    const std::size_t words = 1 + byte() % 9, sentences = byte() % 4, width = 1 + byte() % 40, stride = (width + 15) / 16 * 16;
    const std::size_t buckets = byte() % 3, inputs = words + buckets;
    const auto starts = exactly<std::int64_t>(sentences + 1), row_starts = exactly<std::int64_t>(words + 1);
    starts[0] = wrong() ? byte() - 128 : 0;
    for (std::size_t i = 0; i < sentences; ++i) starts[i + 1] = starts[i] + byte() % 24 - (wrong() ? 9 : 0);
    const auto tokens = static_cast<std::size_t>(std::max<std::int64_t>(starts[sentences] - (wrong() ? 1 : 0), 0));
    const auto ids = exactly<std::int32_t>(tokens);
    for (std::size_t i = 0; i < tokens; ++i) ids[i] = wrong() ? byte() - 128 : byte() % static_cast<int>(words);
    row_starts[0] = wrong() ? 1 : 0;
    for (std::size_t word = 0; word < words; ++word) row_starts[word + 1] = row_starts[word] + 1 + (buckets > 0 ? byte() % 3 : 0) - (wrong() ? 1 : 0);
    const auto row_count = static_cast<std::size_t>(row_starts[words]);
    const auto row_ids = exactly<std::int32_t>(row_count);
    for (std::size_t i = 0; i < row_count; ++i) row_ids[i] = wrong() ? byte() - 128 : byte() % static_cast<int>(inputs);
    const auto kept = exactly<float>(words);
    const auto noise = exactly<std::uint64_t>(words);
    for (std::size_t word = 0; word < words; ++word) {
        kept[word] = wrong() ? NAN : static_cast<float>(byte()) / 128;
        noise[word] = wrong() ? static_cast<std::uint64_t>(byte()) << 56 : (std::uint64_t{1} << 32) * (word + 1) / words;
    }
    const auto input = exactly<float>(inputs * stride), output = exactly<float>(words * stride);
    for (std::size_t i = 0; i < inputs * stride; ++i) input[i] = i % stride < width ? static_cast<float>(byte() - 128) / 64 : 0;
    for (std::size_t i = 0; i < words * stride; ++i) output[i] = i % stride < width ? static_cast<float>(byte() - 128) / 64 : 0;
    const char* const modes[] = {"skipgram", "cbow", "batch_skipgram", "glove"};
    try {
        const vectors::Trainer trainer(
            {words, ids.get(), tokens, starts.get(), sentences, row_starts.get(), row_ids.get(), row_count},
            {input.get(), inputs, output.get(), width, wrong() ? stride - 1 : stride},
            {vectors::mode_of(modes[byte() % 50 % 4]), static_cast<std::size_t>(byte() % 8), static_cast<std::size_t>(byte() % 20),
             static_cast<std::size_t>(byte() % 5), kept.get(), noise.get()});
        const std::size_t first = byte() % 3, last = byte() % 6;
        trainer.learn({first, last, static_cast<std::uint64_t>(byte()), byte(), byte() % 4 * 100, byte() / 100.0}, 1 + byte() % 2);
        for (std::size_t i = 0; i < inputs * stride; ++i) require(i % stride < width || input[i] == 0 || std::isnan(input[i]), "padding stays zero");
    } catch (const std::invalid_argument&) {
    }
}

void fuzz_lines(std::string_view text) {
    std::size_t expected = 0;
    for (const char byte : text) expected += byte == '\n';
    require(sagedock::count_lines(text) == expected, "as many lines as line feeds");
}

// Trees that are none, mostly: each number is right or near it, as the bytes of `text` have it.
void fuzz_forest(std::string_view text) {
    namespace trees = sagedock::trees;
    std::size_t at = 0;
    const auto byte = [&] { return text.empty() ? 0 : static_cast<int>(static_cast<unsigned char>(text[at++ % text.size()])); };
    const std::size_t tree_count = 1 + byte() % 3, columns = 1 + byte() % 4, outputs = 1 + byte() % 2;
    const auto first = exactly<std::int64_t>(tree_count + 1);
    first[0] = byte() % 64 == 63 ? 1 : 0;
    for (std::size_t tree = 0; tree < tree_count; ++tree) first[tree + 1] = first[tree] + 1 + 2 * (byte() % 4) - (byte() % 64 == 63);
    const auto nodes = static_cast<std::size_t>(std::max<std::int64_t>(first[tree_count], 0));
    const auto left = exactly<std::int32_t>(nodes), right = exactly<std::int32_t>(nodes), feature = exactly<std::int32_t>(nodes);
    const auto threshold = exactly<float>(nodes);
    const auto default_left = exactly<std::uint8_t>(nodes);
    const auto output = exactly<std::int32_t>(tree_count);
    for (std::size_t tree = 0; tree < tree_count; ++tree) {
        output[tree] = byte() % 64 == 63 ? byte() - 128 : byte() % static_cast<int>(outputs);
        const std::int64_t begin = first[tree], count = first[tree + 1] - begin;
        for (std::int64_t node = 0; node < count; ++node) {
            const bool leaf = 2 * node + 2 >= count || byte() % 16 == 15, wrong = byte() % 64 == 63;
            left[begin + node] = wrong ? byte() - 128 : leaf ? -1 : static_cast<std::int32_t>(2 * node + 1);
            right[begin + node] = wrong ? byte() - 128 : leaf ? -1 : static_cast<std::int32_t>(2 * node + 2);
            feature[begin + node] = byte() % 64 == 63 ? byte() - 128 : byte() % static_cast<int>(columns);
            threshold[begin + node] = byte() == 255 ? NAN : static_cast<float>(byte() - 100) / 8;
            default_left[begin + node] = static_cast<std::uint8_t>(byte());
        }
    }
    try {
        const trees::Forest forest({tree_count, first.get(), left.get(), right.get(), feature.get(), threshold.get(), default_left.get(), output.get()},
                                   columns, std::vector<float>(outputs, 0.5F), trees::Link::logistic, byte() % 5 - 1);
        const std::size_t rows = byte() % 40;
        const auto x = exactly<float>(rows * columns), answers = exactly<float>(rows * forest.width());
        for (std::size_t cell = 0; cell < rows * columns; ++cell) x[cell] = byte() % 8 == 7 ? NAN : static_cast<float>(byte() - 100) / 8;
        forest.dense(x.get(), rows, answers.get());
        const auto starts = exactly<std::int64_t>(rows + 1);
        const auto keys = exactly<std::int32_t>(rows * columns);
        for (std::size_t row = 0; row <= rows; ++row) starts[row] = static_cast<std::int64_t>(row * columns) - (byte() % 128 == 127);
        for (std::size_t cell = 0; cell < rows * columns; ++cell) keys[cell] = byte() % 128 == 127 ? byte() - 128 : static_cast<std::int32_t>(cell % columns);
        forest.sparse(starts.get(), keys.get(), x.get(), rows, rows * columns, answers.get());
    } catch (const std::invalid_argument&) {
    }
}

// A table that knows a capital, a blank, a mark, and letters that grow and shrink.
std::vector<std::uint32_t> letters() {
    using sagedock::Tokenizer;
    std::vector<std::uint32_t> table(0x2C70);
    for (std::uint32_t code = 0; code < table.size(); ++code) table[code] = (code % 3) << 24 | code;
    table['A'] = Tokenizer::inner << 24 | 'a';
    table[0x130] = Tokenizer::inner << 24 | 'i';
    table[0x23A] = Tokenizer::alone << 24 | 0x2C65;
    require(Tokenizer::usable(table), "a table");
    return table;
}

// Half of the inputs are cut into tokens.
void fuzz_tokenizer(std::string_view text) {
    using sagedock::Tokenizer;
    static const Tokenizer whole(letters(), false), split(letters(), true);
    const Tokenizer& tokenizer = text.size() % 2 == 0 ? split : whole;
    const std::size_t room = Tokenizer::most(text.size());
    const auto out = exactly<char>(room);
    const char* const end = tokenizer.rewrite(text, out.get());
    require(static_cast<std::size_t>(end - out.get()) <= room, "within its room");
    require(std::count(out.get(), const_cast<char*>(end), '\n') == std::count(text.begin(), text.end(), '\n'), "lines stay lines");
}

// How many samples lie below a node whose parent is `above`, and that boxes hold boxes.
int samples_below(const sagedock::reservoir::Trees& one, std::int32_t node, std::int32_t above) {
    const auto cuts = static_cast<std::int32_t>(one.samples) - 1;
    require(node >= 0 && node < 2 * cuts + 1 && one.parent[node] == above, "a node below its parent");
    if (node >= cuts) return one.mass[node - cuts];
    int below = 0;
    for (int side = 0; side < 2; ++side) {
        const std::int32_t child = one.child[2 * node + side];
        below += samples_below(one, child, node);
        const float* low = child < cuts ? one.box + 2 * one.width * static_cast<std::size_t>(child)
                                        : one.point + one.width * static_cast<std::size_t>(child - cuts);
        const float* box = one.box + 2 * one.width * static_cast<std::size_t>(node);
        for (std::size_t column = 0; column < one.width; ++column) require(box[column] <= low[column], "boxes hold boxes");
    }
    return below;
}

// Trees of one leaf that learn points, of which many are equal.
void fuzz_reservoir(std::string_view text) {
    std::size_t at = 0;
    const auto byte = [&] { return text.empty() ? 0 : static_cast<int>(static_cast<unsigned char>(text[at++ % text.size()])); };
    const auto trees = static_cast<std::size_t>(1 + byte() % 3), samples = static_cast<std::size_t>(1 + byte() % 9);
    const auto columns = static_cast<std::size_t>(1 + byte() % 20), rows = std::min<std::size_t>(text.size(), 20);
    const std::size_t width = (columns + 15) / 16 * 16, cuts = samples - 1, nodes = cuts + samples;
    const auto dimension = exactly<std::int32_t>(trees * cuts), child = exactly<std::int32_t>(trees * cuts * 2);
    const auto mass = exactly<std::int32_t>(trees * samples), parent = exactly<std::int32_t>(trees * nodes);
    const auto root = exactly<std::int32_t>(trees), leaf_of = exactly<std::int32_t>(trees * samples), free = exactly<std::int32_t>(trees * 2);
    const auto cut = exactly<float>(trees * cuts), box = exactly<float>(trees * cuts * 2 * width), span = exactly<float>(trees * cuts);
    const auto point = exactly<float>(trees * samples * width), points = exactly<float>(rows * width);
    const auto scores = exactly<float>(rows), shares = exactly<float>(rows * width);
    const auto bits = exactly<double>(samples + 1);
    for (std::size_t count = 0; count <= samples; ++count) bits[count] = count > 0 ? std::log2(static_cast<double>(count)) : 0;
    std::fill_n(point.get(), trees * samples * width, 0.0F);
    std::fill_n(points.get(), rows * width, 0.0F);
    for (std::size_t tree = 0; tree < trees; ++tree) {
        const auto first_leaf = static_cast<std::int32_t>(cuts);
        for (std::size_t node = 0; node < nodes; ++node)
            parent[tree * nodes + node] = node + 1 == cuts || node + 1 == nodes || node == cuts ? -1 : static_cast<std::int32_t>(node + 1);
        for (std::size_t slot = 0; slot < samples; ++slot) {
            mass[tree * samples + slot] = slot == 0 ? static_cast<std::int32_t>(samples) : 0;
            leaf_of[tree * samples + slot] = first_leaf;
        }
        root[tree] = first_leaf;
        free[2 * tree] = cuts > 0 ? 0 : -1;
        free[2 * tree + 1] = samples > 1 ? first_leaf + 1 : -1;
    }
    for (std::size_t row = 0; row < rows; ++row)
        for (std::size_t column = 0; column < columns; ++column) {
            const int drawn = byte();
            points[row * width + column] = drawn == 255 ? 0x1p112F : drawn == 254 ? -0x1p112F : drawn == 253 ? 1e-45F : static_cast<float>(drawn % 5);
        }
    const sagedock::reservoir::Trees all{trees, samples, columns, width, dimension.get(), cut.get(), child.get(), box.get(), span.get(),
                                         point.get(), mass.get(), parent.get(), root.get(), leaf_of.get(), free.get(), bits.get()};
    const sagedock::reservoir::Rule rule{current_seed, static_cast<std::uint64_t>(byte()), byte() / 128.0, 1.0 / static_cast<double>(trees)};
    sagedock::reservoir::follow(all, points.get(), rows, rule, byte() % 8 != 7, scores.get(), byte() % 2 == 0 ? shares.get() : nullptr);
    for (std::size_t row = 0; row < rows; ++row) require(scores[row] > 0 && scores[row] <= 1, "a score within its bounds");
    for (std::size_t tree = 0; tree < trees; ++tree) {
        sagedock::reservoir::Trees one = all;
        one.child += tree * cuts * 2;
        one.box += tree * cuts * 2 * width;
        one.point += tree * samples * width;
        one.mass += tree * samples;
        one.parent += tree * nodes;
        require(samples_below(one, root[tree], -1) == static_cast<int>(samples), "as many samples as there were");
    }
}

// Numbers from the bytes: how wide the points are, the points that are near, and those that ask.
void fuzz_nearest(std::string_view text) {
    if (text.size() < 2) return;
    const std::size_t width = 1 + static_cast<unsigned char>(text[0]) % 5, wanted = 1 + static_cast<unsigned char>(text[1]);
    const std::size_t numbers = (text.size() - 2) / sizeof(float), centres = std::min(wanted, numbers / width);
    if (centres == 0) return;
    const auto others = exactly<float>(centres * width);
    std::memcpy(others.get(), text.data() + 2, centres * width * sizeof(float));
    const std::size_t count = numbers / width;
    const auto points = exactly<float>(count * width);
    std::memcpy(points.get(), text.data() + 2, count * width * sizeof(float));
    const auto codes = exactly<std::uint8_t>(count);
    sagedock::nearest(points.get(), count, width, others.get(), centres, codes.get());
    for (std::size_t row = 0; row < count; ++row) {
        require(codes[row] < centres, "one of the points");
        float least = std::numeric_limits<float>::infinity();
        std::size_t first = 0;
        for (std::size_t centre = 0; centre < centres; ++centre) {
            float sum = 0;
            for (std::size_t place = 0; place < width; ++place) {
                const float apart = points[row * width + place] - others[centre * width + place];
                sum += apart * apart;
            }
            if (sum < least) least = sum, first = centre;
        }
        require(codes[row] == first, "the first of the nearest");
    }
}

// Documents of bytes: how many topics and words there are, how long documents are, and their tokens.
void fuzz_topics(std::string_view text) {
    namespace topics = sagedock::topics;
    if (text.size() < 4) return;
    const auto byte = [&](std::size_t at) { return static_cast<std::size_t>(static_cast<unsigned char>(text[at % text.size()])); };
    const std::size_t count = 1 + byte(0) % 40, padded = (count + topics::kGroup - 1) / topics::kGroup * topics::kGroup;
    const std::size_t words = 1 + byte(1) % 20, longest = byte(2) % 16, tokens = text.size() - 3;
    std::vector<std::int64_t> ends{0};
    while (ends.back() < static_cast<std::int64_t>(tokens) && ends.size() < 500) {
        const auto length = static_cast<std::int64_t>(byte(ends.size()) % (longest + 1));
        ends.push_back(std::min(ends.back() + length, static_cast<std::int64_t>(tokens)));
    }
    ends.back() = static_cast<std::int64_t>(tokens);
    const auto starts = exactly<std::int64_t>(ends.size());
    std::copy(ends.begin(), ends.end(), starts.get());
    const auto of_token = exactly<std::int32_t>(tokens), word_topics = exactly<std::int32_t>(words * padded), totals = exactly<std::int32_t>(padded);
    const auto assigned = exactly<std::uint16_t>(tokens);
    const auto alpha = exactly<float>(padded);
    const auto fitted = exactly<double>(count);
    std::fill_n(word_topics.get(), words * padded, 0);
    std::fill_n(totals.get(), padded, 0);
    for (std::size_t topic = 0; topic < padded; ++topic) alpha[topic] = static_cast<float>(byte(topic)) / 64;
    for (std::size_t topic = 0; topic < count; ++topic) fitted[topic] = 0.001 + static_cast<double>(byte(topic)) / 64;
    for (std::size_t token = 0; token < tokens; ++token) {
        of_token[token] = static_cast<std::int32_t>(byte(3 + token) % words);
        assigned[token] = static_cast<std::uint16_t>(byte(2 * token) % count);
        ++word_topics[static_cast<std::size_t>(of_token[token]) * padded + assigned[token]];
        ++totals[assigned[token]];
    }
    const topics::Corpus corpus{starts.get(), ends.size() - 1, of_token.get()};
    const topics::State state{assigned.get(), word_topics.get(), totals.get(), count, padded};
    topics::sweep(corpus, state, {alpha.get(), 0.01F, 0.01F * static_cast<float>(words)}, current_seed, 1);
    topics::fit_alpha(corpus, assigned.get(), fitted.get(), count, 2, 1e-4);
    for (std::size_t topic = 0; topic < count; ++topic) require(fitted[topic] >= 1e-4 && std::isfinite(fitted[topic]), "a prior");
    for (std::size_t token = 0; token < tokens; ++token) {
        require(assigned[token] < count, "a topic that there is");
        --word_topics[static_cast<std::size_t>(of_token[token]) * padded + assigned[token]];
        --totals[assigned[token]];
    }
    require(std::all_of(word_topics.get(), word_topics.get() + words * padded, [](int left) { return left == 0; }), "counts of words");
    require(std::all_of(totals.get(), totals.get() + padded, [](int left) { return left == 0; }), "counts of topics");
}

// Topics of numbers from the bytes, whatever they are, and two documents.
void fuzz_mixtures(std::string_view text) {
    namespace mixtures = sagedock::mixtures;
    if (text.size() < 2) return;
    const std::size_t count = 1 + static_cast<unsigned char>(text[0]) % 40;
    const std::size_t padded = (count + mixtures::kGroup - 1) / mixtures::kGroup * mixtures::kGroup;
    const std::size_t words = (text.size() - 2) / (sizeof(float) * count), begun = static_cast<unsigned char>(text[1]) % (words + 1);
    const auto topic_words = exactly<float>(words * padded), prior = exactly<float>(padded), counts = exactly<float>(words);
    const auto of_entry = exactly<std::int32_t>(words);
    const auto starts = exactly<std::int64_t>(3);
    const auto found = exactly<float>(2 * count);
    std::fill_n(topic_words.get(), words * padded, 0.0F);
    std::fill_n(prior.get(), padded, 1.0F / static_cast<float>(count));
    for (std::size_t word = 0; word < words; ++word) {
        std::memcpy(topic_words.get() + word * padded, text.data() + 2 + word * count * sizeof(float), count * sizeof(float));
        of_entry[word] = static_cast<std::int32_t>(words - 1 - word);
        counts[word] = static_cast<float>(1 + word % 3);
    }
    starts[0] = 0, starts[1] = static_cast<std::int64_t>(begun), starts[2] = static_cast<std::int64_t>(words);
    mixtures::infer({topic_words.get(), count, padded, prior.get()}, {starts.get(), 2, of_entry.get(), counts.get()}, {20, 1e-4F, 1e-3F},
                    found.get());
    const bool plain = std::all_of(topic_words.get(), topic_words.get() + words * padded, [](float p) { return p >= 0 && p <= 1; });
    for (std::size_t document = 0; plain && document < 2; ++document) {
        const float* const mixture = found.get() + document * count;
        require(std::all_of(mixture, mixture + count, [](float share) { return share >= 0; }), "shares of zero or more");
        require(std::abs(std::accumulate(mixture, mixture + count, 0.0) - 1) < 1e-5, "shares of one together");
    }
}

// An encoder of numbers from the bytes, whatever they are, and three documents, the last of them empty.
void fuzz_topic_encoder(std::string_view text) {
    namespace topics = sagedock::topics;
    if (text.size() < 5) return;
    const auto byte = [&](std::size_t at) { return static_cast<std::size_t>(static_cast<unsigned char>(text[at % text.size()])); };
    const std::size_t words = 1 + byte(0) % 9, width = 1 + byte(1) % 7, count = 2 + byte(2) % 5, tokens = byte(3) % 20;
    const auto numbers = [&](std::size_t size) {
        auto made = exactly<float>(size);
        for (std::size_t i = 0; i < size; ++i) {
            char bytes[sizeof(float)];
            for (std::size_t place = 0; place < sizeof(float); ++place) bytes[place] = static_cast<char>(byte(4 + i * sizeof(float) + place));
            std::memcpy(&made[i], bytes, sizeof(float));
        }
        return made;
    };
    const auto first = numbers(words * width), second = numbers(width * count), shift = numbers(width), last = numbers(count);
    const auto of_entry = exactly<std::int32_t>(tokens);
    const auto counts = exactly<float>(tokens);
    for (std::size_t i = 0; i < tokens; ++i) of_entry[i] = static_cast<std::int32_t>(byte(i) % words), counts[i] = static_cast<float>(1 + byte(i));
    const auto starts = exactly<std::int64_t>(4);
    starts[0] = 0, starts[1] = static_cast<std::int64_t>(tokens / 2), starts[2] = starts[3] = static_cast<std::int64_t>(tokens);
    const auto found = exactly<float>(3 * count);
    using topics::Activation;
    for (const Activation activation : {Activation::sigmoid, Activation::tanh, Activation::relu, Activation::softplus}) {
        const topics::TopicEncoder encoder({{first.get(), shift.get(), words, width}, {second.get(), last.get(), width, count}}, activation);
        encoder.mixtures(starts.get(), 3, of_entry.get(), counts.get(), found.get());
        const auto tame = [](const auto& from, std::size_t size) { return std::all_of(from.get(), from.get() + size, [](float n) { return std::abs(n) < 1e6F; }); };
        if (!tame(first, words * width) || !tame(second, width * count) || !tame(shift, width) || !tame(last, count)) continue;
        for (std::size_t document = 0; document < 3; ++document) {
            const float* const mixture = found.get() + document * count;
            require(std::abs(std::accumulate(mixture, mixture + count, 0.0) - 1) < 1e-5, "shares of one together");
        }
    }
}

void fuzz_instances(std::string_view text) {
    const std::size_t columns = 1 + text.size() % 3;
    for (const bool lined : {false, true}) {
        std::vector<float> values;
        if (!(lined ? sagedock::read_instance_lines(text, columns, values) : sagedock::read_instances(text, columns, values))) continue;
        require(!values.empty() && values.size() % columns == 0, "whole records");
        for (const float value : values) require(std::isfinite(value), "finite numbers");
    }
}

// Counts of words in every format; `exact` holds the text in memory of its size.
void fuzz_documents(std::string_view text) {
    namespace topics = sagedock::topics;
    const std::size_t columns = 1 + text.size() % 6;
    const auto exact = exactly<char>(text.size());
    std::copy(text.begin(), text.end(), exact.get());
    const std::string_view body(exact.get(), text.size());
    const auto check = [&](const topics::Documents& found) {
        require(found.starts.front() == 0 && found.starts.back() == static_cast<std::int64_t>(found.words.size()), "all words in documents");
        require(found.words.size() == found.counts.size(), "a count for each word");
        for (std::size_t row = 0; row < found.rows(); ++row)
            for (std::int64_t i = found.starts[row]; i < found.starts[row + 1]; ++i) {
                require(found.words[i] >= 0 && static_cast<std::size_t>(found.words[i]) < columns, "words of the vocabulary");
                require(i == found.starts[row] || found.words[i - 1] < found.words[i], "words in order");
                require(found.counts[i] >= 1 && found.counts[i] <= topics::most_count && found.counts[i] == std::floor(found.counts[i]), "counts");
            }
    };
    for (const auto read : {topics::read_lines_of_counts, topics::read_instances_of_counts, topics::read_instance_lines_of_counts}) {
        topics::Documents found;
        if (read(body, columns, found)) check(found);
    }
    topics::Documents found;
    require(topics::read_records_of_counts(body, columns, found).bytes <= body.size(), "no more bytes than there are");
    check(found);
}

// The bytes of `text` one after another, for ever; 0 when there are none.
class Bytes {
public:
    explicit Bytes(std::string_view text) : text_(text) {}
    int operator()() { return text_.empty() ? 0 : static_cast<unsigned char>(text_[at_++ % text_.size()]); }
    bool rarely() { return (*this)() % 64 == 63; }
    float number() {
        const int kind = (*this)() % 32;
        return kind == 31 ? 3e38F : kind == 30 ? -3e38F : kind == 29 ? 1e-45F : static_cast<float>((*this)() - 128) / 8;
    }

private:
    std::string_view text_;
    std::size_t at_ = 0;
};

// Random cut trees that are none, now and then.
void fuzz_cuts(std::string_view text) {
    namespace cuts = sagedock::cuts;
    Bytes byte(text);
    const std::size_t columns = 1 + byte() % 20, trees = 1 + byte() % 4;
    std::vector<std::int32_t> preorder;
    for (std::size_t tree = 0; tree < trees; ++tree) {
        for (int open = 1; open > 0;) {
            const bool leaf = byte() % 3 > 0 || preorder.size() > 20 * (tree + 1);
            preorder.push_back(leaf ? -1 : byte() % static_cast<int>(columns));
            open += leaf ? -1 : 1;
        }
    }
    if (byte.rarely()) preorder[byte() % preorder.size()] = byte() - 128;
    const std::size_t nodes = preorder.size();
    const auto leaves = static_cast<std::size_t>(std::count(preorder.begin(), preorder.end(), -1)), cut_count = nodes - leaves;
    const auto dimension = exactly<std::int32_t>(nodes);
    std::copy(preorder.begin(), preorder.end(), dimension.get());
    const auto cut = exactly<float>(cut_count), box = exactly<float>(2 * cut_count * columns), point = exactly<float>(leaves * columns);
    const auto seen = exactly<float>(leaves);
    for (std::size_t i = 0; i < cut_count; ++i) cut[i] = byte.rarely() ? NAN : byte.number();
    for (std::size_t i = 0; i < 2 * cut_count * columns; ++i) box[i] = byte.number();
    for (std::size_t i = 0; i < leaves * columns; ++i) point[i] = byte.number();
    for (std::size_t i = 0; i < leaves; ++i) seen[i] = byte.number();
    try {
        const cuts::Forest forest({nodes, cut_count, leaves, columns, dimension.get(), cut.get(), box.get(), point.get(), seen.get(), 1, 1e30F, 1},
                                  byte() % 2 ? cuts::kMostPacked : 0);
        const std::size_t rows = byte() % 16 == 15 ? 200 + byte() : byte() % 20, threads = byte.rarely() ? 2 : 1;
        const auto x = exactly<float>(rows * columns), scores = exactly<float>(rows), shares = exactly<float>(rows * columns);
        for (std::size_t cell = 0; cell < rows * columns; ++cell) x[cell] = byte.rarely() && byte.rarely() ? NAN : byte.number();
        const bool numbers = std::none_of(x.get(), x.get() + rows * columns, [](float value) { return std::isnan(value); });
        require(forest.score(x.get(), rows, threads, scores.get()) == numbers, "NaN is told");
        if (rows < 20) require(forest.attribute(x.get(), rows, threads, shares.get()) == numbers, "NaN is told");
    } catch (const std::invalid_argument&) {
    }
}

void fuzz_growth(std::string_view text) {
    namespace cuts = sagedock::cuts;
    Bytes byte(text);
    const std::size_t trees = 1 + byte() % 3, rows = 1 + byte() % 12, columns = 1 + byte() % 9;
    const auto values = exactly<float>(trees * rows * columns);
    for (std::size_t cell = 0; cell < trees * rows * columns; ++cell) values[cell] = byte() % 3 ? 1.0F : byte.number();
    const cuts::Samples samples{values.get(), trees, rows, columns};
    const std::vector<std::size_t> counts = cuts::count_leaves(samples, 1);
    std::size_t leaves = 0;
    for (const std::size_t count : counts) leaves += count;
    const std::size_t cut_count = leaves - trees;
    const auto dimension = exactly<std::int32_t>(leaves + cut_count), mass = exactly<std::int32_t>(leaves);
    const auto cut = exactly<float>(cut_count), box = exactly<float>(2 * cut_count * columns), point = exactly<float>(leaves * columns);
    cuts::grow(samples, counts, text.size(), 1, {dimension.get(), cut.get(), box.get(), point.get(), mass.get()});
    std::int64_t held = 0;
    for (std::size_t leaf = 0; leaf < leaves; ++leaf) held += mass[leaf];
    require(held == static_cast<std::int64_t>(trees * rows), "every sample is in a leaf");
    for (std::size_t i = 0; i < cut_count; ++i) require(std::isfinite(cut[i]), "cuts are numbers");
}

// A network, what it knows and how many paths from the bytes; numbers of any size, and some that are none.
void fuzz_forecaster(std::string_view text) {
    Bytes byte(text);
    const std::size_t cells = 1 + byte() % 20, layers = 1 + byte() % 3, statics = byte() % 4, covariates = byte() % 4;
    const std::size_t context = 1 + byte() % 6, horizon = byte() % 9, paths = byte() % 8;
    const auto likelihood = static_cast<sagedock::Likelihood>(byte() % 5);
    std::vector<std::size_t> lags(1, 1 + byte() % 3);
    while (lags.size() < 9 && byte() % 4) lags.push_back(lags.back() + 1 + byte() % 4);
    const auto numbers = [&byte](std::size_t count) {
        auto made = exactly<float>(count);
        for (std::size_t i = 0; i < count; ++i) made[i] = byte.rarely() ? byte.number() : (byte() - 128) / 128.0F;
        return made;
    };
    std::vector<sagedock::LstmLayer> made;
    const std::size_t inputs = lags.size() + statics + covariates, parameters = sagedock::parameters_of(likelihood);
    for (std::size_t i = 0; i < layers; ++i) {
        const std::size_t width = i == 0 ? inputs : cells;
        const auto first = numbers(4 * cells * width), second = numbers(4 * cells * cells), bias = numbers(4 * cells);
        made.emplace_back(width, cells, first.get(), second.get(), bias.get());
    }
    const auto outputs = numbers(parameters * cells), output_bias = numbers(parameters), skip = numbers(lags.size());
    const sagedock::Forecaster forecaster(std::move(made), lags, statics, covariates, context, likelihood, outputs.get(),
                                          output_bias.get(), byte() % 2 ? skip.get() : nullptr, byte() % 2 == 1);
    const auto history = numbers(forecaster.history()), known = numbers((context + horizon) * covariates), fixed = numbers(statics);
    const auto samples = exactly<float>(paths * horizon);
    const double scale = std::max(1e-10, std::fabs(static_cast<double>(byte.number())));
    forecaster.sample({history.get(), known.get(), fixed.get(), std::isfinite(scale) ? scale : 1.0, current_seed}, horizon,
                      static_cast<std::size_t>(byte()), paths, samples.get());
    if (likelihood != sagedock::Likelihood::beta) return;
    for (std::size_t i = 0; i < paths * horizon; ++i) require(!(samples[i] < 0 || samples[i] > 1), "a share");
}

#include "fuzz_text.hpp"

struct Kernel {
    std::function<void(std::string_view)> run;
    std::vector<std::string> examples;  // what is damaged
};

const std::vector<std::string> tables = {
    "1,2.5,-3e2\n4,,nan\n0.1257302165031433,-1e-05,7\n", "1;2;3\r\n4;5;6\r\n", "1\t2\t3\n4\t5\t6\n",
    "1 2\n3 4\n",  "0|1|2\n3|4|5", "1\n2\n3\n", "\xef\xbb\xbf" "1,2\n3,4\n\n", " 1 , 2 ,\n,,\n", "1,\"2\",x\n",
};
const std::vector<std::string> records = {
    "1 0:1 3:2.5\n0 1:-2\n", "1:0.5 qid:3 1:0 3:2.5\n0:2 qid:4 2:1\n", "0:1 2:nan\n5:7 # note\r\n\n1\n",
    "+1 0:+1 2147483646:1e-3\t\n-1\n", "qid:18 0:0.1257302165031433\n",
};
const std::vector<std::string> numbers = {
    "0.1257302165031433", "-12.5", "16777217", "1e-45", "3.4028235677973366e38", "00000000000000000000001.5e0", "+.5E+10",
    "179769313486231570000000000000000000000000000000000", "1.00000017881393432617187499",
};

const std::map<std::string, Kernel> kernels = {
    {"csv", {fuzz_csv, tables}},         {"csv_block", {fuzz_csv_block, tables}}, {"libsvm", {fuzz_libsvm, records}},
    {"number", {fuzz_number, numbers}},  {"repr", {fuzz_repr, {"\x01\x02\x03\x04", "\xff\xff\x7f\x7f"}}},
    {"word_vectors", {fuzz_word_vectors, {std::string(96, '\x05') + std::string(64, '\x47'), "\x07\x03\x10\x02 some words and their rows", tables[0]}}},
    {"lines", {fuzz_lines, tables}},
    {"nearest", {fuzz_nearest, {"\x01\x10 some bytes that are numbers, too, as they stand here, one after the other", "\x02\xff" + std::string(200, '\x42')}}},
    {"tokenizer", {fuzz_tokenizer, {"__label__A  Hello, W\xc3\xb6rld! \xc4\xb0 \xc8\xba \xe6\x9d\xb1\n", "a __label__b\xf0\x9f\x98\x80\xed\xa0\x80"}}},
    {"reservoir", {fuzz_reservoir, {std::string("\x02\x04\x01") + std::string(40, '\x03') + "\xff\x80 points", tables[0], numbers[7]}}},
    {"instances", {fuzz_instances, {"{\"instances\": [{\"features\": [1]}]}", "{\"instances\":[{\"features\":[1.5,-2e3]},{\"features\":[0,1]}]}\n",
                                    "{\"features\":[1]}\n{\"features\":[0.25]}\n", "{\"features\":[1,2,3]}", "{\"features\": [1, 2]}\r\n\n"}}},
    {"cuts", {fuzz_cuts, {std::string(64, '\x01') + std::string(64, '\x02'), "\x01\x03\x02\x03 a tree and another", tables[0]}}},
    {"forecaster", {fuzz_forecaster, {std::string(90, '\x07') + std::string(90, '\x42'), "\x0b\x01\x02\x03\x05\x07 a network and a series", tables[0]}}},
    {"growth", {fuzz_growth, {std::string("\x01\x07\x02") + std::string(64, '\x03'), "\x02\x0b\x01 some points", tables[0]}}},
    {"text", {fuzz_text, {"__label__A  the movie was\texcellent\n__label__b na\xc3\xafve </s> \xe6\x9d\xb1\n\nthe the", "a b c d e f g h i j k __label__ "}}},
    {"questions", {fuzz_questions, {R"({"instances": ["a \u00e9\ud83d\ude00\n", "b"], "configuration": {"k": 2}})", R"({"source": "one", "k": 3})" "\n" R"({"source":"two\\"})"}}},
    {"classifier", {fuzz_classifier, {"\x05\x20\x03 some bytes that are numbers, as they stand here, a b c", std::string(100, '\x42') + "a b"}}},
    {"learning", {fuzz_learning, {"\x05\x03\x01\x04 some bytes that are numbers, as they stand here", std::string("\x02\x11\x06\x02") + std::string(90, '\x31')}}},
    {"documents", {fuzz_documents, {"1,0,0,2\n0,0,0,0\r\n3,0.0,1e1,0", R"({"instances":[{"features":[1,0.0,2]},{"data":{"features":{"keys":[2,0],"shape":[3],"values":[1,4]}}}]})",
                                    R"({"data":{"features":[0,0,1]}})" "\n" R"({"features":{"values":[1,2,3]}})" "\n",
                                    std::string("\x0a\x23\xd7\xce\x21\0\0\0\x0a\x1f\x0a\x06values\x12\x15\x12\x13\x0a\x08\0\0\x40\x40\0\0\xa0\x40\x12\x03\x01\xac\x02\x1a\x02\x06\0\0\0\0", 44)}}},
    {"topic_encoder", {fuzz_topic_encoder, {std::string("\x05\x04\x03\x0c") + "some numbers as they stand here", std::string(60, '\x3d')}}},
    {"topics", {fuzz_topics, {"\x13\x0c\x09 some tokens of documents, as they stand here, one behind the other", std::string(120, '\x17') + "a b c d"}}},
    {"mixtures", {fuzz_mixtures, {"\x03\x02 some bytes that are numbers, too, as they stand here, one after the other", std::string("\x12\x01") + std::string(200, '\x3d')}}},
    {"recurrence", {fuzz_recurrence, {std::string("\x03\x07\x05") + std::string(40, '\x42') + " states and gates", std::string(90, '\xfe') + "\x01\x02"}}},
    {"resampling", {fuzz_resampling, {std::string("\x01\x09\x07\x05\x06\x01\x01\x02\x03") + "pixels", std::string(9, '\x21') + tables[0]}}},
    {"hls", {fuzz_hls, {std::string("\x0c\x20\xf0") + std::string(300, '\x42') + "\xff and colours", tables[0]}}},
    {"forest", {fuzz_forest, {std::string(64, '\x01') + std::string(64, '\x02'), "\x01\x03\x02\x03 a tree and another", tables[0]}}},
};

constexpr std::string_view pieces[] = {",", "\n", "\r\n", "\r", ".", "-", "+", "e", "0", "9", "nan", ":", "qid:", " ", "\t",
                                       "#", "\"", ";", "e-400", "e400", "00000000", "99999999999999999999", std::string_view("\0", 1)};

// One change of `text`, mostly a small one.
void damage(std::string& text, Chance& chance) {
    const auto below = [&](std::size_t limit) { return static_cast<std::size_t>(chance() % limit); };
    const std::size_t at = below(text.size() + 1), length = below(std::min<std::size_t>(text.size() - at, 40) + 1);
    switch (below(8)) {
        case 0: if (at < text.size()) text[at] = static_cast<char>(chance()); break;
        case 1: if (at < text.size()) text[at] = static_cast<char>(text[at] ^ (1 << below(8))); break;
        case 2: text.erase(at, length); break;
        case 3: text.resize(at); break;
        case 4: text += text.substr(at, length); break;
        case 5: {
            const std::string piece = text.substr(at, length);
            for (std::size_t times = below(64) == 0 ? below(400) : below(8); times > 0; --times) text.insert(at, piece);
            break;
        }
        default: text.insert(at, pieces[below(std::size(pieces))]);
    }
}

std::string make_input(const Kernel& kernel, std::uint64_t seed) {
    Chance chance(seed);
    std::string text = kernel.examples[chance() % kernel.examples.size()];
    for (std::uint64_t times = 1 + chance() % 6; times > 0; --times) damage(text, chance);
    return text;
}

}  // namespace

int main(int count, char** arguments) {
    const auto found = count == 4 ? kernels.find(arguments[1]) : kernels.end();
    if (found == kernels.end()) {
        std::fprintf(stderr, "usage: fuzz KERNEL INPUTS SEED, KERNEL being one of");
        for (const auto& [name, kernel] : kernels) std::fprintf(stderr, " %s", name.c_str());
        std::fprintf(stderr, "\n");
        return 2;
    }
    __sanitizer_set_death_callback(print_current);
    const std::uint64_t inputs = std::strtoull(arguments[2], nullptr, 10), seed = std::strtoull(arguments[3], nullptr, 10);
    const auto sets = sagedock::instruction_sets();
    for (std::uint64_t number = 0; number < inputs; ++number) {
        current_seed = seed + number;
        current = make_input(found->second, current_seed);
        const auto input = exactly<char>(current.size());
        std::memcpy(input.get(), current.data(), current.size());
        sagedock::choose(sagedock::name_of(sets[number % sets.size()]));
        found->second.run({input.get(), current.size()});
    }
    std::printf("%llu inputs of %s\n", static_cast<unsigned long long>(inputs), arguments[1]);
}
