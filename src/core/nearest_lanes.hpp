// The nearest of a few points, as many distances side by side as a register holds.
//
// This header is included once for each instruction set, inside a namespace and under a target pragma of its own
// (nearest.cpp), with LANES_BYTES the size of a vector register.

using Numbers = float __attribute__((vector_size(LANES_BYTES), aligned(4), may_alias));
using Places = std::int32_t __attribute__((vector_size(LANES_BYTES)));
constexpr std::size_t kLanes = LANES_BYTES / sizeof(float);

// The squared distances of `point` to those points whose numbers stand at `columns` and each further `padded` behind.
static inline __attribute__((always_inline)) Numbers apart(const float* point, std::size_t width, const float* columns,
                                                           std::size_t padded) {
    Numbers sums{};
    for (std::size_t place = 0; place < width; ++place) {
        const Numbers difference = point[place] - *reinterpret_cast<const Numbers*>(columns + place * padded);
        sums += difference * difference;
    }
    return sums;
}

static void search(const float* points, std::size_t count, std::size_t width, const float* columns, std::size_t padded,
                   std::uint8_t* codes) {
    for (std::size_t row = 0; row < count; ++row) {
        Numbers least = kEndless - Numbers{};
        Places where{};
        for (std::size_t begin = 0; begin < padded; begin += kLanes) {
            const Numbers found = apart(points + row * width, width, columns + begin, padded);
            const Places nearer = found < least;
            least = nearer ? found : least;
            where = nearer ? static_cast<std::int32_t>(begin) - Places{} : where;
        }
        float best = kEndless;
        std::size_t code = 0;
        for (std::size_t lane = 0; lane < kLanes; ++lane) {
            const std::size_t other = static_cast<std::size_t>(where[lane]) + lane;
            if (least[lane] < best || (least[lane] == best && best < kEndless && other < code)) best = least[lane], code = other;
        }
        codes[row] = static_cast<std::uint8_t>(code);
    }
}
