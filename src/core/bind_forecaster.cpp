// The binding of Forecaster: everything is checked here, and the kernels believe it.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "forecaster.hpp"

namespace nb = nanobind;

namespace {

template <class T, int Dimensions>
using Given = nb::ndarray<const T, nb::ndim<Dimensions>, nb::c_contig, nb::device::cpu>;
using Layer = std::tuple<Given<float, 2>, Given<float, 2>, Given<float, 1>>;
using Samples = nb::ndarray<float, nb::ndim<3>, nb::c_contig, nb::device::cpu>;

constexpr std::size_t most = std::size_t{1} << 20;  // of anything that a network counts

void require(bool fit) {
    if (!fit) throw nb::value_error("the arrays do not fit together");
}

sagedock::LstmLayer layer_of(const Layer& layer) {
    const auto& [inputs, hidden, bias] = layer;
    const std::size_t cells = hidden.shape(1), width = inputs.shape(1);
    require(cells >= 1 && cells <= most && width <= most && bias.shape(0) == 4 * cells);
    require(inputs.shape(0) == 4 * cells && hidden.shape(0) == 4 * cells);
    return sagedock::LstmLayer(width, cells, inputs.data(), hidden.data(), bias.data());
}

sagedock::Forecaster* make(const std::vector<Layer>& layers, std::vector<std::size_t> lags, std::size_t statics,
                           std::size_t covariates, std::size_t context, const std::string& likelihood, Given<float, 2> outputs,
                           Given<float, 1> output_bias, std::optional<Given<float, 1>> skip, bool residual) {
    require(!layers.empty() && covariates <= most && statics <= most && context <= most);
    for (const std::size_t lag : lags) require(lag <= most);
    const sagedock::Likelihood kind = sagedock::likelihood_of(likelihood);
    const std::size_t parameters = sagedock::parameters_of(kind);
    require(outputs.shape(0) == parameters && output_bias.shape(0) == parameters);
    require(!skip || skip->shape(0) == lags.size());
    std::vector<sagedock::LstmLayer> made;
    for (const Layer& layer : layers) made.push_back(layer_of(layer));
    require(outputs.shape(1) == made.back().cells());
    return new sagedock::Forecaster(std::move(made), std::move(lags), statics, covariates, context, kind, outputs.data(),
                                    output_bias.data(), skip ? skip->data() : nullptr, residual);
}

void sample(const sagedock::Forecaster& forecaster, Given<float, 2> history, Given<float, 3> covariates, Given<float, 2> statics,
            Given<double, 1> scales, Given<std::uint64_t, 1> keys, std::size_t first, Samples samples) {
    const std::size_t series = samples.shape(0), paths = samples.shape(1), horizon = samples.shape(2);
    require(history.shape(0) == series && history.shape(1) == forecaster.history());
    require(covariates.shape(0) == series && covariates.shape(1) == forecaster.context() + horizon);
    require(covariates.shape(2) == forecaster.covariates());
    require(statics.shape(0) == series && statics.shape(1) == forecaster.statics());
    require(scales.shape(0) == series && keys.shape(0) == series);
    nb::gil_scoped_release released;
    for (std::size_t i = 0; i < series; ++i) {
        const sagedock::Known known{history.data() + i * history.shape(1),
                                    covariates.data() + i * covariates.shape(1) * covariates.shape(2),
                                    statics.data() + i * statics.shape(1), scales.data()[i], keys.data()[i]};
        forecaster.sample(known, horizon, first, paths, samples.data() + i * paths * horizon);
    }
}

}  // namespace

void bind_forecaster(nb::module_& module) {
    nb::class_<sagedock::Forecaster>(module, "Forecaster")
        .def(nb::new_(&make), nb::kw_only(), nb::arg("layers"), nb::arg("lags"), nb::arg("statics"), nb::arg("covariates"),
             nb::arg("context"), nb::arg("likelihood"), nb::arg("outputs"), nb::arg("output_bias"), nb::arg("skip").none(),
             nb::arg("residual"))
        .def("sample", &sample, nb::kw_only(), nb::arg("history"), nb::arg("covariates"), nb::arg("statics"), nb::arg("scales"),
             nb::arg("keys"), nb::arg("first"), nb::arg("samples").noconvert())
        .def_prop_ro("memory_bytes", &sagedock::Forecaster::memory_bytes);
}
