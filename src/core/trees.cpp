#include "trees.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>

#pragma GCC diagnostic ignored "-Wpsabi"  // vectors are passed between inlined functions only

namespace sagedock::trees {

constexpr int kHead = 6;  // levels that are asked of a tree which is then walked

#define LANES_SOURCE "lanes.hpp"
#include "each_instruction_set.hpp"

namespace {

constexpr float kLeastProbability = 1e-6f;  // XGBoost lets a base score come no nearer to 0 and 1
constexpr size_t kLanes = 16;
constexpr int kDeepestAsked[] = {6, 7, 8};  // by instruction set; deeper trees are walked, as asking doubles with depth
constexpr int kMostAsked = 8;
constexpr size_t kFewRows = 8;         // fewer are walked one by one
constexpr size_t kTreesInFlight = 8;   // of one row
constexpr size_t kWalks = 16;          // of one tree
constexpr size_t kBlockBytes = 32768;  // the columns of a block of rows stay in the first-level cache
constexpr size_t kMostGroups = 8;

float next_above(float value) { return std::nextafterf(value, std::numeric_limits<float>::infinity()); }

void ask(InstructionSet instructions, int depth, const Question* questions, const float* leaves, const Groups& groups,
         size_t output) {
#ifdef SAGEDOCK_X86
    if (instructions == InstructionSet::avx512) return avx512::ask_perfect(depth, questions, leaves, groups, output);
    if (instructions == InstructionSet::avx2) return avx2::ask_perfect(depth, questions, leaves, groups, output);
#endif
    (void)instructions;
    baseline::ask_perfect(depth, questions, leaves, groups, output);
}

void ask_heads(InstructionSet instructions, const Question* questions, const float* leaves, const Groups& groups,
               float* starts) {
#ifdef SAGEDOCK_X86
    if (instructions == InstructionSet::avx512) return avx512::ask_heads(questions, leaves, groups, starts);
    if (instructions == InstructionSet::avx2) return avx2::ask_heads(questions, leaves, groups, starts);
#endif
    (void)instructions;
    baseline::ask_heads(questions, leaves, groups, starts);
}

// `Count` walks side by side, walk i reading x[Stride * slot + Step * i]: Step 0 for several trees of one row, 1 for one
// tree of several rows. Each step waits for two loads one after the other, and the other walks fill the time.
template <size_t Count, size_t Stride, size_t Step>
inline void walk(const Node* nodes, const float* x, int32_t* starts, int depth) {
    int32_t at[Count];
    for (size_t i = 0; i < Count; ++i) at[i] = starts[i];
    const auto advance = [&] {
        int32_t moved = 0;
#pragma GCC unroll 16
        for (size_t i = 0; i < Count; ++i) {
            const Node& node = nodes[at[i]];
            const int32_t next = node.next + !(x[Stride * node.slot + Step * i] < node.threshold);
            moved |= next ^ at[i];
            at[i] = next;
        }
        return moved;
    };
    for (; depth > 0; depth -= 3) {
        advance();
        advance();
        if (!advance()) break;
    }
    for (size_t i = 0; i < Count; ++i) starts[i] = at[i];
}

float sigmoid(float margin) {
    const float bounded = std::min(-margin, 88.7f);  // beyond, exp would be infinite
    return 1.0f / (std::exp(bounded) + 1.0f + 1e-16f);
}

void softmax(const float* margins, size_t count, float* answers) {
    float largest = margins[0];
    for (size_t i = 1; i < count; ++i) largest = std::fmax(margins[i], largest);
    double sum = 0;
    for (size_t i = 0; i < count; ++i) sum += answers[i] = std::exp(margins[i] - largest);
    for (size_t i = 0; i < count; ++i) answers[i] /= static_cast<float>(sum);
}

}  // namespace

Link link_of(const std::string& name) {
    static const char* const names[] = {"identity", "logistic", "exponential", "hinge", "softmax", "argmax"};
    for (int i = 0; i < 6; ++i) {
        if (name == names[i]) return static_cast<Link>(i);
    }
    throw std::invalid_argument("no link is called " + name);
}

float margin_of(Link base_link, float score) {
    if (base_link == Link::logistic) {
        const float within = std::clamp(score, kLeastProbability, 1.0f - kLeastProbability);
        return -std::log(1.0f / within - 1.0f);
    }
    if (base_link == Link::exponential) return std::log(score);
    return score;
}

// Lays the trees out: first every question as a slot and a threshold, then each tree node by node, siblings together.
class Forest::Builder {
   public:
    Builder(Forest& forest, const Source& source) : forest_(forest), source_(source) {}

    void build() {
        const int64_t total = source_.first[source_.tree_count];
        if (total > std::numeric_limits<int32_t>::max() / 2) throw std::invalid_argument("too many nodes");
        for (int64_t node = 0; node < total; ++node) {
            if (source_.left[node] != -1) forest_.slots_.push_back(asked(node).slot);
        }
        std::sort(forest_.slots_.begin(), forest_.slots_.end());
        const auto same = [](const Slot& a, const Slot& b) { return !(a < b) && !(b < a); };
        forest_.slots_.erase(std::unique(forest_.slots_.begin(), forest_.slots_.end(), same), forest_.slots_.end());
        if (forest_.slots_.empty()) forest_.slots_.push_back({0, View::plain});  // a leaf asks about some slot too
        for (size_t tree = 0; tree < source_.tree_count; ++tree) lay_out(tree);
    }

   private:
    struct Asked {
        Slot slot;
        float threshold;
        int32_t yes, no;  // within the tree
    };
    struct Place {
        int32_t node;   // within the tree
        size_t at;      // in nodes_
        int32_t depth;
    };

    Asked asked(int64_t node) const {
        const int32_t column = source_.feature[node];
        if (column < 0 || static_cast<size_t>(column) >= forest_.columns_) throw std::invalid_argument("column");
        const uint32_t name = static_cast<uint32_t>(column);
        const float threshold = source_.threshold[node];
        const int32_t left = source_.left[node], right = source_.right[node];
        if (!source_.default_left[node]) return {{name, View::plain}, threshold, left, right};
        if (threshold == -std::numeric_limits<float>::infinity()) return {{name, View::presence}, 1.0f, right, left};
        return {{name, View::negated}, next_above(-threshold), right, left};  // x >= t, which NaN answers no
    }

    uint32_t slot(const Slot& wanted) const {
        return static_cast<uint32_t>(std::lower_bound(forest_.slots_.begin(), forest_.slots_.end(), wanted) -
                                     forest_.slots_.begin());
    }

    void lay_out(size_t number) {
        const int64_t first = source_.first[number];
        const int64_t size = source_.first[number + 1] - first;
        const int32_t output = source_.output[number];
        if (size < 1 || output < 0 || static_cast<size_t>(output) >= forest_.outputs()) {
            throw std::invalid_argument("tree");
        }
        Tree tree{0, 0, output, forest_.nodes_.size(), 0, 0};
        std::vector<Place> waiting{{0, tree.nodes, 0}};
        forest_.nodes_.emplace_back();
        int64_t seen = 1;
        for (size_t i = 0; i < waiting.size(); ++i) {
            const Place place = waiting[i];
            tree.depth = std::max(tree.depth, place.depth);
            Node& node = forest_.nodes_[place.at];
            if (source_.left[first + place.node] == -1) {
                node = {std::numeric_limits<float>::quiet_NaN(), 0, static_cast<int32_t>(place.at) - 1,
                        source_.threshold[first + place.node]};
                continue;
            }
            const Asked question = asked(first + place.node);
            for (const int32_t child : {question.yes, question.no}) {
                if (child < 0 || child >= size || ++seen > size) throw std::invalid_argument("children");
            }
            const size_t next = forest_.nodes_.size();
            node = {question.threshold, slot(question.slot), static_cast<int32_t>(next), 0};
            forest_.nodes_.resize(next + 2);
            waiting.push_back({question.yes, next, place.depth + 1});
            waiting.push_back({question.no, next + 1, place.depth + 1});
        }
        tree.asked = tree.depth <= forest_.deepest_asked_ ? tree.depth : forest_.asks_heads_ && tree.depth > kHead ? kHead : 0;
        make_perfect(tree);
        forest_.trees_.push_back(tree);
    }

    void make_perfect(Tree& tree) {
        const size_t leaves = size_t{1} << tree.asked;
        tree.questions = forest_.questions_.size();
        tree.leaves = forest_.leaves_.size();
        forest_.questions_.resize(tree.questions + leaves - 1, Question{0, 0});
        forest_.leaves_.resize(tree.leaves + leaves);
        fill(tree, tree.nodes, 0, 0);
    }

    void fill(const Tree& tree, size_t node, size_t place, int level) {
        const Node& found = forest_.nodes_[node];
        const bool is_leaf = std::isnan(found.threshold);
        if (level == tree.asked) {
            float& leaf = forest_.leaves_[tree.leaves + place - ((size_t{1} << tree.asked) - 1)];
            const int32_t start = static_cast<int32_t>(node);
            if (tree.asked == tree.depth) leaf = found.value;
            else std::memcpy(&leaf, &start, sizeof leaf);
            return;
        }
        if (!is_leaf) forest_.questions_[tree.questions + place] = {found.slot, found.threshold};
        fill(tree, is_leaf ? node : static_cast<size_t>(found.next), 2 * place + 1, level + 1);
        fill(tree, is_leaf ? node : static_cast<size_t>(found.next) + 1, 2 * place + 2, level + 1);
    }

    Forest& forest_;
    const Source& source_;
};

namespace {

inline float seen_as(View view, float value) {
    if (view == View::plain) return value;
    if (view == View::negated) return -value;
    return std::isnan(value) ? value : 0.0f;
}

}  // namespace

class Forest::DenseRows {
   public:
    DenseRows(const Forest& forest, const float* x) : slots_(forest.slots_), columns_(forest.columns_), x_(x) {}

    template <size_t Stride>
    void read(size_t row, float* x) const {
        const float* values = x_ + row * columns_;
        for (size_t i = 0; i < slots_.size(); ++i) x[i * Stride] = seen_as(slots_[i].view, values[slots_[i].column]);
    }

   private:
    const std::vector<Slot>& slots_;
    size_t columns_;
    const float* x_;
};

class Forest::SparseRows {
   public:
    SparseRows(const Forest& forest, const int64_t* indptr, const int32_t* indices, const float* data)
        : slots_(forest.slots_), indptr_(indptr), indices_(indices), data_(data) {}

    template <size_t Stride>
    void read(size_t row, float* x) const {
        for (size_t i = 0; i < slots_.size(); ++i) x[i * Stride] = std::numeric_limits<float>::quiet_NaN();
        for (int64_t entry = indptr_[row]; entry < indptr_[row + 1]; ++entry) {
            const uint32_t column = static_cast<uint32_t>(indices_[entry]);
            auto slot = std::lower_bound(slots_.begin(), slots_.end(), Slot{column, View::plain});
            for (; slot != slots_.end() && slot->column == column; ++slot) {
                x[static_cast<size_t>(slot - slots_.begin()) * Stride] = seen_as(slot->view, data_[entry]);
            }
        }
    }

   private:
    const std::vector<Slot>& slots_;
    const int64_t* indptr_;
    const int32_t* indices_;
    const float* data_;
};

Forest::Forest(const Source& source, size_t columns, std::vector<float> base, Link link, int deepest_asked)
    : columns_(columns),
      base_(std::move(base)),
      link_(link),
      instructions_(instruction_set()),
      deepest_asked_(deepest_asked < 0 ? kDeepestAsked[static_cast<int>(instructions_)]
                                       : std::min(deepest_asked, kMostAsked)),
      asks_heads_(deepest_asked >= 0 || instructions_ != InstructionSet::scalar) {  // on 128 bits walking is as fast

    if (base_.empty() || columns_ == 0) throw std::invalid_argument("a forest needs a column and an output");
    Builder(*this, source).build();
}

void Forest::dense(const float* x, size_t rows, float* answers) const {
    evaluate(DenseRows(*this, x), rows, answers);
}

void Forest::sparse(const int64_t* indptr, const int32_t* indices, const float* data, size_t rows, size_t stored,
                    float* answers) const {
    if (indptr[0] != 0 || static_cast<size_t>(indptr[rows]) > stored) throw std::invalid_argument("indptr");
    for (size_t row = 0; row < rows; ++row) {
        if (indptr[row] > indptr[row + 1]) throw std::invalid_argument("indptr");
    }
    for (size_t entry = 0; entry < stored; ++entry) {
        if (indices[entry] < 0 || static_cast<size_t>(indices[entry]) >= columns_) throw std::invalid_argument("index");
    }
    evaluate(SparseRows(*this, indptr, indices, data), rows, answers);
}

size_t Forest::bytes() const {
    return slots_.size() * sizeof(Slot) + trees_.size() * sizeof(Tree) + nodes_.size() * sizeof(Node) +
           questions_.size() * sizeof(Question) + (leaves_.size() + base_.size()) * sizeof(float);
}

template <class Rows>
void Forest::evaluate(const Rows& rows, size_t count, float* answers) const {
    const size_t group_bytes = slots_.size() * kLanes * sizeof(float);
    const size_t most = std::clamp<size_t>(kBlockBytes / group_bytes, 1, kMostGroups);
    const size_t together = count % kLanes < kFewRows ? count - count % kLanes : count;
    if (together) {
        const size_t groups = std::min(most, (together + kLanes - 1) / kLanes);
        Floats x(groups * kLanes * slots_.size(), 0.0f), sums(groups * kLanes * outputs());
        for (size_t begin = 0; begin < together; begin += groups * kLanes) {
            evaluate_block(rows, begin, std::min(groups, (together - begin + kLanes - 1) / kLanes),
                           std::min(groups * kLanes, together - begin), x.data(), sums.data());
            std::vector<float> margins(outputs());
            for (size_t row = 0; row < std::min(groups * kLanes, together - begin); ++row) {
                const float* sum = sums.data() + row / kLanes * kLanes * outputs() + row % kLanes;
                for (size_t k = 0; k < outputs(); ++k) margins[k] = sum[k * kLanes];
                finish(margins.data(), answers + (begin + row) * width());
            }
        }
    }
    std::vector<float> x(slots_.size()), margins(outputs());
    for (size_t row = together; row < count; ++row) {
        rows.template read<1>(row, x.data());
        walk_one(x.data(), margins.data());
        finish(margins.data(), answers + row * width());
    }
}

template <class Rows>
void Forest::evaluate_block(const Rows& rows, size_t begin, size_t groups, size_t count, float* x, float* sums) const {
    const size_t x_stride = kLanes * slots_.size(), sums_stride = kLanes * outputs();
    for (size_t row = 0; row < count; ++row) {
        rows.template read<kLanes>(begin + row, x + row / kLanes * x_stride + row % kLanes);
    }
    for (size_t i = 0; i < groups * sums_stride; ++i) sums[i] = base_[i / kLanes % outputs()];
    const Groups all{x, sums, groups, x_stride, sums_stride};
    for (const Tree& tree : trees_) {
        if (tree.asked == tree.depth) {
            ask(instructions_, tree.depth, questions_.data() + tree.questions, leaves_.data() + tree.leaves, all,
                static_cast<size_t>(tree.output));
            continue;
        }
        alignas(64) float starts[kMostGroups * kLanes];
        const bool head = tree.asked == kHead;
        if (head) ask_heads(instructions_, questions_.data() + tree.questions, leaves_.data() + tree.leaves, all, starts);
        for (size_t i = 0; i < groups; ++i) {
            walk_group(tree, x + i * x_stride, head ? starts + i * kLanes : nullptr, sums + i * sums_stride);
        }
    }
}

void Forest::walk_one(const float* x, float* sums) const {
    std::copy(base_.begin(), base_.end(), sums);
    for (size_t first = 0; first < trees_.size(); first += kTreesInFlight) {
        const size_t count = std::min(kTreesInFlight, trees_.size() - first);
        int32_t at[kTreesInFlight];
        int depth = 0;
        for (size_t i = 0; i < kTreesInFlight; ++i) {
            const Tree& tree = trees_[first + std::min(i, count - 1)];
            at[i] = static_cast<int32_t>(tree.nodes);
            depth = std::max(depth, tree.depth);
        }
        walk<kTreesInFlight, 1, 0>(nodes_.data(), x, at, depth);
        for (size_t i = 0; i < count; ++i) sums[trees_[first + i].output] += nodes_[at[i]].value;
    }
}

void Forest::walk_group(const Tree& tree, const float* x, const float* starts, float* sums) const {
    int32_t at[kLanes];
    if (starts) std::memcpy(at, starts, sizeof at);
    else std::fill(at, at + kLanes, static_cast<int32_t>(tree.nodes));
    for (size_t i = 0; i < kLanes; i += kWalks) {
        walk<kWalks, kLanes, 1>(nodes_.data(), x + i, at + i, tree.depth - tree.asked);
    }
    for (size_t i = 0; i < kLanes; ++i) sums[kLanes * static_cast<size_t>(tree.output) + i] += nodes_[at[i]].value;
}

void Forest::finish(const float* margins, float* answers) const {
    const size_t count = outputs();
    if (link_ == Link::softmax) return softmax(margins, count, answers);
    if (link_ == Link::argmax) {
        *answers = static_cast<float>(std::max_element(margins, margins + count) - margins);
        return;
    }
    for (size_t i = 0; i < count; ++i) {
        const float margin = margins[i];
        if (link_ == Link::logistic) answers[i] = sigmoid(margin);
        else if (link_ == Link::exponential) answers[i] = std::exp(margin);
        else if (link_ == Link::hinge) answers[i] = margin > 0.0f ? 1.0f : 0.0f;
        else answers[i] = margin;
    }
}

}  // namespace sagedock::trees
