// The bindings of topics::Documents: bytes in, NumPy arrays out.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string_view.h>

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "bind_text.hpp"
#include "csv.hpp"
#include "documents.hpp"

namespace nb = nanobind;
namespace topics = sagedock::topics;

namespace {

constexpr std::size_t long_work = 16 * 1024;  // bytes; another thread gets its turn meanwhile

// The bytes that a Python object lends: bytes, bytearray, or contiguous memoryview.
class Lent {
public:
    explicit Lent(nb::handle object) {
        if (PyObject_GetBuffer(object.ptr(), &view_, PyBUF_SIMPLE) != 0) throw nb::python_error();
    }
    Lent(const Lent&) = delete;
    Lent& operator=(const Lent&) = delete;
    ~Lent() { PyBuffer_Release(&view_); }

    std::string_view view() const { return {static_cast<const char*>(view_.buf), static_cast<std::size_t>(view_.len)}; }

private:
    Py_buffer view_{};
};

std::size_t checked(std::int64_t columns) {
    if (columns < 1 || columns > INT32_MAX) throw nb::value_error("a vocabulary has from 1 to 2147483647 words");
    return static_cast<std::size_t>(columns);
}

bool read(std::string_view body, std::string_view kind, std::size_t columns, topics::Documents& found) {
    if (kind == "lines") return topics::read_lines_of_counts(body, columns, found);
    if (kind == "csv") return topics::read_lines_of_counts(sagedock::csv::records(body), columns, found);
    if (kind == "json") return topics::read_instances_of_counts(body, columns, found);
    if (kind == "jsonlines") return topics::read_instance_lines_of_counts(body, columns, found);
    const topics::RecordsRead done = topics::read_records_of_counts(body, columns, found);
    return done.usual && done.bytes == body.size();
}

nb::object documents(nb::handle body, std::string_view kind, std::int64_t columns) {
    const Lent lent(body);
    const std::size_t width = checked(columns);
    topics::Documents found;
    bool usual = false;
    {
        std::optional<nb::gil_scoped_release> released;
        if (lent.view().size() >= long_work) released.emplace();
        usual = read(lent.view(), kind, width, found);
    }
    if (!usual || found.rows() == 0) return nb::none();
    return nb::make_tuple(owned(std::move(found.starts)), owned(std::move(found.words)), owned(std::move(found.counts)));
}

nb::tuple document_records(nb::handle block, std::int64_t columns) {
    const Lent lent(block);
    const std::size_t width = checked(columns);
    topics::Documents found;
    topics::RecordsRead done{};
    {
        const nb::gil_scoped_release released;
        done = topics::read_records_of_counts(lent.view(), width, found);
    }
    return nb::make_tuple(owned(std::move(found.starts)), owned(std::move(found.words)), owned(std::move(found.counts)),
                          done.bytes, done.usual);
}

}  // namespace

void bind_documents(nb::module_& module) {
    module.def("documents", &documents);
    module.def("document_records", &document_records);
}
