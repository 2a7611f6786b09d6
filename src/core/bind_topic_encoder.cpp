// The bindings of topics::TopicEncoder: everything is checked here, and the kernel believes it.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "topic_encoder.hpp"

namespace nb = nanobind;
namespace topics = sagedock::topics;

namespace {

template <class T, std::size_t Dimensions = 1>
using Given = nb::ndarray<const T, nb::ndim<Dimensions>, nb::c_contig, nb::device::cpu>;

constexpr std::size_t kLong = 1 << 16;  // products that take long enough for another thread to have its turn

void require(bool condition, const char* otherwise) {
    if (!condition) throw nb::value_error(otherwise);
}

topics::Activation activation_of(const std::string& name) {
    if (name == "sigmoid") return topics::Activation::sigmoid;
    if (name == "tanh") return topics::Activation::tanh;
    if (name == "relu") return topics::Activation::relu;
    require(name == "softplus", "an activation that there is not");
    return topics::Activation::softplus;
}

// An encoder and the arrays that it looks at.
class Encoder {
public:
    Encoder(std::vector<Given<float, 2>> weights, std::vector<Given<float>> biases, const std::string& activation)
        : weights_(std::move(weights)), biases_(std::move(biases)), encoder_(layers(), activation_of(activation)) {}

    nb::object mixtures(const Given<std::int64_t>& starts, const Given<std::int32_t>& words, const Given<float>& counts) const {
        const std::size_t size = words.shape(0), ends = starts.shape(0);
        require(ends > 0 && starts.data()[0] == 0 && static_cast<std::size_t>(starts.data()[ends - 1]) == size &&
                    std::is_sorted(starts.data(), starts.data() + ends) && counts.shape(0) == size,
                "documents do not lie one behind the other");
        const auto known = static_cast<std::int64_t>(encoder_.words());
        require(std::all_of(words.data(), words.data() + size, [&](std::int32_t word) { return word >= 0 && word < known; }),
                "a word that there is not");
        const std::size_t documents = ends - 1, count = encoder_.topics();
        float* const found = new float[documents * count];
        const nb::capsule owner(found, [](void* memory) noexcept { delete[] static_cast<float*>(memory); });
        {
            std::optional<nb::gil_scoped_release> released;
            if (size * weights_.front().shape(1) >= kLong) released.emplace();
            encoder_.mixtures(starts.data(), documents, words.data(), counts.data(), found);
        }
        const std::size_t shape[] = {documents, count};
        return nb::cast(nb::ndarray<nb::numpy, float, nb::c_contig, nb::device::cpu>(found, 2, shape, owner));
    }

private:
    std::vector<topics::EncoderLayer> layers() const {
        require(!weights_.empty() && weights_.size() == biases_.size(), "as many biases as weights");
        std::vector<topics::EncoderLayer> found;
        for (std::size_t i = 0; i < weights_.size(); ++i) {
            const std::size_t inputs = weights_[i].shape(0), outputs = weights_[i].shape(1);
            require(outputs > 0 && biases_[i].shape(0) == outputs && (i == 0 || inputs == found.back().outputs),
                    "the layers do not fit together");
            found.push_back({weights_[i].data(), biases_[i].data(), inputs, outputs});
        }
        return found;
    }

    std::vector<Given<float, 2>> weights_;
    std::vector<Given<float>> biases_;
    topics::TopicEncoder encoder_;
};

}  // namespace

void bind_topic_encoder(nb::module_& module) {
    nb::class_<Encoder>(module, "TopicEncoder")
        .def(nb::init<std::vector<Given<float, 2>>, std::vector<Given<float>>, const std::string&>(), nb::arg("weights"),
             nb::arg("biases"), nb::arg("activation"))
        .def("mixtures", &Encoder::mixtures, nb::arg("starts"), nb::arg("words"), nb::arg("counts"));
}
