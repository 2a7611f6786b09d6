// The binding of sagedock::nearest.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstdint>

#include "nearest.hpp"

namespace nb = nanobind;

namespace {

using Points = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Codes = nb::ndarray<std::uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

void nearest(const Points& points, const Points& others, const Codes& codes) {
    const std::size_t centres = others.shape(0);
    if (centres < 1 || centres > 256) throw nb::value_error("from 1 to 256 points are told apart");
    if (others.shape(1) != points.shape(1) || codes.shape(0) != points.shape(0)) throw nb::value_error("the shapes differ");
    nb::gil_scoped_release released;
    sagedock::nearest(points.data(), points.shape(0), points.shape(1), others.data(), centres, codes.data());
}

}  // namespace

void bind_nearest(nb::module_& module) { module.def("nearest", &nearest, nb::arg("points"), nb::arg("others"), nb::arg("codes")); }
