// The bindings of random cut forests: cuts::Forest and cuts::grow. The lock is given back while they work.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string_view.h>

#include <cmath>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "csv.hpp"
#include "cuts.hpp"
#include "growth.hpp"
#include "instances.hpp"
#include "repr.hpp"

namespace nb = nanobind;
namespace csv = sagedock::csv;
namespace cuts = sagedock::cuts;

namespace {

template <class T, size_t Dimensions>
using Given = nb::ndarray<const T, nb::ndim<Dimensions>, nb::c_contig, nb::device::cpu>;
template <class T>
using Made = nb::ndarray<nb::numpy, T, nb::c_contig, nb::device::cpu>;

constexpr size_t kLongRows = 8;  // from so many on the lock is worth giving back
constexpr size_t kLongText = 1024;

template <class T>
Made<T> made(std::initializer_list<size_t> shape, T*& place) {
    const size_t count = std::accumulate(shape.begin(), shape.end(), size_t{1}, std::multiplies<size_t>());
    place = new T[count];
    nb::capsule owner(place, [](void* memory) noexcept { delete[] static_cast<T*>(memory); });
    return Made<T>(place, shape.size(), shape.begin(), owner);
}

// The forest, and the arrays that it points into.
class CutForest {
   public:
    CutForest(Given<int32_t, 1> dimension, Given<float, 1> cut, Given<float, 3> box, Given<float, 2> point,
              Given<float, 1> seen, float unit, float farthest, double scale, size_t most_packed)
        : dimension_(dimension), cut_(cut), box_(box), point_(point), seen_(seen), 
          forest_(source(unit, farthest, scale), most_packed) {}

    Made<float> scores(const Given<float, 2>& points, size_t threads) const {
        check(points);
        float* place = nullptr;
        Made<float> scores = made<float>({points.shape(0)}, place);
        run(points.shape(0), [&] { return forest_.score(points.data(), points.shape(0), threads, place); });
        return scores;
    }

    Made<float> attributions(const Given<float, 2>& points, size_t threads) const {
        check(points);
        float* place = nullptr;
        Made<float> shares = made<float>({points.shape(0), points.shape(1)}, place);
        run(points.shape(0), [&] { return forest_.attribute(points.data(), points.shape(0), threads, place); });
        return shares;
    }

    // The scores of the rows of a body, written out with `opening`, `between` and `closing` around them; None when the long
    // way has to look at the body.
    nb::object answer(const nb::bytes& body, std::string_view kind, std::string_view opening, std::string_view between,
                      std::string_view closing) const {
        const std::string_view given{body.c_str(), body.size()};
        std::string text;
        bool answered;
        {
            std::optional<nb::gil_scoped_release> released;
            if (given.size() >= kLongText) released.emplace();
            answered = write_answer(given, kind, {opening, between, closing}, text);
        }
        return answered ? nb::object(nb::bytes(text.data(), text.size())) : nb::none();
    }

    size_t memory_bytes() const { return forest_.bytes(); }

   private:
    struct Frame {
        std::string_view opening, between, closing;
    };

    // The numbers of the rows of a body; false when there are none, and for anything unusual.
    bool read(std::string_view body, std::string_view kind, std::vector<float>& points) const {
        if (kind == "json") return sagedock::read_instances(body, forest_.columns(), points);
        if (kind == "jsonlines") return sagedock::read_instance_lines(body, forest_.columns(), points);
        const std::string_view rows = csv::records(body);
        if (kind != "csv" || rows.empty()) return false;
        const csv::Shape shape = csv::shape_of(rows, ',');
        if (shape.columns != forest_.columns() || !csv::is_credible(rows, shape)) return false;
        points.resize(shape.rows * shape.columns);
        return csv::read_rows(rows, ',', shape, {nullptr, 0, points.data()});
    }

    bool write_answer(std::string_view body, std::string_view kind, const Frame& frame, std::string& text) const {
        std::vector<float> points;
        if (!read(body, kind, points)) return false;
        std::vector<float> scores(points.size() / forest_.columns());
        if (!forest_.score(points.data(), scores.size(), 1, scores.data())) return false;
        text.reserve(frame.opening.size() + scores.size() * (sagedock::longest_repr + frame.between.size()) +
                     frame.closing.size());
        text.append(frame.opening);
        for (size_t row = 0; row < scores.size(); ++row) {
            if (row > 0) text.append(frame.between);
            char number[sagedock::longest_repr];
            text.append(number, sagedock::write_repr(number, static_cast<double>(scores[row])));
        }
        text.append(frame.closing);
        return true;
    }

    cuts::Source source(float unit, float farthest, double scale) const {
        const size_t columns = point_.shape(1), cut_count = cut_.shape(0), leaves = point_.shape(0);
        if (box_.shape(0) != cut_count || box_.shape(1) != 2 || box_.shape(2) != columns || seen_.shape(0) != leaves) {
            throw std::invalid_argument("the arrays of the forest differ in length");
        }
        return {dimension_.shape(0), cut_count,    leaves,        columns,      dimension_.data(), cut_.data(),
                box_.data(),         point_.data(), seen_.data(), unit,         farthest,          scale};
    }

    void check(const Given<float, 2>& points) const {
        if (points.shape(1) != forest_.columns()) throw std::invalid_argument("points of another width");
    }

    template <class Work>
    void run(size_t rows, const Work& work) const {
        bool numbers;
        if (rows < kLongRows) numbers = work();
        else {
            nb::gil_scoped_release released;
            numbers = work();
        }
        if (!numbers) throw std::invalid_argument("a point holds NaN");
    }

    Given<int32_t, 1> dimension_;
    Given<float, 1> cut_;
    Given<float, 3> box_;
    Given<float, 2> point_;
    Given<float, 1> seen_;
    cuts::Forest forest_;
};

bool finite(const float* values, size_t count) {
    float worst = 0;
    for (size_t i = 0; i < count; ++i) worst += values[i] * 0.0f;
    return worst == 0;
}

nb::tuple grow(const Given<float, 3>& samples, uint64_t seed, size_t threads) {
    const cuts::Samples given{samples.data(), samples.shape(0), samples.shape(1), samples.shape(2)};
    if (given.trees == 0 || given.rows == 0 || given.columns == 0) throw std::invalid_argument("no samples");
    std::vector<size_t> leaves;
    bool numbers = false;
    {
        nb::gil_scoped_release released;
        numbers = finite(given.values, given.trees * given.rows * given.columns);
        if (numbers) leaves = cuts::count_leaves(given, threads);
    }
    if (!numbers) throw std::invalid_argument("samples have to be finite numbers");
    const size_t points = std::accumulate(leaves.begin(), leaves.end(), size_t{0}), cut_count = points - given.trees;
    cuts::Grown grown{};
    const auto dimension = made<int32_t>({points + cut_count}, grown.dimension);
    const auto cut = made<float>({cut_count}, grown.cut);
    const auto box = made<float>({cut_count, 2, given.columns}, grown.box);
    const auto point = made<float>({points, given.columns}, grown.point);
    const auto mass = made<int32_t>({points}, grown.mass);
    {
        nb::gil_scoped_release released;
        cuts::grow(given, leaves, seed, threads, grown);
    }
    return nb::make_tuple(dimension, cut, box, point, mass);
}

}  // namespace

void bind_cut_forest(nb::module_& module) {
    module.def("grow_cut_trees", &grow, nb::arg("samples"), nb::arg("seed"), nb::arg("threads"),
               "The arrays of a forest, a tree for each of the samples (trees, rows, columns).");
    nb::class_<CutForest>(module, "CutForest", "Random cut trees that score points.")
        .def(nb::init<Given<int32_t, 1>, Given<float, 1>, Given<float, 3>, Given<float, 2>, Given<float, 1>, float, float,
                      double, size_t>(),
             nb::kw_only(), nb::arg("dimension"), nb::arg("cut"), nb::arg("box"), nb::arg("point"), nb::arg("seen"),
             nb::arg("unit"), nb::arg("farthest"), nb::arg("scale"), nb::arg("most_packed") = cuts::kMostPacked)
        .def("scores", &CutForest::scores, nb::arg("points"), nb::arg("threads"), "(rows,) of points (rows, columns).")
        .def("attributions", &CutForest::attributions, nb::arg("points"), nb::arg("threads"),
             "(rows, columns): what each column adds to the scores.")
        .def("answer", &CutForest::answer, nb::arg("body"), nb::arg("kind"), nb::arg("opening"), nb::arg("between"),
             nb::arg("closing"), "The scores of the rows of a plain body, as text, or None.")
        .def_prop_ro("memory_bytes", &CutForest::memory_bytes);
}
