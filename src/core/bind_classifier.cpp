// The bindings of text::learn and text::Classifier: everything is checked here, and the kernels believe it.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

#include "bind_text.hpp"
#include "classifier.hpp"
#include "questions.hpp"
#include "tokenizer.hpp"

namespace nb = nanobind;
namespace text = sagedock::text;

namespace {

template <class T>
using Array = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Rows = nb::ndarray<float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

constexpr std::size_t long_text = 4096;     // bytes that are worth giving the lock back for
constexpr std::size_t least_share = 16384;  // numbers of rows that are worth a thread
constexpr std::size_t kept_memory = 1 << 20;

template <class T>
bool rises(const T* starts, std::size_t first, std::size_t last, std::size_t end) {
    if (starts[first] < 0 || starts[last] > static_cast<T>(end)) return false;
    for (std::size_t place = first; place < last; ++place)
        if (starts[place] > starts[place + 1]) return false;
    return true;
}

// Run work(begin, end) over 0 to count, in so many threads; where the system gives no more of them, in fewer.
template <class Work>
void in_threads(std::size_t count, std::size_t threads, Work work) {
    const std::size_t used = std::max<std::size_t>(1, std::min(threads, count));
    std::vector<std::thread> running;
    const auto share = [&](std::size_t number) { work(number, count * number / used, count * (number + 1) / used); };
    for (std::size_t number = 1; number < used; ++number) {
        try {
            running.emplace_back(share, number);
        } catch (const std::system_error&) {
            share(number);
        }
    }
    share(0);
    for (std::thread& one : running) one.join();
}

double learnt(const Rows& input, const Rows& output, const Array<std::int32_t>& rows, const Array<std::int64_t>& starts, const Array<std::int32_t>& labels,
              const Array<std::int64_t>& label_starts, const Array<std::int64_t>& token_starts, const std::optional<Array<std::int64_t>>& order,
              const Array<float>& weights, const std::optional<Array<float>>& scales, std::size_t first, std::size_t last, double rate,
              double tokens_before, double tokens_in_all, std::uint64_t seed, std::uint64_t epoch, std::size_t threads) {
    const std::size_t columns = input.shape(1), examples = starts.shape(0) - 1;
    const bool fits = starts.shape(0) > 0 && columns % 16 == 0 && columns > 0 && output.shape(1) == columns && label_starts.shape(0) == examples + 1 &&
                      token_starts.shape(0) == examples + 1 && weights.shape(0) == output.shape(0) && (!scales || scales->shape(0) == input.shape(0)) &&
                      (!order || order->shape(0) == examples) && first <= last && last <= examples && tokens_in_all > 0;
    if (!fits) throw nb::value_error("the arrays of the examples do not fit one another");
    const text::Learning task{input.data(), output.data(), columns, columns, columns, output.shape(0), rows.data(), starts.data(), labels.data(),
                              label_starts.data(), token_starts.data(), order ? order->data() : nullptr, weights.data(), scales ? scales->data() : nullptr,
                              rate, tokens_before, tokens_in_all, static_cast<std::int64_t>(examples), seed, epoch};
    const char* wrong;
    std::vector<double> losses(std::max<std::size_t>(threads, 1));
    {
        nb::gil_scoped_release released;
        wrong = text::fault(task, {rows.shape(0), input.shape(0), labels.shape(0)}, first, last);
        if (wrong == nullptr)
            in_threads(last - first, threads, [&](std::size_t number, std::size_t begin, std::size_t end) { losses[number] = text::learn(task, first + begin, first + end); });
    }
    if (wrong != nullptr) throw nb::value_error(wrong);
    double sum = 0;
    for (const double loss : losses) sum += loss;
    return sum;
}

// A matrix of floats that a Python object lends, at whatever byte it begins.
class Lent {
public:
    explicit Lent(nb::handle object) {
        if (PyObject_GetBuffer(object.ptr(), &view_, PyBUF_STRIDES | PyBUF_FORMAT) != 0) throw nb::python_error();
        const bool floats = view_.ndim == 2 && view_.strides[1] == 4 && view_.strides[0] >= 4 * view_.shape[1] && view_.itemsize == 4 && view_.format != nullptr && std::strpbrk(view_.format, "f") != nullptr && view_.format[0] != '>';
        if (!floats) {
            PyBuffer_Release(&view_);
            throw nb::value_error("a matrix is no two-dimensional array of 32-bit floats, row by row");
        }
    }
    Lent(const Lent&) = delete;
    Lent& operator=(const Lent&) = delete;
    ~Lent() { PyBuffer_Release(&view_); }

    text::Matrix matrix() const {
        return {static_cast<const char*>(view_.buf), static_cast<std::size_t>(view_.shape[0]), static_cast<std::size_t>(view_.shape[1]),
                static_cast<std::size_t>(view_.strides[0])};
    }

private:
    Py_buffer view_{};
};

// A classifier and what it is made of, which Python owns.
class Classifier {
public:
    Classifier(nb::object dictionary, nb::object input, nb::object output, text::Loss loss, std::optional<Array<std::int32_t>> places,
               std::vector<std::int32_t> left, std::vector<std::int32_t> right, std::vector<float> table, std::vector<std::string> labels, nb::object tokenizer)
        : dictionary_(std::move(dictionary)),
          tokenizer_(std::move(tokenizer)),
          places_(std::move(places)),
          labels_(std::move(labels)),
          input_(input),
          output_(output),
          rewriting_(tokenizer_.is_none() ? nullptr : nb::cast<const sagedock::Tokenizer*>(tokenizer_)),
          model_(*nb::cast<const text::Dictionary*>(dictionary_), input_.matrix(), output_.matrix(), loss, places_ ? places_->data() : nullptr, std::move(left),
                 std::move(right), std::move(table)) {}

    nb::object probabilities(const Array<std::int32_t>& rows) const {
        if (!text::all_below(rows.data(), rows.shape(0), model_.dictionary().rows())) throw nb::value_error("a row that the dictionary has not");
        text::Classifier::Scratch scratch;
        if (!model_.probabilities(rows.data(), rows.shape(0), scratch)) return nb::none();
        return owned(std::move(scratch.scores));
    }

    nb::object predict(const nb::sequence& texts, const std::vector<std::int32_t>& wanted, float threshold) const {
        text::Classifier::Scratch& scratch = reusable();
        std::vector<std::int32_t> labels;
        std::vector<float> found;
        std::vector<std::int64_t> ends{0};
        for (nb::handle each : texts) {
            const nb::bytes given = nb::cast<nb::bytes>(each);
            const std::string_view body{static_cast<const char*>(given.data()), given.size()};
            bool finite;
            {
                std::optional<nb::gil_scoped_release> released;
                if (body.size() >= long_text) released.emplace();
                finite = ask(body, scratch);
            }
            if (!finite || ends.size() > wanted.size()) return nb::none();
            model_.choose(static_cast<std::size_t>(std::max(wanted[ends.size() - 1], 0)), threshold, scratch);
            for (const std::int32_t label : scratch.best) {
                labels.push_back(label);
                found.push_back(scratch.scores[static_cast<std::size_t>(label)]);
            }
            ends.push_back(static_cast<std::int64_t>(labels.size()));
        }
        return nb::make_tuple(owned(std::move(labels)), owned(std::move(found)), owned(std::move(ends)));
    }

    nb::object predict_rows(const Array<std::int32_t>& rows, const Array<std::int64_t>& starts, const Array<std::int64_t>& seen, std::size_t threads) const {
        const std::size_t count = starts.shape(0) - 1;
        if (starts.shape(0) == 0 || !rises(starts.data(), 0, count, rows.shape(0))) throw nb::value_error("the starts do not rise");
        for (std::size_t place = 0; place < seen.shape(0); ++place)
            if (seen.data()[place] < 0 || static_cast<std::size_t>(seen.data()[place]) >= model_.dictionary().rows()) throw nb::value_error("a row that the dictionary has not");
        std::vector<std::int32_t> labels(count);
        std::vector<float> found(count);
        bool finite = true;
        {
            nb::gil_scoped_release released;
            finite = text::all_below(rows.data(), rows.shape(0), seen.shape(0)) && find_best(rows.data(), starts.data(), seen.data(), count, threads, labels.data(), found.data());
        }
        return finite ? nb::object(nb::make_tuple(owned(std::move(labels)), owned(std::move(found)))) : nb::none();
    }

    nb::object answer(const nb::bytes& body, bool lined) const {
        static thread_local text::Questions questions;
        static thread_local std::string answer;
        const std::string_view given{static_cast<const char*>(body.data()), body.size()};
        bool answered;
        {
            std::optional<nb::gil_scoped_release> released;
            if (given.size() >= long_text) released.emplace();
            answered = (lined ? questions.read_lines(given) : questions.read_document(given)) && write(questions, lined, answer);
        }
        nb::object made = answered ? nb::object(nb::bytes(answer.data(), answer.size())) : nb::none();
        if (given.size() > kept_memory) questions = text::Questions();
        if (answer.capacity() > kept_memory) answer = std::string();
        return made;
    }

private:
    static text::Classifier::Scratch& reusable() {
        static thread_local text::Classifier::Scratch scratch;
        if (scratch.line.rows.capacity() > kept_memory) scratch = text::Classifier::Scratch();
        return scratch;
    }

    // scratch.scores become the probabilities for a text; false when the model holds what is no number.
    bool ask(std::string_view body, text::Classifier::Scratch& scratch) const {
        if (rewriting_ == nullptr) {
            model_.dictionary().read(body, scratch.line);
        } else {
            std::string rewritten(sagedock::Tokenizer::most(body.size()), '\0');
            const char* const end = rewriting_->rewrite(body, rewritten.data());
            model_.dictionary().read({rewritten.data(), static_cast<std::size_t>(end - rewritten.data())}, scratch.line);
        }
        return model_.probabilities(scratch.line.rows.data(), scratch.line.rows.size(), scratch);
    }

    bool find_best(const std::int32_t* rows, const std::int64_t* starts, const std::int64_t* seen, std::size_t count, std::size_t threads, std::int32_t* labels, float* found) const {
        std::vector<char> finite(std::max<std::size_t>(threads, 1), 1);
        const std::size_t worth = 1 + static_cast<std::size_t>(starts[count] - starts[0]) / least_share;
        in_threads(count, std::min(threads, worth), [&](std::size_t number, std::size_t begin, std::size_t end) {
            text::Classifier::Scratch scratch;
            for (std::size_t example = begin; example < end && finite[number]; ++example) {
                scratch.line.rows.clear();
                for (std::int64_t row = starts[example]; row < starts[example + 1]; ++row) scratch.line.rows.push_back(static_cast<std::int32_t>(seen[rows[row]]));
                finite[number] = model_.probabilities(scratch.line.rows.data(), scratch.line.rows.size(), scratch);
                if (!finite[number]) return;
                model_.choose(1, 0, scratch);
                labels[example] = scratch.best[0];
                found[example] = scratch.scores[static_cast<std::size_t>(scratch.best[0])];
            }
        });
        return std::all_of(finite.begin(), finite.end(), [](char one) { return one != 0; });
    }

    // The answer to the questions; false when the model holds what is no number.
    bool write(const text::Questions& questions, bool lined, std::string& answer) const {
        text::Classifier::Scratch& scratch = reusable();
        answer.clear();
        if (!lined) answer.push_back('[');
        for (std::size_t number = 0; number < questions.count(); ++number) {
            if (!ask(questions.text(number), scratch)) return false;
            model_.choose(static_cast<std::size_t>(questions.wanted(number)), 0, scratch);
            if (!lined && number > 0) answer.push_back(',');
            write_one(scratch, answer);
            if (lined) answer.push_back('\n');
        }
        if (!lined) answer.push_back(']');
        return true;
    }

    void write_one(const text::Classifier::Scratch& scratch, std::string& answer) const {
        char number[text::longest_json_number];
        const char* before = "{\"prob\":[";
        for (const std::int32_t label : scratch.best) {
            answer.append(before);
            answer.append(number, text::write_json(number, static_cast<double>(scratch.scores[static_cast<std::size_t>(label)])));
            before = ",";
        }
        before = "],\"label\":[";
        for (const std::int32_t label : scratch.best) {
            answer.append(before);
            answer.append(labels_[static_cast<std::size_t>(label)]);
            before = ",";
        }
        answer.append("]}");
    }

    nb::object dictionary_, tokenizer_;
    std::optional<Array<std::int32_t>> places_;
    std::vector<std::string> labels_;  // as JSON
    Lent input_, output_;
    const sagedock::Tokenizer* rewriting_;
    text::Classifier model_;
};

text::Loss loss_of(const std::string& name) {
    if (name == "softmax") return text::Loss::softmax;
    if (name == "hs") return text::Loss::hierarchical;
    if (name == "ns" || name == "ova") return text::Loss::table;
    throw nb::value_error("no loss has this name");
}

void make_classifier(Classifier* place, nb::object dictionary, nb::object input, nb::object output, const std::string& name,
                     std::optional<Array<std::int32_t>> places, std::vector<std::int32_t> left, std::vector<std::int32_t> right, std::vector<float> table,
                     const nb::sequence& labels, nb::object tokenizer) {
    const auto& words = *nb::cast<const text::Dictionary*>(dictionary);
    const text::Loss loss = loss_of(name);
    const text::Matrix rows = Lent(input).matrix(), classes = Lent(output).matrix();
    std::vector<std::string> texts;
    for (nb::handle label : labels) {
        const nb::bytes json = nb::cast<nb::bytes>(label);
        texts.emplace_back(static_cast<const char*>(json.data()), json.size());
    }
    bool fits = classes.rows > 0 && classes.rows == words.labels() && texts.size() == classes.rows && classes.columns == rows.columns && rows.columns > 0 &&
                classes.rows < INT32_MAX / 2 && (places || rows.rows == words.rows()) && (loss != text::Loss::hierarchical || text::is_tree(left, right, classes.rows)) &&
                (loss != text::Loss::table || table.size() == 513);
    fits = fits && (!places || places->shape(0) == words.rows());
    for (std::size_t row = 0; fits && places && row < places->shape(0); ++row) {
        const std::int32_t found = places->data()[row];
        fits = found >= -1 && (found < 0 || static_cast<std::size_t>(found) < rows.rows);
    }
    if (!fits) throw nb::value_error("the parts of the classifier do not fit one another");
    new (place) Classifier(std::move(dictionary), std::move(input), std::move(output), loss, std::move(places), std::move(left), std::move(right),
                           std::move(table), std::move(texts), std::move(tokenizer));
}

}  // namespace

void bind_classifier(nb::module_& module) {
    module.def("learn", &learnt, nb::arg("input"), nb::arg("output"), nb::arg("rows"), nb::arg("starts"), nb::arg("labels"), nb::arg("label_starts"),
               nb::arg("token_starts"), nb::kw_only(), nb::arg("order").none(), nb::arg("weights"), nb::arg("scales").none(), nb::arg("first"), nb::arg("last"),
               nb::arg("rate"), nb::arg("tokens_before"), nb::arg("tokens_in_all"), nb::arg("seed"), nb::arg("epoch"), nb::arg("threads"));
    nb::class_<Classifier>(module, "Classifier")
        .def("__init__", &make_classifier, nb::arg("dictionary"), nb::arg("input"), nb::arg("output"), nb::kw_only(), nb::arg("loss"), nb::arg("places").none(),
             nb::arg("left"), nb::arg("right"), nb::arg("table"), nb::arg("labels"), nb::arg("tokenizer").none())
        .def("probabilities", &Classifier::probabilities, nb::arg("rows"))
        .def("predict", &Classifier::predict, nb::arg("texts"), nb::arg("wanted"), nb::arg("threshold"))
        .def("predict_rows", &Classifier::predict_rows, nb::arg("rows"), nb::arg("starts"), nb::arg("seen"), nb::arg("threads"))
        .def("answer", &Classifier::answer, nb::arg("body"), nb::arg("lined"));
}
