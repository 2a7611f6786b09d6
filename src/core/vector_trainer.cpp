// The binding of word_vectors::Trainer: it works in NumPy's own arrays, the interpreter's lock given back meanwhile.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string_view.h>

#include <stdexcept>
#include <string_view>

#include "word_vectors.hpp"

namespace nb = nanobind;
namespace word_vectors = sagedock::word_vectors;

namespace {

template <class T>
using Array = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Matrix = nb::ndarray<float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

// Arrays are held as long as the trainer.
struct Arrays {
    Array<int32_t> tokens;
    Array<int64_t> starts;
    Array<int64_t> row_starts;
    Array<int32_t> row_ids;
    Array<float> kept;
    Array<uint64_t> noise;
    Matrix input;
    Matrix output;
};

struct WordVectors {
    Arrays arrays;
    word_vectors::Trainer trainer;

    void learn(size_t first, size_t last, uint64_t stream, int64_t done, int64_t total, double rate, size_t threads) const {
        nb::gil_scoped_release released;
        trainer.learn({first, last, stream, done, total, rate}, threads);
    }
};

word_vectors::Trainer made(const Arrays& arrays, std::string_view mode, size_t window, size_t negatives, size_t batch,
                           size_t width) {
    const size_t words = arrays.output.shape(0);
    if (arrays.starts.shape(0) == 0 || arrays.row_starts.shape(0) != words + 1 || arrays.kept.shape(0) != words ||
        arrays.noise.shape(0) != words || arrays.input.shape(1) != arrays.output.shape(1))
        throw std::invalid_argument("the arrays differ in length");
    const word_vectors::Text text{words,
                                  arrays.tokens.data(),
                                  arrays.tokens.shape(0),
                                  arrays.starts.data(),
                                  arrays.starts.shape(0) - 1,
                                  arrays.row_starts.data(),
                                  arrays.row_ids.data(),
                                  arrays.row_ids.shape(0)};
    const word_vectors::Matrices matrices{arrays.input.data(), arrays.input.shape(0), arrays.output.data(), width,
                                          arrays.input.shape(1)};
    const word_vectors::Settings settings{word_vectors::mode_of(mode), window,              negatives, batch,
                                          arrays.kept.data(),          arrays.noise.data()};
    return word_vectors::Trainer(text, matrices, settings);
}

}  // namespace

void bind_word_vectors(nb::module_& module) {
    nb::class_<WordVectors>(module, "WordVectors", "Word vectors in training.")
        .def("__init__",
             [](WordVectors* place, Array<int32_t> tokens, Array<int64_t> starts, Array<int64_t> row_starts,
                Array<int32_t> row_ids, Array<float> kept, Array<uint64_t> noise, Matrix input, Matrix output,
                size_t width, std::string_view mode, size_t window, size_t negatives, size_t batch) {
                 const Arrays arrays{tokens, starts, row_starts, row_ids, kept, noise, input, output};
                 new (place) WordVectors{arrays, made(arrays, mode, window, negatives, batch, width)};
             },
             nb::kw_only(), nb::arg("tokens"), nb::arg("starts"), nb::arg("row_starts"), nb::arg("row_ids"),
             nb::arg("kept"), nb::arg("noise"), nb::arg("input").noconvert(), nb::arg("output").noconvert(),
             nb::arg("width"), nb::arg("mode"), nb::arg("window"), nb::arg("negatives"), nb::arg("batch"),
             "ValueError when an index leads out of the array that it is for.")
        .def("learn", &WordVectors::learn, nb::kw_only(), nb::arg("first"), nb::arg("last"), nb::arg("stream"),
             nb::arg("done"), nb::arg("total"), nb::arg("rate"), nb::arg("threads"), "Learn a run of sentences.");
}
