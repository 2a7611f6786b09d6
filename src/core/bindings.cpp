// The Python module sagedock._core: arguments in, results out. sagedock/core.py says what each function promises.
// Only the files that bind know of Python. What may take long gives the interpreter's lock back.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string_view.h>

#include <optional>
#include <string_view>
#include <vector>

#include "csv.hpp"
#include "libsvm.hpp"
#include "lines.hpp"
#include "processor.hpp"
#include "repr.hpp"

namespace nb = nanobind;

void bind_cut_forest(nb::module_& module);
void bind_word_vectors(nb::module_& module);
void bind_forest(nb::module_& module);
void bind_reservoir(nb::module_& module);
void bind_nearest(nb::module_& module);
void bind_recurrence(nb::module_& module);
void bind_classifier(nb::module_& module);
void bind_text(nb::module_& module);
void bind_tokenizer(nb::module_& module);
void bind_topics(nb::module_& module);
void bind_topic_encoder(nb::module_& module);
void bind_documents(nb::module_& module);
void bind_forecaster(nb::module_& module);
void bind_pictures(nb::module_& module);

namespace {

using FloatRows = nb::ndarray<float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using FloatColumn = nb::ndarray<float, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using ReadFloatRows = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using ReadFloatColumn = nb::ndarray<const float, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

// Work on so many bytes is long: another thread gets its turn meanwhile.
constexpr std::size_t long_work = 16 * 1024;

// Run `work` and give the lock back for it when it is about many bytes.
template <class Work>
auto without_lock(std::size_t bytes, Work work) {
    std::optional<nb::gil_scoped_release> released;
    if (bytes >= long_work) released.emplace();
    return work();
}

// The bytes that a Python object lends: bytes, bytearray, or contiguous memoryview.
class Text {
public:
    explicit Text(nb::handle object) {
        if (PyObject_GetBuffer(object.ptr(), &view_, PyBUF_SIMPLE) != 0) throw nb::python_error();
    }
    Text(const Text&) = delete;
    Text& operator=(const Text&) = delete;
    ~Text() { PyBuffer_Release(&view_); }

    std::string_view view() const { return {static_cast<const char*>(view_.buf), static_cast<std::size_t>(view_.len)}; }

private:
    Py_buffer view_{};
};

// A new NumPy array, and where its elements are.
class NewArray {
public:
    NewArray(const char* dtype, nb::tuple shape) {
        static PyObject* const empty = nb::object(nb::module_::import_("numpy").attr("empty")).release().ptr();
        array_ = nb::handle(empty)(shape, dtype);
        if (PyObject_GetBuffer(array_.ptr(), &view_, PyBUF_WRITABLE) != 0) throw nb::python_error();
    }
    NewArray(const NewArray&) = delete;
    NewArray& operator=(const NewArray&) = delete;
    ~NewArray() { PyBuffer_Release(&view_); }

    template <class Element>
    Element* data() { return static_cast<Element*>(view_.buf); }
    nb::object array() const { return array_; }

private:
    nb::object array_;
    Py_buffer view_{};
};

nb::object csv_request(nb::handle body) {
    namespace csv = sagedock::csv;
    const Text lent(body);
    const std::string_view text = csv::records(lent.view());
    if (text.empty()) return nb::none();
    const csv::Shape shape = csv::shape_of(text, ',');
    if (!csv::is_credible(text, shape)) return nb::none();
    NewArray matrix("f4", nb::make_tuple(shape.rows, shape.columns));
    float* features = matrix.data<float>();
    const bool plain = without_lock(text.size(), [&] { return csv::read_rows(text, ',', shape, {nullptr, 0, features}); });
    return plain ? matrix.array() : nb::none();
}

bool csv_block(nb::handle block, std::string_view delimiter, const nb::sequence& leading, FloatRows features) {
    std::vector<FloatColumn> columns;
    std::vector<float*> pointers;
    for (nb::handle column : leading) {
        columns.push_back(nb::cast<FloatColumn>(column, false));
        pointers.push_back(columns.back().data());
        if (columns.back().shape(0) != features.shape(0)) throw nb::value_error("leading columns differ in length");
    }
    if (delimiter.size() != 1) throw nb::value_error("a delimiter is one byte");
    const sagedock::csv::Shape shape{features.shape(0), features.shape(1) + pointers.size()};
    const Text lent(block);
    return without_lock(lent.view().size(), [&] {
        return sagedock::csv::read_rows(lent.view(), delimiter[0], shape, {pointers.data(), pointers.size(), features.data()});
    });
}

// A new array as long as what was written to it.
nb::object first(const NewArray& array, std::size_t length) { return array.array()[nb::slice(nb::int_(0), nb::int_(length), nb::none())]; }

nb::object libsvm_request(nb::handle body) {
    namespace libsvm = sagedock::libsvm;
    const Text lent(body);
    const std::string_view text = sagedock::csv::records(lent.view());
    if (text.empty()) return nb::none();
    const libsvm::Size size = libsvm::size_of(text);
    NewArray values("f4", nb::make_tuple(size.entries)), keys("i4", nb::make_tuple(size.entries));
    NewArray starts("i8", nb::make_tuple(size.rows + 1));
    const libsvm::Destination destination{
        nullptr, nullptr, nullptr, values.data<float>(), keys.data<std::int32_t>(), starts.data<std::int64_t>()};
    const libsvm::Found found =
        without_lock(text.size(), [&] { return libsvm::read(text, libsvm::Use::request, size, destination); });
    if (!found.plain) return nb::none();
    return nb::make_tuple(first(values, found.entries), first(keys, found.entries), starts.array());
}

nb::object libsvm_block(nb::handle block) {
    namespace libsvm = sagedock::libsvm;
    const Text lent(block);
    const std::string_view text = lent.view();
    const libsvm::Size size = libsvm::size_of(text);
    NewArray labels("f4", nb::make_tuple(size.rows)), weights("f4", nb::make_tuple(size.rows));
    NewArray groups("i8", nb::make_tuple(size.rows)), starts("i8", nb::make_tuple(size.rows + 1));
    NewArray values("f4", nb::make_tuple(size.entries)), keys("i4", nb::make_tuple(size.entries));
    const libsvm::Destination destination{labels.data<float>(),       weights.data<float>(),
                                          groups.data<std::int64_t>(), values.data<float>(),
                                          keys.data<std::int32_t>(),   starts.data<std::int64_t>()};
    const libsvm::Found found =
        without_lock(text.size(), [&] { return libsvm::read(text, libsvm::Use::training, size, destination); });
    if (!found.plain) return nb::none();
    return nb::make_tuple(labels.array(), first(weights, found.weights), first(groups, found.groups),
                          first(values, found.entries), first(keys, found.entries), starts.array());
}

nb::bytes written(const float* values, std::size_t rows, std::size_t columns) {
    const std::size_t longest = rows * columns * (sagedock::longest_repr + 1);
    PyObject* text = PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(longest));
    if (text == nullptr) throw nb::python_error();
    char* const begin = PyBytes_AS_STRING(text);
    const char* end = without_lock(longest, [&] { return sagedock::write_rows(begin, values, rows, columns); });
    if (_PyBytes_Resize(&text, end - begin) != 0) throw nb::python_error();
    return nb::steal<nb::bytes>(text);
}

nb::bytes lines(const ReadFloatColumn& values) { return written(values.data(), values.shape(0), 1); }

nb::bytes rows(const ReadFloatRows& values) { return written(values.data(), values.shape(0), values.shape(1)); }

nb::tuple instruction_sets() {
    nb::list names;
    for (const sagedock::InstructionSet set : sagedock::instruction_sets()) names.append(sagedock::name_of(set));
    return nb::tuple(names);
}

void use_instruction_set(std::string_view name) {
    if (!sagedock::choose(name)) throw nb::value_error("this processor, or this build, has no such instruction set");
}

std::size_t count_lines(nb::handle text) { return sagedock::count_lines(Text(text).view()); }

}  // namespace

NB_MODULE(_core, module) {
    module.def("csv", &csv_request);
    module.def("csv_block", &csv_block);
    module.def("count_lines", &count_lines);
    module.def("libsvm", &libsvm_request);
    module.def("libsvm_block", &libsvm_block);
    module.def("lines", &lines);
    module.def("rows", &rows);
    module.def("instruction_sets", &instruction_sets);
    module.def("use_instruction_set", &use_instruction_set);
    bind_cut_forest(module);
    bind_word_vectors(module);
    bind_forest(module);
    bind_reservoir(module);
    bind_nearest(module);
    bind_recurrence(module);
    bind_classifier(module);
    bind_text(module);
    bind_tokenizer(module);
    bind_topics(module);
    bind_topic_encoder(module);
    bind_documents(module);
    bind_forecaster(module);
    bind_pictures(module);
}
