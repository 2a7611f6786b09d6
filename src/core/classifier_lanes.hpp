// Rows of numbers, sixteen columns at a time, over whatever vectors the processor has.
//
// This header is included once for each instruction set, inside a namespace and under a target pragma of its own
// (classifier.cpp), with LANES_BYTES the size of a vector register. Sums have their order and nothing is fused, so that
// every instruction set comes to the same bits. Nothing of the standard library is called: what a template is compiled to
// here could be taken for what it is elsewhere.

using Vector = float __attribute__((vector_size(LANES_BYTES), aligned(1), may_alias));
using Bits = unsigned int __attribute__((vector_size(LANES_BYTES), aligned(1), may_alias));
constexpr int kVectors = 16 * static_cast<int>(sizeof(float)) / LANES_BYTES;

// Sixteen columns.
struct Block {
    Vector part[kVectors];
};

#define INLINE static inline __attribute__((always_inline))

INLINE Vector spread(float value) {
    return value - Vector{};
}

INLINE Block load(const void* from) {
    Block block;
    for (int i = 0; i < kVectors; ++i) block.part[i] = reinterpret_cast<const Vector*>(from)[i];
    return block;
}

INLINE void store(float* to, const Block& block) {
    for (int i = 0; i < kVectors; ++i) reinterpret_cast<Vector*>(to)[i] = block.part[i];
}

INLINE void add(Block& sum, const Block& more) {
    for (int i = 0; i < kVectors; ++i) sum.part[i] += more.part[i];
}

INLINE void add_product(Block& sum, const Block& block, float factor) {
    for (int i = 0; i < kVectors; ++i) sum.part[i] += block.part[i] * spread(factor);
}

INLINE void add_product(Block& sum, const Block& one, const Block& other) {
    for (int i = 0; i < kVectors; ++i) sum.part[i] += one.part[i] * other.part[i];
}

INLINE Block scaled(const Block& block, float factor) {
    Block result;
    for (int i = 0; i < kVectors; ++i) result.part[i] = block.part[i] * spread(factor);
    return result;
}

// Halves are added to halves until one number is left.
INLINE float total_of(const Block& block) {
    float lanes[16];
    store(lanes, block);
    for (int width = 8; width > 0; width /= 2)
        for (int i = 0; i < width; ++i) lanes[i] += lanes[i + width];
    return lanes[0];
}

INLINE void prefetch(const float* row, size_t columns) {
    for (size_t column = 0; column < columns; column += 16) __builtin_prefetch(row + column);
}

// sums = the sum of some rows, `Blocks` * 16 columns of them.
template <int Blocks>
static void sum_rows(const float* matrix, size_t stride, const int32_t* rows, size_t count, float* sums) {
    Block total[Blocks] = {};
    for (size_t i = 0; i < count; ++i) {
        const float* row = matrix + stride * static_cast<size_t>(rows[i]);
        for (int block = 0; block < Blocks; ++block) add(total[block], load(row + 16 * block));
    }
    for (int block = 0; block < Blocks; ++block) store(sums + 16 * block, total[block]);
}

// Add `step` to some rows, times the scale of each where there are scales.
template <int Blocks>
static void move_rows(float* matrix, size_t stride, const int32_t* rows, size_t count, const float* step, const float* scales) {
    Block moved[Blocks];
    for (int block = 0; block < Blocks; ++block) moved[block] = load(step + 16 * block);
    for (size_t i = 0; i < count; ++i) {
        float* row = matrix + stride * static_cast<size_t>(rows[i]);
        const float scale = scales == nullptr ? 1.0f : scales[rows[i]];
        for (int block = 0; block < Blocks; ++block) {
            Block found = load(row + 16 * block);
            if (scales == nullptr) add(found, moved[block]);
            else add_product(found, moved[block], scale);
            store(row + 16 * block, found);
        }
    }
}

// For each label: correction += error * its row, and its row += error * hidden.
template <int Blocks>
static void move_labels(float* output, size_t stride, const float* errors, size_t labels, const float* hidden, float* correction) {
    Block sum[Blocks] = {};
    for (size_t label = 0; label < labels; ++label) {
        float* row = output + stride * label;
        for (int block = 0; block < Blocks; ++block) {
            Block found = load(row + 16 * block);
            add_product(sum[block], found, errors[label]);
            add_product(found, load(hidden + 16 * block), errors[label]);
            store(row + 16 * block, found);
        }
    }
    for (int block = 0; block < Blocks; ++block) store(correction + 16 * block, sum[block]);
}

template <int Number>
struct Count {
    static constexpr int value = Number;
};

// What is done over any number of columns, a multiple of 16: 128 at a time, which stay in registers or nearly so.
template <class Work>
INLINE void in_blocks(size_t columns, Work work) {
    size_t begin = 0;
    for (; columns - begin > 128; begin += 128) work(begin, Count<8>());
    switch ((columns - begin) / 16) {
        case 1: return work(begin, Count<1>());
        case 2: return work(begin, Count<2>());
        case 3: return work(begin, Count<3>());
        case 4: return work(begin, Count<4>());
        case 5: return work(begin, Count<5>());
        case 6: return work(begin, Count<6>());
        case 7: return work(begin, Count<7>());
        case 8: return work(begin, Count<8>());
        default: return;
    }
}

// Up to sixteen columns, zeros behind them; they may begin at any byte.
INLINE Block load_some(const char* from, size_t columns) {
    float some[16] = {};
    __builtin_memcpy(some, from, columns * sizeof(float));
    return load(some);
}

// The product of a row of any number of columns, which may begin at any byte, and one padded with zeros to 16.
INLINE float dot(const char* row, const float* padded, size_t columns) {
    Block sum{};
    size_t column = 0;
    for (; column + 16 <= columns; column += 16) add_product(sum, load(row + column * sizeof(float)), load(padded + column));
    if (column < columns) add_product(sum, load_some(row + column * sizeof(float), columns - column), load(padded + column));
    return total_of(sum);
}

INLINE float dot(const float* row, const float* padded, size_t columns) { return dot(reinterpret_cast<const char*>(row), padded, columns); }

// e to the power of numbers that are not positive, to seven digits.
INLINE Block exponential(const Block& block) {
    constexpr float magic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to a whole number, whose bits stand last
    Block result;
    for (int i = 0; i < kVectors; ++i) {
        Vector x = block.part[i];
        x = x < spread(-87.0f) ? spread(-87.0f) : x;
        const Vector shifted = x * spread(1.44269504f) + spread(magic);
        const Vector power = shifted - spread(magic);
        const Vector rest = (x - power * spread(0.693359375f)) - power * spread(-2.12194440e-4f);
        Vector sum = spread(1.0f / 720);
        for (const float term : {1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f}) sum = sum * rest + spread(term);
        const Bits scale = (Bits)shifted << 23;  // what is shifted out is the magic's
        result.part[i] = (Vector)((Bits)sum + scale);
    }
    return result;
}

// scores become probabilities; there is room for a multiple of 16 of them.
static void softmax(float* scores, size_t count) {
    float largest = scores[0];
    for (size_t i = 1; i < count; ++i) largest = scores[i] > largest ? scores[i] : largest;
    const size_t room = (count + 15) / 16 * 16;
    for (size_t i = count; i < room; ++i) scores[i] = 0;
    Block sum{};
    for (size_t i = 0; i < room; i += 16) {
        Block shares = load(scores + i);
        for (int part = 0; part < kVectors; ++part) shares.part[part] -= spread(largest);
        store(scores + i, exponential(shares));
        for (size_t beyond = count; beyond < room && i + 16 == room; ++beyond) scores[beyond] = 0;
        add(sum, load(scores + i));
    }
    const float share = 1.0f / total_of(sum);
    for (size_t i = 0; i < room; i += 16) store(scores + i, scaled(load(scores + i), share));
}

static double learn_range(const Learning& task, size_t first, size_t last, const Scratch& scratch) {
    const size_t columns = task.columns;
    float* const hidden = scratch.hidden;
    float* const correction = scratch.correction;
    float* const errors = scratch.errors;
    double loss = 0;
    for (size_t place = first; place < last; ++place) {
        const size_t example = example_at(task, place);
        const int32_t* rows = task.rows + task.starts[example];
        const auto count = static_cast<size_t>(task.starts[example + 1] - task.starts[example]);
        const size_t label = label_of(task, example);
        const float share = static_cast<float>(1.0 / static_cast<double>(count));
        in_blocks(columns, [&](size_t begin, auto number) {
            constexpr int blocks = decltype(number)::value;
            sum_rows<blocks>(task.input + begin, task.input_stride, rows, count, hidden + begin);
            for (int block = 0; block < blocks; ++block) store(hidden + begin + 16 * block, scaled(load(hidden + begin + 16 * block), share));
        });
        if (place + 1 < last) {  // what comes next is on its way meanwhile
            const size_t next = example_at(task, place + 1);
            for (int64_t row = task.starts[next]; row < task.starts[next + 1] && row < task.starts[next] + ahead; ++row)
                prefetch(task.input + task.input_stride * static_cast<size_t>(task.rows[row]), columns);
        }
        for (size_t each = 0; each < task.label_count; ++each) errors[each] = dot(task.output + task.output_stride * each, hidden, columns);
        softmax(errors, task.label_count);
        loss += surprise(errors[label]);
        const float rate = rate_at(task, place, example) * task.weights[label];
        for (size_t each = 0; each < task.label_count; ++each) errors[each] *= -rate;
        errors[label] += rate;
        in_blocks(columns, [&](size_t begin, auto number) {
            constexpr int blocks = decltype(number)::value;
            move_labels<blocks>(task.output + begin, task.output_stride, errors, task.label_count, hidden + begin, correction + begin);
            for (int block = 0; block < blocks; ++block) store(correction + begin + 16 * block, scaled(load(correction + begin + 16 * block), share));
            move_rows<blocks>(task.input + begin, task.input_stride, rows, count, correction + begin, task.scales);
        });
    }
    return loss;
}

// The mean of some rows of any number of columns, those without a place left out of the sum; there is room for a
// multiple of 16 of them.
static void mean_of(const Matrix& matrix, const int32_t* rows, size_t count, const int32_t* places, float* hidden) {
    const size_t whole = matrix.columns / 16 * 16, room = (matrix.columns + 15) / 16 * 16;
    for (size_t column = 0; column < room; ++column) hidden[column] = 0;
    for (size_t i = 0; i < count; ++i) {
        const int64_t place = places == nullptr ? rows[i] : places[rows[i]];
        if (place < 0) continue;
        const char* row = matrix.row(static_cast<size_t>(place));
        for (size_t column = 0; column < room; column += 16) {
            Block sum = load(hidden + column);
            add(sum, column < whole ? load(row + column * sizeof(float)) : load_some(row + column * sizeof(float), matrix.columns - column));
            store(hidden + column, sum);
        }
    }
    const float share = static_cast<float>(1.0 / static_cast<double>(count > 0 ? count : 1));
    for (size_t column = 0; column < room; column += 16) store(hidden + column, scaled(load(hidden + column), share));
}

static void scores_of(const Matrix& output, const float* hidden, float* scores) {
    for (size_t row = 0; row < output.rows; ++row) scores[row] = dot(output.row(row), hidden, output.columns);
}

#undef INLINE
