// The bindings of sagedock::recurrence: numpy arrays, changed in place, while the interpreter's lock is given back.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <initializer_list>

#include "recurrence.hpp"

namespace nb = nanobind;

namespace {

using Steps = nb::ndarray<float, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
using Kept = nb::ndarray<const std::uint8_t, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
using Weight = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

template <class Array>
void require(const Array& array, std::initializer_list<std::size_t> shape) {
    std::size_t axis = 0;
    for (const std::size_t length : shape)
        if (array.shape(axis++) != length) throw nb::value_error("the arrays do not fit together");
}

const std::uint8_t* kept_of(const nb::object& given, std::size_t steps, std::size_t rows, std::size_t cells) {
    if (given.is_none()) return nullptr;
    const auto kept = nb::cast<Kept>(given, false);
    require(kept, {steps, rows, cells});
    return kept.data();
}

struct Checked {
    sagedock::recurrence::Size size;
    sagedock::recurrence::Tape tape;
};

Checked checked(const Weight& weight, const Steps& gates, const Steps& hidden, const Steps& cell, const Steps& squashed,
                const Steps& outputs, const nb::object& kept_hidden, const nb::object& kept_cell) {
    const std::size_t steps = gates.shape(0), rows = gates.shape(1), cells = weight.shape(1);
    if (cells < 1 || kept_hidden.is_none() != kept_cell.is_none()) throw nb::value_error("the arrays do not fit together");
    require(weight, {4 * cells, cells});
    require(gates, {steps, rows, 4 * cells});
    require(hidden, {steps + 1, rows, cells});
    require(cell, {steps + 1, rows, cells});
    require(squashed, {steps, rows, cells});
    require(outputs, {steps, rows, cells});
    return {{steps, rows, cells},
            {gates.data(), hidden.data(), cell.data(), squashed.data(), outputs.data(), kept_of(kept_hidden, steps, rows, cells),
             kept_of(kept_cell, steps, rows, cells)}};
}

void forward(Weight weight, Steps gates, Steps hidden, Steps cell, Steps squashed, Steps outputs, nb::object kept_hidden,
             nb::object kept_cell) {
    const Checked layer = checked(weight, gates, hidden, cell, squashed, outputs, kept_hidden, kept_cell);
    nb::gil_scoped_release released;
    sagedock::recurrence::forward(layer.size, weight.data(), layer.tape);
}

void backward(Weight weight, Steps gates, Steps hidden, Steps cell, Steps squashed, Steps outputs, nb::object kept_hidden,
              nb::object kept_cell, Steps slopes, Steps found) {
    const Checked layer = checked(weight, gates, hidden, cell, squashed, outputs, kept_hidden, kept_cell);
    require(slopes, {layer.size.steps, layer.size.rows, layer.size.cells});
    require(found, {layer.size.steps, layer.size.rows, 4 * layer.size.cells});
    nb::gil_scoped_release released;
    sagedock::recurrence::backward(layer.size, weight.data(), layer.tape, slopes.data(), found.data());
}

}  // namespace

void bind_recurrence(nb::module_& module) {
    module.def("recurrence_forward", &forward, nb::arg("weight"), nb::arg("gates").noconvert(), nb::arg("hidden").noconvert(),
               nb::arg("cell").noconvert(), nb::arg("squashed").noconvert(), nb::arg("outputs").noconvert(),
               nb::arg("kept_hidden").none(), nb::arg("kept_cell").none());
    module.def("recurrence_backward", &backward, nb::arg("weight"), nb::arg("gates").noconvert(), nb::arg("hidden").noconvert(),
               nb::arg("cell").noconvert(), nb::arg("squashed").noconvert(), nb::arg("outputs").noconvert(),
               nb::arg("kept_hidden").none(), nb::arg("kept_cell").none(), nb::arg("slopes").noconvert(),
               nb::arg("found").noconvert());
}
