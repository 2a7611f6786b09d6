// The binding of sagedock::Tokenizer: bytes in and out, the interpreter's lock given back for long texts.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "tokenizer.hpp"

namespace nb = nanobind;

namespace {

using Table = nb::ndarray<const std::uint32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

constexpr std::size_t long_text = 16 * 1024;

sagedock::Tokenizer made(const Table& table, bool split) {
    std::vector<std::uint32_t> entries(table.data(), table.data() + table.shape(0));
    if (!sagedock::Tokenizer::usable(entries)) throw nb::value_error("the table holds what is no character");
    return {std::move(entries), split};
}

nb::bytes rewritten(const sagedock::Tokenizer& tokenizer, const nb::bytes& text) {
    const std::string_view given(text.c_str(), text.size());
    PyObject* made = PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(sagedock::Tokenizer::most(given.size())));
    if (made == nullptr) throw nb::python_error();
    char* const begin = PyBytes_AS_STRING(made);
    const char* end = begin;
    {
        std::optional<nb::gil_scoped_release> released;
        if (given.size() >= long_text) released.emplace();
        end = tokenizer.rewrite(given, begin);
    }
    if (_PyBytes_Resize(&made, end - begin) != 0) throw nb::python_error();
    return nb::steal<nb::bytes>(made);
}

}  // namespace

void bind_tokenizer(nb::module_& module) {
    nb::class_<sagedock::Tokenizer>(module, "Tokenizer")
        .def("__init__", [](sagedock::Tokenizer* place, const Table& table, bool split) { new (place) sagedock::Tokenizer(made(table, split)); },
             nb::arg("table"), nb::arg("split"))
        .def("rewrite", &rewritten, nb::arg("text"));
}
