// The bindings of topics::sweep, topics::fit_alpha and mixtures::infer. The lock is given back while they work.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <algorithm>
#include <optional>

#include "mixtures.hpp"
#include "topic_sampler.hpp"

namespace nb = nanobind;
namespace topics = sagedock::topics;
namespace mixtures = sagedock::mixtures;

namespace {

template <class T, std::size_t Dimensions = 1>
using Given = nb::ndarray<const T, nb::ndim<Dimensions>, nb::c_contig, nb::device::cpu>;
template <class T, std::size_t Dimensions = 1>
using Changed = nb::ndarray<T, nb::ndim<Dimensions>, nb::c_contig, nb::device::cpu>;

constexpr std::size_t kLong = 4096;  // words whose mixtures take long enough for another thread to have its turn

void require(bool condition, const char* otherwise) {
    if (!condition) throw nb::value_error(otherwise);
}

// Whether all numbers are at least 0 and below `limit`.
template <class T>
bool all_below(const T* numbers, std::size_t count, std::size_t limit) {
    bool below = true;
    for (std::size_t i = 0; i < count; ++i) below &= static_cast<std::uint64_t>(static_cast<std::int64_t>(numbers[i])) < limit;
    return below;
}

// Documents lie one behind the other from 0 to `end`; how many there are.
std::size_t documents_of(const Given<std::int64_t>& starts, std::size_t end) {
    const std::size_t size = starts.shape(0);
    require(size > 0 && starts.data()[0] == 0 && static_cast<std::size_t>(starts.data()[size - 1]) == end &&
                std::is_sorted(starts.data(), starts.data() + size),
            "documents do not lie one behind the other");
    return size - 1;
}

void sweep_topics(Given<std::int64_t> starts, Given<std::int32_t> words, Changed<std::uint16_t> assigned,
                  Changed<std::int32_t, 2> word_topics, Changed<std::int32_t> totals, std::size_t count,
                  Given<float> alpha, float beta, float all_words, std::uint64_t seed, std::uint64_t sweep) {
    const std::size_t tokens = words.shape(0), padded = word_topics.shape(1);
    require(assigned.shape(0) == tokens && totals.shape(0) == padded && alpha.shape(0) == padded && count > 0 &&
                count <= padded && padded % topics::kGroup == 0,
            "the arrays do not fit together");
    const topics::Corpus corpus{starts.data(), documents_of(starts, tokens), words.data()};
    const topics::State state{assigned.data(), word_topics.data(), totals.data(), count, padded};
    bool sound = false;
    {
        nb::gil_scoped_release released;
        sound = all_below(words.data(), tokens, word_topics.shape(0)) && all_below(assigned.data(), tokens, count);
        if (sound) topics::sweep(corpus, state, {alpha.data(), beta, all_words}, seed, sweep);
    }
    require(sound, "a word or a topic that there is not");
}

void fit_topic_prior(Given<std::int64_t> starts, Given<std::uint16_t> assigned, Changed<double> alpha, std::size_t rounds,
                     double least) {
    const std::size_t tokens = assigned.shape(0), count = alpha.shape(0);
    const topics::Corpus corpus{starts.data(), documents_of(starts, tokens), nullptr};
    bool sound = false;
    {
        nb::gil_scoped_release released;
        sound = all_below(assigned.data(), tokens, count);
        if (sound) topics::fit_alpha(corpus, assigned.data(), alpha.data(), count, rounds, least);
    }
    require(sound, "a topic that there is not");
}

nb::object topic_mixtures(Given<float, 2> topic_words, Given<float> prior, Given<std::int64_t> starts,
                          Given<std::int32_t> words, Given<float> counts, std::size_t rounds, float tolerance, float least) {
    const std::size_t size = words.shape(0), padded = topic_words.shape(1), count = prior.shape(0);
    require(counts.shape(0) == size && count > 0 && count <= padded && padded % mixtures::kGroup == 0,
            "the arrays do not fit together");
    const mixtures::Documents documents{starts.data(), documents_of(starts, size), words.data(), counts.data()};
    require(all_below(words.data(), size, topic_words.shape(0)), "a word that there is not");
    float* const found = new float[documents.documents * count];
    const nb::capsule owner(found, [](void* memory) noexcept { delete[] static_cast<float*>(memory); });
    {
        std::optional<nb::gil_scoped_release> released;
        if (size * padded >= kLong) released.emplace();
        mixtures::infer({topic_words.data(), count, padded, prior.data()}, documents, {rounds, tolerance, least}, found);
    }
    const std::size_t shape[] = {documents.documents, count};
    return nb::cast(nb::ndarray<nb::numpy, float, nb::c_contig, nb::device::cpu>(found, 2, shape, owner));
}

}  // namespace

void bind_topics(nb::module_& module) {
    module.def("sweep_topics", &sweep_topics, nb::arg("starts"), nb::arg("words"), nb::arg("assigned").noconvert(),
               nb::arg("word_topics").noconvert(), nb::arg("totals").noconvert(), nb::kw_only(), nb::arg("topics"),
               nb::arg("alpha"), nb::arg("beta"), nb::arg("all_words"), nb::arg("seed"), nb::arg("sweep"));
    module.def("fit_topic_prior", &fit_topic_prior, nb::arg("starts"), nb::arg("assigned"), nb::arg("alpha").noconvert(),
               nb::kw_only(), nb::arg("rounds"), nb::arg("least"));
    module.def("topic_mixtures", &topic_mixtures, nb::arg("topic_words"), nb::arg("prior"), nb::arg("starts"), nb::arg("words"),
               nb::arg("counts"), nb::kw_only(), nb::arg("rounds"), nb::arg("tolerance"), nb::arg("least"));
}
