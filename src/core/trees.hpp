// Regression trees as flat arrays, evaluated for many rows at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <string>
#include <vector>

#include "processor.hpp"

namespace sagedock::trees {

// x[slot] < threshold? A NaN answers no.
struct Question {
    uint32_t slot;
    float threshold;
};

// A node of a walked tree: next when the answer is yes, next + 1 when it is no. A leaf asks `x < NaN` and has itself
// at next + 1, so that a walk may take more steps than the leaf's depth and stay there.
struct Node {
    float threshold;
    uint32_t slot;
    int32_t next;
    float value;
};

// Groups of sixteen rows: x is (groups, slots, 16), sums (groups, outputs, 16), strides in floats.
struct Groups {
    const float* x;
    float* sums;
    size_t count;
    size_t x_stride;
    size_t sums_stride;
};

// What a model file says, all trees' nodes one after the other; the caller owns the arrays.
// left is -1 at a leaf, whose value stands in threshold; children count from the tree's own first node.
struct Source {
    size_t tree_count;
    const int64_t* first;  // (tree_count + 1): where each tree's nodes begin
    const int32_t* left;
    const int32_t* right;
    const int32_t* feature;
    const float* threshold;
    const uint8_t* default_left;
    const int32_t* output;  // (tree_count): the output that each tree adds to
};

// How a question sees its column: as it is; negated, so that a missing value answers no to x >= t as well; or 0 wherever
// there is a value.
enum class View : uint32_t { plain, negated, presence };

enum class Link { identity, logistic, exponential, hinge, softmax, argmax };

// From a name of Link; throws std::invalid_argument for another.
Link link_of(const std::string& name);

// What XGBoost makes of the base score before it adds the trees.
float margin_of(Link base_link, float score);

template <class T>
struct Aligned {
    using value_type = T;
    Aligned() = default;
    template <class U>
    Aligned(const Aligned<U>&) {}
    T* allocate(size_t count) { return static_cast<T*>(::operator new(count * sizeof(T), std::align_val_t{64})); }
    void deallocate(T* place, size_t) { ::operator delete(place, std::align_val_t{64}); }
    template <class U>
    bool operator==(const Aligned<U>&) const { return true; }
    template <class U>
    bool operator!=(const Aligned<U>&) const { return false; }
};
using Floats = std::vector<float, Aligned<float>>;

class Forest {
   public:
    // For the instruction set in use now. Trees of at most `deepest_asked` levels are asked at every node, of deeper
    // ones the first few, if any; the rest is walked. -1 leaves that to what was measured, and the answers are the same. Throws std::invalid_argument when the
    // arrays are no trees over `columns` features and base.size() outputs.
    Forest(const Source& source, size_t columns, std::vector<float> base, Link link, int deepest_asked = -1);

    // x (rows, columns) row by row; answers (rows, width()).
    void dense(const float* x, size_t rows, float* answers) const;

    // Compressed rows: those of row i are data[indptr[i] .. indptr[i + 1]] in the columns of `indices`; what is absent
    // is missing. Throws std::invalid_argument for an index outside the columns or offsets that fall.
    void sparse(const int64_t* indptr, const int32_t* indices, const float* data, size_t rows, size_t stored,
                float* answers) const;

    size_t columns() const { return columns_; }
    size_t outputs() const { return base_.size(); }
    size_t width() const { return link_ == Link::argmax ? 1 : base_.size(); }
    size_t bytes() const;

   private:
    // One column as the trees ask for it; slots are in the order of their columns.
    struct Slot {
        uint32_t column;
        View view;
        bool operator<(const Slot& other) const {
            return column != other.column ? column < other.column : view < other.view;
        }
    };
    struct Tree {
        int32_t depth;
        int32_t asked;     // levels asked at every node; the rest is walked
        int32_t output;
        size_t nodes;      // first in nodes_
        size_t questions;  // first in questions_
        size_t leaves;     // first in leaves_
    };
    class Builder;
    class DenseRows;
    class SparseRows;

    template <class Rows>
    void evaluate(const Rows& rows, size_t count, float* answers) const;
    template <class Rows>
    void evaluate_block(const Rows& rows, size_t begin, size_t groups, size_t count, float* x, float* sums) const;
    void walk_one(const float* x, float* sums) const;
    void walk_group(const Tree& tree, const float* x, const float* starts, float* sums) const;
    void finish(const float* margins, float* answers) const;

    size_t columns_;
    std::vector<float> base_;
    Link link_;
    InstructionSet instructions_;
    int deepest_asked_;
    bool asks_heads_;
    std::vector<Slot> slots_;
    std::vector<Tree> trees_;
    std::vector<Node> nodes_;
    std::vector<Question> questions_;
    Floats leaves_;
};

}  // namespace sagedock::trees
