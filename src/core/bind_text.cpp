// The bindings of text::Vocabulary, text::Dictionary and text::make_lines: bytes and NumPy arrays in, arrays out.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bind_text.hpp"
#include "examples.hpp"
#include "text.hpp"
#include "vocabulary.hpp"

namespace nb = nanobind;
namespace text = sagedock::text;

namespace {

template <class T>
using Array = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

std::string_view view(const nb::bytes& bytes) { return {static_cast<const char*>(bytes.data()), bytes.size()}; }

text::Ngrams checked(std::int64_t buckets, int min_char, int max_char, int word_ngrams) {
    const bool needed = max_char > 0 || word_ngrams > 1;
    if (buckets < 0 || buckets > INT32_MAX || (needed && buckets == 0)) throw nb::value_error("n-grams need buckets");
    return {static_cast<std::uint32_t>(buckets), min_char, max_char, std::max(word_ngrams, 1)};
}

// Tokens given one by one, put into one string.
std::pair<std::string, std::vector<std::uint32_t>> joined(const nb::sequence& given) {
    std::pair<std::string, std::vector<std::uint32_t>> found;
    for (nb::handle token : given) {
        const std::string_view bytes = view(nb::cast<nb::bytes>(token));
        if (bytes.size() > UINT32_MAX) throw nb::value_error("a token is too long");
        found.first.append(bytes);
        found.second.push_back(static_cast<std::uint32_t>(bytes.size()));
    }
    return found;
}

std::vector<std::pair<std::int32_t, std::int32_t>> checked_places(const std::vector<std::pair<std::int32_t, std::int32_t>>& kept) {
    for (const auto& [bucket, place] : kept)
        if (place < 0 || static_cast<std::size_t>(place) >= kept.size()) throw nb::value_error("a bucket's place lies outside those that were kept");
    return kept;
}

void make_dictionary(text::Dictionary* place, const nb::sequence& words, const nb::sequence& labels, std::int64_t buckets, int min_char,
                     int max_char, int word_ngrams, const nb::bytes& label_prefix, const std::optional<std::vector<std::pair<std::int32_t, std::int32_t>>>& kept) {
    auto [tokens, lengths] = joined(words);
    const std::size_t count = lengths.size();
    const auto [more, more_lengths] = joined(labels);
    tokens.append(more);
    lengths.insert(lengths.end(), more_lengths.begin(), more_lengths.end());
    const text::Ngrams ngrams = checked(buckets, min_char, max_char, word_ngrams);
    if (lengths.size() > INT32_MAX - (kept ? kept->size() : ngrams.buckets)) throw nb::value_error("too many words");
    const auto places = kept ? checked_places(*kept) : std::vector<std::pair<std::int32_t, std::int32_t>>();
    new (place) text::Dictionary(std::move(tokens), lengths, count, ngrams, std::string(view(label_prefix)), kept.has_value(), places);
}

nb::object line_rows(const text::Dictionary& dictionary, const nb::bytes& given) {
    text::Dictionary::Line line;
    dictionary.read(view(given), line);
    return owned(std::move(line.rows));
}

nb::tuple rows_of(const text::Dictionary& dictionary, const nb::sequence& tokens) {
    std::vector<std::int32_t> rows;
    std::vector<std::int64_t> starts{0};
    for (nb::handle token : tokens) {
        dictionary.add_subwords(view(nb::cast<nb::bytes>(token)), rows);
        starts.push_back(static_cast<std::int64_t>(rows.size()));
    }
    return nb::make_tuple(owned(std::move(rows)), owned(std::move(starts)));
}

nb::object fed(text::Vocabulary& vocabulary, const nb::bytes& block) {
    std::vector<std::int32_t> numbers;
    bool taken;
    {
        nb::gil_scoped_release released;
        taken = vocabulary.feed(view(block), numbers);
    }
    return taken ? owned(std::move(numbers)) : nb::none();
}

nb::object finished(text::Vocabulary& vocabulary) {
    std::vector<std::int32_t> numbers;
    vocabulary.finish(numbers);
    return owned(std::move(numbers));
}

nb::bytes bytes_of(std::string_view token) { return nb::bytes(token.data(), token.size()); }

nb::tuple counted(const text::Vocabulary& vocabulary, std::int64_t min_count) {
    nb::list words, labels;
    std::vector<std::int64_t> counts;
    std::vector<std::int32_t> final(vocabulary.hashes().size(), -1);
    for (const text::Vocabulary::Entry& entry : vocabulary.in_order()) {
        if (!entry.is_label && entry.count < min_count) continue;
        (entry.is_label ? labels : words).append(bytes_of(vocabulary.token(entry)));
        final[static_cast<std::size_t>(entry.number)] = static_cast<std::int32_t>(counts.size());
        counts.push_back(entry.count);
    }
    return nb::make_tuple(words, labels, owned(std::move(counts)), owned(std::move(final)));
}

nb::list tokens(const text::Vocabulary& vocabulary) {
    std::vector<std::string_view> found(vocabulary.hashes().size());
    found[text::Vocabulary::end] = text::end_of_line;
    const auto entries = vocabulary.in_order();
    for (const text::Vocabulary::Entry& entry : entries) found[static_cast<std::size_t>(entry.number)] = vocabulary.token(entry);
    nb::list list;
    for (const std::string_view token : found) list.append(bytes_of(token));
    return list;
}

text::Numbering numbering_of(const Array<std::int32_t>& final, const Array<std::uint32_t>& hashes, const Array<bool>& is_label,
                             std::int32_t words, const Array<std::int32_t>& rows, const Array<std::int64_t>& row_starts) {
    const std::size_t count = final.shape(0);
    bool equal = hashes.shape(0) == count && is_label.shape(0) == count && row_starts.shape(0) == count + 1 && row_starts.data()[0] >= 0;
    for (std::size_t place = 0; equal && place < count; ++place) equal = row_starts.data()[place] <= row_starts.data()[place + 1];
    if (!equal || row_starts.data()[count] > static_cast<std::int64_t>(rows.shape(0))) throw nb::value_error("the arrays of the numbering differ in length");
    return {count, final.data(), hashes.data(), is_label.data(), words, rows.data(), row_starts.data()};
}

nb::tuple made_lines(const Array<std::int32_t>& given, const Array<std::int32_t>& final, const Array<std::uint32_t>& hashes,
                     const Array<bool>& is_label, std::int32_t words, const Array<std::int32_t>& rows, const Array<std::int64_t>& row_starts,
                     std::int64_t buckets, int word_ngrams) {
    const text::Numbering numbering = numbering_of(final, hashes, is_label, words, rows, row_starts);
    const text::Ngrams ngrams = checked(buckets, 0, 0, word_ngrams);
    text::Lines lines;
    bool whole;
    {
        nb::gil_scoped_release released;
        whole = text::make_lines(given.data(), given.shape(0), numbering, ngrams, lines);
    }
    if (!whole) throw nb::value_error("a token has no number");
    return nb::make_tuple(owned(std::move(lines.rows)), owned(std::move(lines.lengths)), owned(std::move(lines.labels)),
                          owned(std::move(lines.label_lengths)), owned(std::move(lines.token_lengths)), lines.total, lines.unlabelled,
                          lines.first_unlabelled, lines.unseen);
}

}  // namespace

void bind_text(nb::module_& module) {
    using text::Vocabulary;
    nb::class_<text::Dictionary>(module, "Dictionary")
        .def("__init__", &make_dictionary, nb::arg("words"), nb::arg("labels"), nb::kw_only(), nb::arg("buckets"), nb::arg("min_char"),
             nb::arg("max_char"), nb::arg("word_ngrams"), nb::arg("label_prefix"), nb::arg("kept").none())
        .def("rows", &line_rows, nb::arg("text"))
        .def("rows_of", &rows_of, nb::arg("tokens"))
        .def_prop_ro("memory_bytes", &text::Dictionary::bytes);
    nb::class_<Vocabulary>(module, "Vocabulary")
        .def("__init__", [](Vocabulary* place, const nb::bytes& prefix, std::uint64_t most, std::uint64_t longest) { new (place) Vocabulary(std::string(view(prefix)), most, longest); },
             nb::arg("label_prefix"), nb::arg("most_tokens"), nb::arg("longest_token"))
        .def("feed", &fed, nb::arg("block"))
        .def("end", &finished)
        .def("counted", &counted, nb::arg("min_count"))
        .def("kept_back", [](const Vocabulary& vocabulary) { return bytes_of(vocabulary.kept_back()); })
        .def_prop_ro("tokens", &tokens)
        .def_prop_ro("hashes", [](const Vocabulary& vocabulary) { return owned(std::vector<std::uint32_t>(vocabulary.hashes())); })
        .def_prop_ro("is_label", [](const Vocabulary& vocabulary) { return owned(std::vector<std::uint8_t>(vocabulary.is_label())); })
        .def_prop_ro("total", &Vocabulary::total);
    module.def("example_lines", &made_lines, nb::arg("tokens"), nb::kw_only(), nb::arg("final"), nb::arg("hashes"), nb::arg("is_label"), nb::arg("words"),
               nb::arg("rows"), nb::arg("row_starts"), nb::arg("buckets"), nb::arg("word_ngrams"));
}
