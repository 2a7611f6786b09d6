// The bindings of random cut forests: cuts::Forest and cuts::grow. The lock is given back while they work.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string_view.h>

#include <algorithm>
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
constexpr size_t kTogether = 1 << 18;  // numbers of shingles that are made at once

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
              Given<float, 1> seen, float unit, float farthest, double scale, bool by_depth, size_t most_packed)
        : dimension_(dimension), cut_(cut), box_(box), point_(point), seen_(seen), 
          forest_(source(unit, farthest, scale, by_depth), most_packed) {}

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
    // way has to look at the body. A row of the forest is `shingle_size` rows of the body, times the weights.
    nb::object answer(const nb::bytes& body, std::string_view kind, std::string_view opening, std::string_view between,
                      std::string_view closing, size_t shingle_size, const std::optional<Given<float, 1>>& weights) const {
        if (shingle_size == 0 || forest_.columns() % shingle_size || (weights && weights->shape(0) != forest_.columns())) {
            throw std::invalid_argument("shingles or weights of another width");
        }
        const std::string_view given{body.c_str(), body.size()};
        const Rows rows{shingle_size, weights ? weights->data() : nullptr};
        std::string text;
        bool answered;
        {
            std::optional<nb::gil_scoped_release> released;
            if (given.size() >= kLongText) released.emplace();
            answered = write_answer(given, kind, rows, {opening, between, closing}, text);
        }
        return answered ? nb::object(nb::bytes(text.data(), text.size())) : nb::none();
    }

    size_t memory_bytes() const { return forest_.bytes(); }

   private:
    struct Frame {
        std::string_view opening, between, closing;
    };

    // How the forest's rows are made of those of a body.
    struct Rows {
        size_t shingle_size;
        const float* weights;
    };

    // The numbers of the rows of a body, so many in a row; false when there are none, and for anything unusual.
    static bool read(std::string_view body, std::string_view kind, size_t columns, std::vector<float>& points) {
        if (kind == "json") return sagedock::read_instances(body, columns, points);
        if (kind == "jsonlines") return sagedock::read_instance_lines(body, columns, points);
        const std::string_view rows = csv::records(body);
        if (kind != "csv" || rows.empty()) return false;
        const csv::Shape shape = csv::shape_of(rows, ',');
        if (shape.columns != columns || !csv::is_credible(rows, shape)) return false;
        points.resize(shape.rows * shape.columns);
        return csv::read_rows(rows, ',', shape, {nullptr, 0, points.data()});
    }

    // The scores of the shingles of a series, some shingles at a time: number i begins at point i.
    bool score_shingles(const std::vector<float>& points, size_t columns, const float* weights,
                        std::vector<float>& scores) const {
        const size_t width = forest_.columns(), block = std::max<size_t>(1, kTogether / width);
        std::vector<float> rows(std::min(block, scores.size()) * width);
        for (size_t begin = 0; begin < scores.size(); begin += block) {
            const size_t count = std::min(block, scores.size() - begin);
            for (size_t row = 0; row < count; ++row) {
                const float* const shingle = points.data() + (begin + row) * columns;
                for (size_t i = 0; i < width; ++i) rows[row * width + i] = weights ? shingle[i] * weights[i] : shingle[i];
            }
            if (!forest_.score(rows.data(), count, 1, scores.data() + begin)) return false;
        }
        return true;
    }

    bool write_answer(std::string_view body, std::string_view kind, const Rows& made, const Frame& frame,
                      std::string& text) const {
        const size_t columns = forest_.columns() / made.shingle_size, before = made.shingle_size - 1;
        std::vector<float> points;
        if (!read(body, kind, columns, points)) return false;
        const size_t rows = points.size() / columns;
        if (rows <= before) return false;
        std::vector<float> scores(rows - before);
        const bool plain = before == 0 && !made.weights;
        if (plain ? !forest_.score(points.data(), rows, 1, scores.data())
                  : !score_shingles(points, columns, made.weights, scores)) return false;
        text.reserve(frame.opening.size() + rows * (sagedock::longest_repr + frame.between.size()) + frame.closing.size());
        text.append(frame.opening);
        for (size_t row = 0; row < rows; ++row) {
            if (row > 0) text.append(frame.between);
            char number[sagedock::longest_repr];
            const float score = scores[std::max(row, before) - before];  // the first points share a shingle
            text.append(number, sagedock::write_repr(number, static_cast<double>(score)));
        }
        text.append(frame.closing);
        return true;
    }

    cuts::Source source(float unit, float farthest, double scale, bool by_depth) const {
        const size_t columns = point_.shape(1), cut_count = cut_.shape(0), leaves = point_.shape(0);
        if (box_.shape(0) != cut_count || box_.shape(1) != 2 || box_.shape(2) != columns || seen_.shape(0) != leaves) {
            throw std::invalid_argument("the arrays of the forest differ in length");
        }
        return {dimension_.shape(0), cut_count,    leaves,        columns,      dimension_.data(), cut_.data(),
                box_.data(),         point_.data(), seen_.data(), unit,         farthest,          scale,
                by_depth};
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
                      double, bool, size_t>(),
             nb::kw_only(), nb::arg("dimension"), nb::arg("cut"), nb::arg("box"), nb::arg("point"), nb::arg("seen"),
             nb::arg("unit"), nb::arg("farthest"), nb::arg("scale"), nb::arg("by_depth") = false, nb::arg("most_packed") = cuts::kMostPacked)
        .def("scores", &CutForest::scores, nb::arg("points"), nb::arg("threads"), "(rows,) of points (rows, columns).")
        .def("attributions", &CutForest::attributions, nb::arg("points"), nb::arg("threads"),
             "(rows, columns): what each column adds to the scores.")
        .def("answer", &CutForest::answer, nb::arg("body"), nb::arg("kind"), nb::arg("opening"), nb::arg("between"),
             nb::arg("closing"), nb::arg("shingle_size") = 1, nb::arg("weights") = nb::none(),
             "The scores of the rows of a plain body, as text, or None.")
        .def_prop_ro("memory_bytes", &CutForest::memory_bytes);
}
