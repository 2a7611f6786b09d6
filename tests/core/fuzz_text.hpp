// The kernels of texts: vocabularies, dictionaries, lines, requests, training and prediction (fuzz.cpp includes this).

namespace text = sagedock::text;

// Small numbers from the bytes of an input, which begin again when they end.
class Numbers {
public:
    explicit Numbers(std::string_view text) : text_(text) {}
    std::size_t next() { return text_.empty() ? 0 : static_cast<unsigned char>(text_[at_++ % text_.size()]); }
    std::size_t below(std::size_t limit) { return next() % limit; }
    float number() { return next() == 255 ? std::numeric_limits<float>::quiet_NaN() : (static_cast<float>(next()) - 128) / 16; }

private:
    std::string_view text_;
    std::size_t at_ = 0;
};

text::Dictionary dictionary_of(const text::Vocabulary& vocabulary, const text::Ngrams& ngrams, bool pruned, std::size_t& words) {
    std::string tokens;
    std::vector<std::uint32_t> lengths;
    words = 0;
    for (const text::Vocabulary::Entry& entry : vocabulary.in_order()) {
        tokens.append(vocabulary.token(entry));
        lengths.push_back(entry.length);
        words += !entry.is_label;
    }
    std::vector<std::pair<std::int32_t, std::int32_t>> kept;
    if (pruned) kept = {{1, 2}, {3, 0}, {7, 1}};
    return text::Dictionary(tokens, lengths, words, ngrams, "__label__", pruned, kept);
}

void fuzz_text(std::string_view given) {
    Numbers bytes(given);
    text::Vocabulary vocabulary("__label__", 2 + bytes.below(40), 60);
    std::vector<std::int32_t> numbers;
    for (std::size_t at = 0; at < given.size();) {
        const std::size_t size = std::min(1 + bytes.below(40), given.size() - at);
        const auto block = exactly<char>(size);
        std::memcpy(block.get(), given.data() + at, size);
        if (!vocabulary.feed({block.get(), size}, numbers)) return;
        at += size;
        if (bytes.below(16) == 15) vocabulary.finish(numbers);
    }
    vocabulary.finish(numbers);
    const std::size_t count = vocabulary.hashes().size();
    for (const std::int32_t number : numbers) require(number >= -1 && number < static_cast<std::int32_t>(count), "a token has a number");
    const text::Ngrams ngrams{static_cast<std::uint32_t>(1 + bytes.below(50)), static_cast<std::int32_t>(bytes.below(4)), static_cast<std::int32_t>(bytes.below(7)), static_cast<std::int32_t>(bytes.below(5))};
    std::size_t words = 0;
    const text::Dictionary dictionary = dictionary_of(vocabulary, ngrams, bytes.below(4) == 0, words);
    text::Dictionary::Line line;
    dictionary.read(given, line);
    require(sagedock::text::all_below(line.rows.data(), line.rows.size(), dictionary.rows()), "rows of the dictionary");
    std::vector<std::int32_t> rows, final(count, -1);
    std::vector<std::int64_t> starts{0};
    const auto is_label = exactly<bool>(count);
    for (std::size_t number = 0; number < count; ++number) {
        is_label[number] = vocabulary.is_label()[number] != 0;
        starts.push_back(0);
    }
    for (const text::Vocabulary::Entry& entry : vocabulary.in_order()) {
        const std::int32_t id = dictionary.find(vocabulary.token(entry), entry.hash);
        require(id >= 0, "what was read is found");
        final[static_cast<std::size_t>(entry.number)] = id;
    }
    for (std::size_t number = 0; number < count; ++number) {
        if (final[number] >= 0 && final[number] < static_cast<std::int32_t>(words)) rows.push_back(final[number]);
        starts[number + 1] = static_cast<std::int64_t>(rows.size());
    }
    if (bytes.below(8) == 7 && !numbers.empty()) numbers[bytes.below(numbers.size())] = static_cast<std::int32_t>(bytes.next()) - 100;
    text::Lines lines;
    const text::Numbering numbering{count, final.data(), vocabulary.hashes().data(), is_label.get(), static_cast<std::int32_t>(words), rows.data(), starts.data()};
    if (!text::make_lines(numbers.data(), numbers.size(), numbering, ngrams, lines)) return;
    std::int64_t sum = 0;
    for (const std::int64_t length : lines.lengths) sum += length;
    require(sum == static_cast<std::int64_t>(lines.rows.size()), "lengths add up");
    require(text::all_below(lines.rows.data(), lines.rows.size(), words + ngrams.buckets), "rows of the lines");
}

void fuzz_questions(std::string_view body) {
    for (const bool lined : {false, true}) {
        text::Questions questions;
        if (!(lined ? questions.read_lines(body) : questions.read_document(body))) continue;
        require(questions.count() > 0, "what is read is something");
        for (std::size_t number = 0; number < questions.count(); ++number)
            require(questions.wanted(number) > 0 && text::is_utf8(questions.text(number)), "texts are UTF-8");
    }
    std::uint32_t bits = 0;
    std::memcpy(&bits, body.data(), std::min(body.size(), sizeof bits));
    float value;
    bits = bits % 0x40000000u;  // 0 to below 2
    std::memcpy(&value, &bits, sizeof value);
    const auto out = exactly<char>(text::longest_json_number);
    const char* const end = text::write_json(out.get(), static_cast<double>(value));
    const std::string written(static_cast<const char*>(out.get()), end);
    require(std::strtod(written.c_str(), nullptr) == static_cast<double>(value), "what is written is read");
}

void fuzz_classifier(std::string_view given) {
    Numbers bytes(given);
    const std::size_t labels = 1 + bytes.below(20), columns = 1 + bytes.below(40), words = 1 + bytes.below(9);
    std::string tokens;
    for (std::size_t token = 0; token < words + labels; ++token) tokens.push_back(static_cast<char>('a' + token));
    const text::Dictionary dictionary(tokens, std::vector<std::uint32_t>(words + labels, 1), words, {4, 0, 0, 2}, "__label__", false, {});
    const std::size_t size = dictionary.rows() * columns * sizeof(float), shift = bytes.below(4);
    const auto input = exactly<char>(size + shift), output = exactly<char>(labels * columns * sizeof(float));
    for (std::size_t place = 0; place < dictionary.rows() * columns + labels * columns; ++place) {
        const float value = bytes.number();
        char* const to = place < dictionary.rows() * columns ? input.get() + shift + 4 * place : output.get() + 4 * (place - dictionary.rows() * columns);
        std::memcpy(to, &value, sizeof value);
    }
    std::vector<std::int32_t> left(labels - 1), right(labels - 1);
    for (std::size_t inner = 0; inner + 1 < labels; ++inner) {
        left[inner] = static_cast<std::int32_t>(bytes.below(16) == 15 ? bytes.next() : inner == 0 ? 0 : labels + inner - 1) - (bytes.below(64) == 63);
        right[inner] = static_cast<std::int32_t>(inner + 1);
    }
    auto loss = static_cast<text::Loss>(bytes.below(3));
    if (loss == text::Loss::hierarchical && !text::is_tree(left, right, labels)) loss = text::Loss::softmax;
    const text::Classifier model(dictionary, {input.get() + shift, dictionary.rows(), columns, columns * sizeof(float)},
                                 {output.get(), labels, columns, columns * sizeof(float)}, loss, nullptr, left, right, std::vector<float>(513, 0.5f));
    text::Classifier::Scratch scratch;
    dictionary.read(given, scratch.line);
    if (!model.probabilities(scratch.line.rows.data(), scratch.line.rows.size(), scratch)) return;
    const std::size_t k = 1 + bytes.below(25);
    model.choose(k, static_cast<float>(bytes.below(3)) / 8, scratch);
    require(scratch.best.size() <= std::min(k, labels), "no more labels than were wanted");
    for (std::size_t place = 1; place < scratch.best.size(); ++place)
        require(scratch.scores[static_cast<std::size_t>(scratch.best[place - 1])] >= scratch.scores[static_cast<std::size_t>(scratch.best[place])], "the best first");
}

void fuzz_learning(std::string_view given) {
    Numbers bytes(given);
    const std::size_t input_rows = 1 + bytes.below(6), labels = 1 + bytes.below(18), columns = 16 * (1 + bytes.below(bytes.below(4) == 3 ? 10 : 2)), examples = 1 + bytes.below(5);
    const auto input = exactly<float>(input_rows * columns), output = exactly<float>(labels * columns), weights = exactly<float>(labels), scales = exactly<float>(input_rows);
    for (std::size_t place = 0; place < input_rows * columns; ++place) input[place] = bytes.number();
    for (std::size_t place = 0; place < labels * columns; ++place) output[place] = bytes.number();
    std::fill(weights.get(), weights.get() + labels, 1.0f);
    std::fill(scales.get(), scales.get() + input_rows, 0.5f);
    const auto starts = exactly<std::int64_t>(examples + 1), label_starts = exactly<std::int64_t>(examples + 1), token_starts = exactly<std::int64_t>(examples + 1), order = exactly<std::int64_t>(examples);
    starts[0] = label_starts[0] = token_starts[0] = 0;
    for (std::size_t example = 0; example < examples; ++example) {
        starts[example + 1] = starts[example] + 1 + static_cast<std::int64_t>(bytes.below(5)) - (bytes.below(64) == 63 ? 4 : 0);
        label_starts[example + 1] = label_starts[example] + 1 + static_cast<std::int64_t>(bytes.below(2)) - (bytes.below(64) == 63 ? 2 : 0);
        token_starts[example + 1] = token_starts[example] + 3;
        order[example] = static_cast<std::int64_t>(bytes.below(64) == 63 ? bytes.next() : examples - 1 - example);
    }
    const auto row_count = static_cast<std::size_t>(std::max<std::int64_t>(0, starts[examples])), label_count = static_cast<std::size_t>(std::max<std::int64_t>(0, label_starts[examples]));
    const auto rows = exactly<std::int32_t>(row_count), named = exactly<std::int32_t>(label_count);
    for (std::size_t place = 0; place < row_count; ++place) rows[place] = static_cast<std::int32_t>(bytes.below(64) == 63 ? bytes.next() : bytes.below(input_rows)) - (bytes.below(128) == 127);
    for (std::size_t place = 0; place < label_count; ++place) named[place] = static_cast<std::int32_t>(bytes.below(64) == 63 ? bytes.next() : bytes.below(labels));
    const text::Learning task{input.get(), output.get(), columns, columns, columns, labels, rows.get(), starts.get(), named.get(), label_starts.get(), token_starts.get(),
                              bytes.below(2) == 0 ? nullptr : order.get(), weights.get(), bytes.below(2) == 0 ? nullptr : scales.get(), 0.1, 0, 100, static_cast<std::int64_t>(examples), 1, 0};
    if (text::fault(task, {row_count, input_rows, label_count}, 0, examples) != nullptr) return;
    const double loss = text::learn(task, 0, examples);
    require(!(loss < 0), "a loss is positive");
}
