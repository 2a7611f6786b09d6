// Sixteen rows side by side, over whatever vectors the processor has.
//
// This header is included once for each instruction set, inside a namespace and under a target pragma of its own
// (trees.cpp), with LANES_BYTES the size of a vector register. The same sixteen lanes are one register of AVX-512, two
// of AVX2 and four of any processor's 128 bits, so the logic is written and tested once.

using Vector = float __attribute__((vector_size(LANES_BYTES), may_alias));
constexpr int kRegisters = 16 * static_cast<int>(sizeof(float)) / LANES_BYTES;

struct Lanes {
    Vector part[kRegisters];
};

static inline __attribute__((always_inline)) Vector spread(float value) {
    return value - Vector{};  // x - 0 is x in every bit, so that compilers leave the subtraction out
}

static inline __attribute__((always_inline)) Lanes all(float value) {
    Lanes lanes;
    for (int i = 0; i < kRegisters; ++i) lanes.part[i] = spread(value);
    return lanes;
}

// Where x < threshold the lane of `yes`, elsewhere, and where x is NaN, the lane of `no`.
static inline __attribute__((always_inline)) Lanes choose(const float* x, float threshold, Lanes yes, Lanes no) {
    const Vector* values = reinterpret_cast<const Vector*>(x);
    Lanes lanes;
    for (int i = 0; i < kRegisters; ++i) {
        lanes.part[i] = (values[i] < spread(threshold)) ? yes.part[i] : no.part[i];
    }
    return lanes;
}

static inline __attribute__((always_inline)) void add(float* sums, Lanes lanes) {
    Vector* values = reinterpret_cast<Vector*>(sums);
    for (int i = 0; i < kRegisters; ++i) values[i] += lanes.part[i];
}

// A perfect tree of `Depth` levels, its nodes numbered by breadth (children of i: 2i+1 and 2i+2), asked at every node
// at once from the leaves up: no branch, no gather, and nothing waits for a comparison but the choice above it.
template <int Depth, int Node = 0, int Level = 0>
static inline __attribute__((always_inline)) Lanes ask(const Question* questions, const float* leaves, const float* x) {
    if constexpr (Level == Depth) {
        return all(leaves[Node - ((1 << Depth) - 1)]);
    } else {
        const Lanes yes = ask<Depth, 2 * Node + 1, Level + 1>(questions, leaves, x);
        const Lanes no = ask<Depth, 2 * Node + 2, Level + 1>(questions, leaves, x);
        return choose(x + 16 * static_cast<size_t>(questions[Node].slot), questions[Node].threshold, yes, no);
    }
}

template <int Depth>
static void ask_groups(const Question* questions, const float* leaves, const Groups& groups, size_t output) {
    for (size_t i = 0; i < groups.count; ++i) {
        const Lanes answer = ask<Depth>(questions, leaves, groups.x + i * groups.x_stride);
        add(groups.sums + i * groups.sums_stride + 16 * output, answer);
    }
}

// The first levels of deeper trees: the leaves are numbers of nodes, each the bits of a float, and go to `starts`.
static void ask_heads(const Question* questions, const float* leaves, const Groups& groups, float* starts) {
    for (size_t i = 0; i < groups.count; ++i) {
        const Lanes found = ask<kHead>(questions, leaves, groups.x + i * groups.x_stride);
        for (int part = 0; part < kRegisters; ++part) reinterpret_cast<Vector*>(starts + 16 * i)[part] = found.part[part];
    }
}

static void ask_perfect(int depth, const Question* questions, const float* leaves, const Groups& groups, size_t output) {
    switch (depth) {
        case 0: return ask_groups<0>(questions, leaves, groups, output);
        case 1: return ask_groups<1>(questions, leaves, groups, output);
        case 2: return ask_groups<2>(questions, leaves, groups, output);
        case 3: return ask_groups<3>(questions, leaves, groups, output);
        case 4: return ask_groups<4>(questions, leaves, groups, output);
        case 5: return ask_groups<5>(questions, leaves, groups, output);
        case 6: return ask_groups<6>(questions, leaves, groups, output);
        case 7: return ask_groups<7>(questions, leaves, groups, output);
        default: return ask_groups<8>(questions, leaves, groups, output);
    }
}
