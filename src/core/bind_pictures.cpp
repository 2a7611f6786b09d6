// The bindings of what is done to pictures: everything is checked here, and the kernels believe it.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstdint>
#include <cstdlib>
#include <memory>

#include "hls.hpp"
#include "resampling.hpp"

namespace nb = nanobind;
namespace pictures = sagedock::pictures;

namespace {

using Bytes = nb::ndarray<const std::uint8_t, nb::ndim<3>, nb::c_contig, nb::device::cpu>;

void require(bool condition, const char* otherwise) {
    if (!condition) throw nb::value_error(otherwise);
}

// A new array (channels, rows, columns) of what `write` writes, without the interpreter's lock.
template <class Write>
nb::object planes(std::size_t channels, std::size_t rows, std::size_t columns, const Write& write) {
    std::unique_ptr<std::uint8_t[]> made(new std::uint8_t[channels * rows * columns]);
    {
        const nb::gil_scoped_release released;
        write(made.get());
    }
    const nb::capsule owner(made.get(), [](void* memory) noexcept { delete[] static_cast<std::uint8_t*>(memory); });
    const std::size_t shape[] = {channels, rows, columns};
    return nb::cast(nb::ndarray<nb::numpy, std::uint8_t, nb::c_contig, nb::device::cpu>(made.release(), 3, shape, owner));
}

bool fits(std::size_t begin, std::size_t count, std::size_t all) { return count > 0 && count <= all && begin <= all - count; }

nb::object resample(const Bytes& pixels, std::size_t height, std::size_t width, std::size_t top, std::size_t left,
                    std::size_t rows, std::size_t columns) {
    const pictures::Picture picture{pixels.data(), pixels.shape(0), pixels.shape(1), pixels.shape(2)};
    require(picture.channels == 1 || picture.channels == 3, "one channel or three");
    for (const std::size_t side : {picture.height, picture.width, height, width})
        require(side > 0 && side <= pictures::kLongestSide, "a side that is too long, or none");
    require(fits(top, rows, height) && fits(left, columns, width), "a window that is not within the picture");
    return planes(picture.channels, rows, columns, [&](std::uint8_t* made) {
        pictures::resample(picture, {height, width, top, left, rows, columns}, made);
    });
}

nb::object shift_hls(const Bytes& given, int hue, int lightness, int saturation) {
    require(given.shape(0) == 3, "three planes");
    for (const int number : {hue, lightness, saturation}) require(number >= -255 && number <= 255, "a shift beyond 255");
    const std::size_t pixels = given.shape(1) * given.shape(2);
    return planes(3, given.shape(1), given.shape(2), [&](std::uint8_t* made) {
        pictures::shift_hls(given.data(), pixels, {hue, lightness, saturation}, made);
    });
}

}  // namespace

void bind_pictures(nb::module_& module) {
    module.def("resample", &resample, nb::arg("pixels"), nb::kw_only(), nb::arg("height"), nb::arg("width"), nb::arg("top"),
               nb::arg("left"), nb::arg("rows"), nb::arg("columns"));
    module.def("shift_hls", &shift_hls, nb::arg("planes"), nb::kw_only(), nb::arg("hue"), nb::arg("lightness"),
               nb::arg("saturation"));
}
