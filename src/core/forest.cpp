// The binding of trees::Forest: numpy arrays in and out, the interpreter's lock given back while trees are evaluated.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "csv.hpp"
#include "repr.hpp"
#include "trees.hpp"

namespace nb = nanobind;
namespace trees = sagedock::trees;

namespace {

template <class T>
using Array = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Matrix = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Answers = nb::ndarray<nb::numpy, float, nb::c_contig, nb::device::cpu>;

constexpr size_t kLongRows = 8;  // from so many on the lock is worth giving back
constexpr size_t kLongText = 4096;

template <class Work>
void evaluate(size_t rows, const Work& work) {
    if (rows < kLongRows) return work();
    nb::gil_scoped_release released;
    work();
}

struct Forest {
    trees::Forest forest;

    Answers answers(size_t rows, float*& place) const {
        const size_t width = forest.width();
        place = new float[rows * width];
        nb::capsule owner(place, [](void* memory) noexcept { delete[] static_cast<float*>(memory); });
        const size_t shape[2] = {rows, width};
        return Answers(place, width == 1 ? 1 : 2, shape, owner);
    }

    Answers predict(const Matrix& features) const {
        if (features.shape(1) != forest.columns()) throw std::invalid_argument("the matrix has other columns");
        float* place = nullptr;
        Answers result = answers(features.shape(0), place);
        evaluate(features.shape(0), [&] { forest.dense(features.data(), features.shape(0), place); });
        return result;
    }

    // The answers to the rows of a CSV body, written to `text`; false when the long way has to look at the body.
    bool answer_rows(std::string_view body, std::vector<char>& text) const {
        namespace csv = sagedock::csv;
        const std::string_view rows = csv::records(body);
        if (rows.empty()) return false;
        const csv::Shape shape = csv::shape_of(rows, ',');
        if (shape.columns != forest.columns() || !csv::is_credible(rows, shape)) return false;
        std::vector<float> features(shape.rows * shape.columns), answers(shape.rows * forest.width());
        if (!csv::read_rows(rows, ',', shape, {nullptr, 0, features.data()})) return false;
        forest.dense(features.data(), shape.rows, answers.data());
        text.resize(answers.size() * (sagedock::longest_repr + 1));
        text.resize(sagedock::write_rows(text.data(), answers.data(), shape.rows, forest.width()) - text.data());
        return true;
    }

    nb::object answer_csv(const nb::bytes& body) const {
        const std::string_view given{static_cast<const char*>(body.data()), body.size()};
        std::vector<char> text;
        bool answered;
        {
            std::optional<nb::gil_scoped_release> released;
            if (given.size() >= kLongText) released.emplace();
            answered = answer_rows(given, text);
        }
        return answered ? nb::object(nb::bytes(text.data(), text.size())) : nb::none();
    }

    Answers predict_sparse(const Array<int64_t>& indptr, const Array<int32_t>& indices, const Array<float>& data) const {
        if (indptr.shape(0) < 1 || indices.shape(0) != data.shape(0)) throw std::invalid_argument("lengths differ");
        const size_t rows = indptr.shape(0) - 1;
        float* place = nullptr;
        Answers result = answers(rows, place);
        evaluate(rows, [&] {
            forest.sparse(indptr.data(), indices.data(), data.data(), rows, data.shape(0), place);
        });
        return result;
    }
};

Forest made(const Array<int64_t>& first, const Array<int32_t>& left, const Array<int32_t>& right,
            const Array<int32_t>& feature, const Array<float>& threshold, const Array<uint8_t>& default_left,
            const Array<int32_t>& output, size_t columns, const std::vector<float>& base, const std::string& base_link,
            const std::string& link, int deepest_asked) {
    const size_t trees = output.shape(0), nodes = left.shape(0);
    bool equal = first.shape(0) == trees + 1 && right.shape(0) == nodes && feature.shape(0) == nodes &&
                 threshold.shape(0) == nodes && default_left.shape(0) == nodes;
    for (size_t i = 0; equal && i < trees; ++i) equal = first.data()[i] <= first.data()[i + 1];
    if (!equal || first.data()[0] != 0 || first.data()[trees] != static_cast<int64_t>(nodes)) {
        throw std::invalid_argument("the arrays of the trees differ in length");
    }
    std::vector<float> margins;
    for (const float score : base) margins.push_back(trees::margin_of(trees::link_of(base_link), score));
    const trees::Source source{trees,          first.data(),     left.data(),         right.data(),
                               feature.data(), threshold.data(), default_left.data(), output.data()};
    return {trees::Forest(source, columns, std::move(margins), trees::link_of(link), deepest_asked)};
}

}  // namespace

void bind_forest(nb::module_& module) {
    nb::class_<Forest>(module, "Forest", "Regression trees that answer rows of float32, NaN for what is missing.")
        .def("__init__",
             [](Forest* place, Array<int64_t> first, Array<int32_t> left, Array<int32_t> right, Array<int32_t> feature,
                Array<float> threshold, Array<uint8_t> default_left, Array<int32_t> output, size_t columns,
                const std::vector<float>& base, const std::string& base_link, const std::string& link,
                int deepest_asked) {
                 new (place) Forest(made(first, left, right, feature, threshold, default_left, output, columns, base,
                                         base_link, link, deepest_asked));
             },
             nb::kw_only(), nb::arg("first"), nb::arg("left"), nb::arg("right"), nb::arg("feature"),
             nb::arg("threshold"), nb::arg("default_left"), nb::arg("output"), nb::arg("columns"), nb::arg("base"),
             nb::arg("base_link"), nb::arg("link"), nb::arg("deepest_asked") = -1,
             "All trees' nodes one after the other; ValueError when they are no trees over `columns`.")
        .def("predict", &Forest::predict, nb::arg("features"),
             "One answer per row of a C-contiguous float32 matrix: (rows,) or (rows, outputs).")
        .def("answer_csv", &Forest::answer_csv, nb::arg("body"),
             "The CSV answer to a plain CSV body, or None.")
        .def("predict_sparse", &Forest::predict_sparse, nb::arg("indptr"), nb::arg("indices"), nb::arg("data"),
             "The same for compressed rows, in which what is absent is missing.")
        .def_prop_ro("memory_bytes", [](const Forest& forest) { return forest.forest.bytes(); });
}
