// The binding of reservoir::follow: numpy arrays, changed in place, while the interpreter's lock is given back.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <initializer_list>

#include "reservoir.hpp"

namespace nb = nanobind;

namespace {

template <class T, int Dimensions>
using Changed = nb::ndarray<T, nb::ndim<Dimensions>, nb::c_contig, nb::device::cpu>;
using Points = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Bits = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

template <class Array>
void require(const Array& array, std::initializer_list<std::size_t> shape) {
    std::size_t axis = 0;
    for (const std::size_t length : shape)
        if (array.shape(axis++) != length) throw nb::value_error("the arrays do not fit together");
}

void follow_series(Points points, Changed<float, 1> scores, nb::object shares, std::uint64_t seed, std::uint64_t seen,
                   double decay, double scale, bool learns, std::size_t columns, Bits bits,
                   Changed<std::int32_t, 2> dimension, Changed<float, 2> cut, Changed<std::int32_t, 3> child,
                   Changed<float, 4> box, Changed<float, 2> span, Changed<float, 3> point, Changed<std::int32_t, 2> mass,
                   Changed<std::int32_t, 2> parent, Changed<std::int32_t, 1> root, Changed<std::int32_t, 2> leaf_of,
                   Changed<std::int32_t, 2> free) {
    const std::size_t trees = point.shape(0), samples = point.shape(1), width = point.shape(2), rows = points.shape(0);
    if (samples < 1 || width % 16 != 0 || columns < 1 || columns > width) throw nb::value_error("the arrays are no trees");
    const std::size_t cuts = samples - 1;
    require(dimension, {trees, cuts});
    require(cut, {trees, cuts});
    require(child, {trees, cuts, 2});
    require(box, {trees, cuts, 2, width});
    require(span, {trees, cuts});
    require(mass, {trees, samples});
    require(parent, {trees, cuts + samples});
    require(root, {trees});
    require(leaf_of, {trees, samples});
    require(free, {trees, 2});
    require(bits, {samples + 1});
    require(points, {rows, width});
    require(scores, {rows});
    float* parts = nullptr;
    if (!shares.is_none()) {
        const auto wanted = nb::cast<Changed<float, 2>>(shares, false);
        require(wanted, {rows, width});
        parts = wanted.data();
    }
    const sagedock::reservoir::Trees arrays{trees,       samples,     columns,       width,      dimension.data(), cut.data(),
                                            child.data(), box.data(),  span.data(),   point.data(), mass.data(),
                                            parent.data(), root.data(), leaf_of.data(), free.data(), bits.data()};
    nb::gil_scoped_release released;
    sagedock::reservoir::follow(arrays, points.data(), rows, {seed, seen, decay, scale}, learns, scores.data(), parts);
}

}  // namespace

void bind_reservoir(nb::module_& module) {
    module.def("follow_series", &follow_series, nb::arg("points"), nb::arg("scores").noconvert(), nb::arg("shares").none(),
               nb::kw_only(), nb::arg("seed"), nb::arg("seen"), nb::arg("decay"), nb::arg("scale"), nb::arg("learns"),
               nb::arg("columns"), nb::arg("bits"), nb::arg("dimension").noconvert(), nb::arg("cut").noconvert(),
               nb::arg("child").noconvert(), nb::arg("box").noconvert(), nb::arg("span").noconvert(),
               nb::arg("point").noconvert(), nb::arg("mass").noconvert(), nb::arg("parent").noconvert(),
               nb::arg("root").noconvert(), nb::arg("leaf_of").noconvert(), nb::arg("free").noconvert());
}
