#include "resampling.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "processor.hpp"

#ifdef SAGEDOCK_X86
#include <immintrin.h>
#endif

namespace sagedock::pictures {

namespace {

constexpr int kBits = 22;  // behind the binary point of a weight
constexpr std::int32_t kHalf = 1 << (kBits - 1);

inline std::uint8_t byte_of(std::int32_t sum) {
    const std::int32_t value = sum >> kBits;
    return static_cast<std::uint8_t>(value < 0 ? 0 : value > 255 ? 255 : value);
}

// The inputs that each output of one direction is made of: `taps` of them from `first` on, padded to `stride` with zeros.
struct Weights {
    std::size_t stride;
    std::vector<std::size_t> first, taps;
    std::vector<std::int32_t> weights;

    // Of outputs `begin` up to `begin + count` out of `outputs` that cover `inputs`; every number is rounded as Pillow does.
    Weights(std::size_t inputs, std::size_t outputs, std::size_t begin, std::size_t count) {
        const double scale = static_cast<double>(inputs) / static_cast<double>(outputs);
        const double wide = std::max(scale, 1.0);
        stride = (static_cast<std::size_t>(std::ceil(wide)) * 2 + 1 + 3) / 4 * 4;
        first.resize(count), taps.resize(count), weights.resize(count * stride);
        std::vector<double> exact(stride);
        for (std::size_t i = 0; i < count; ++i) {
            const double centre = (static_cast<double>(begin + i) + 0.5) * scale;
            const auto low = std::max<std::int64_t>(static_cast<std::int64_t>(centre - wide + 0.5), 0);
            const auto high = std::min(static_cast<std::int64_t>(centre + wide + 0.5), static_cast<std::int64_t>(inputs));
            first[i] = static_cast<std::size_t>(low), taps[i] = static_cast<std::size_t>(high - low);
            weigh(centre, 1 / wide, i, exact);
        }
    }

private:
    void weigh(double centre, double narrow, std::size_t output, std::vector<double>& exact) {
        double sum = 0;
        for (std::size_t tap = 0; tap < taps[output]; ++tap) {
            const double apart = std::abs((static_cast<double>(tap + first[output]) - centre + 0.5) * narrow);
            sum += exact[tap] = apart < 1 ? 1 - apart : 0;
        }
        for (std::size_t tap = 0; tap < taps[output]; ++tap) {
            const double share = sum != 0 ? exact[tap] / sum : exact[tap];
            weights[output * stride + tap] = static_cast<std::int32_t>(0.5 + share * (1 << kBits));
        }
    }
};

namespace lanes {
#define LANES_SOURCE "resampling_lanes.hpp"
#include "each_instruction_set.hpp"
#undef LANES_SOURCE
}  // namespace lanes

// One pixel of the first direction, of `channels` bytes.
inline void gather(const std::uint8_t* pixels, const std::int32_t* weights, std::size_t taps, std::size_t channels,
                   std::uint8_t* made) {
    for (std::size_t channel = 0; channel < channels; ++channel) {
        std::int32_t sum = kHalf;
        for (std::size_t tap = 0; tap < taps; ++tap) sum += weights[tap] * pixels[tap * channels + channel];
        made[channel] = byte_of(sum);
    }
}

void squeeze(const std::uint8_t* row, std::size_t channels, const Weights& across, std::uint8_t* made) {
    for (std::size_t x = 0; x < across.first.size(); ++x) {
        const std::uint8_t* const pixels = row + across.first[x] * channels;
        gather(pixels, &across.weights[x * across.stride], across.taps[x], channels, made + x * channels);
    }
}

#ifdef SAGEDOCK_X86

// Weights cut in two, so that products of 16 bits serve: the upper and the lower eleven bits of each, four taps to a group,
// as often as a register of 256 bits wants them.
struct Halves {
    std::size_t groups;  // of each output
    std::vector<std::int16_t> upper, lower;

    explicit Halves(const Weights& across)
        : groups(across.stride / 4), upper(across.weights.size() * 4), lower(across.weights.size() * 4) {
        for (std::size_t at = 0; at < across.weights.size(); ++at) {
            const std::size_t place = at / 4 * 16 + at % 4 / 2 * 8 + at % 2;  // two taps side by side in each lane of 128 bits
            for (std::size_t twin = 0; twin < 8; twin += 2) {
                upper[place + twin] = static_cast<std::int16_t>(across.weights[at] >> 11);
                lower[place + twin] = static_cast<std::int16_t>(across.weights[at] & 2047);
            }
        }
    }
};

// `squeeze` for three channels; not a byte at or beyond `end` is read.
SAGEDOCK_AVX2 void squeeze_colours(const std::uint8_t* row, const std::uint8_t* end, const Weights& across,
                                   const Halves& halves, std::uint8_t* made) {
    const __m256i pairs = _mm256_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1,  //
                                           6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1);
    const std::size_t columns = across.first.size();
    for (std::size_t x = 0; x < columns; ++x) {
        const std::uint8_t* pixels = row + across.first[x] * 3;
        const std::size_t groups = (across.taps[x] + 3) / 4;
        if (static_cast<std::size_t>(end - pixels) < groups * 12 + 4 || x + 1 == columns) {
            gather(pixels, &across.weights[x * across.stride], across.taps[x], 3, made + x * 3);
            continue;
        }
        const std::int16_t *upper = &halves.upper[x * halves.groups * 16], *lower = &halves.lower[x * halves.groups * 16];
        __m256i high = _mm256_setzero_si256(), low = high;
        for (std::size_t group = 0; group < groups; ++group) {
            const __m128i four = _mm_loadu_si128(reinterpret_cast<const __m128i*>(pixels + group * 12));
            const __m256i words = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(four), pairs);
            const __m256i first = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(upper + group * 16));
            const __m256i second = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(lower + group * 16));
            high = _mm256_add_epi32(high, _mm256_madd_epi16(words, first));
            low = _mm256_add_epi32(low, _mm256_madd_epi16(words, second));
        }
        const __m256i both = _mm256_add_epi32(_mm256_slli_epi32(high, 11), low);
        const __m128i lanes = _mm_add_epi32(_mm256_castsi256_si128(both), _mm256_extracti128_si256(both, 1));
        const __m128i sums = _mm_add_epi32(lanes, _mm_set1_epi32(kHalf));
        const __m128i bytes = _mm_packus_epi16(_mm_packus_epi32(_mm_srai_epi32(sums, kBits), sums), sums);
        const std::int32_t pixel = _mm_cvtsi128_si32(bytes);
        std::memcpy(made + x * 3, &pixel, 4);  // the fourth byte is the next pixel's, which follows
    }
}

#endif

struct Kernels {
    decltype(&lanes::baseline::blend) blend;
    decltype(&lanes::baseline::part) part;
};

Kernels kernels() {
#ifdef SAGEDOCK_X86
    if (instruction_set() == InstructionSet::avx512) return {lanes::avx512::blend, lanes::avx512::part};
    if (instruction_set() == InstructionSet::avx2) return {lanes::avx2::blend, lanes::avx2::part};
#endif
    return {lanes::baseline::blend, lanes::baseline::part};
}

// The rows from `begin` up to `end`, each squeezed to the columns that are wanted.
std::vector<std::uint8_t> squeezed(const Picture& picture, const Weights& across, std::size_t begin, std::size_t end) {
    const std::size_t stride = picture.width * picture.channels, made = across.first.size() * picture.channels;
    std::vector<std::uint8_t> found((end - begin) * made);
    const std::uint8_t* row = picture.pixels + begin * stride;
#ifdef SAGEDOCK_X86
    if (picture.channels == 3 && instruction_set() != InstructionSet::scalar) {
        const Halves halves(across);
        const std::uint8_t* const last = picture.pixels + picture.height * stride;
        for (std::size_t y = 0; y < end - begin; ++y, row += stride)
            squeeze_colours(row, last, across, halves, &found[y * made]);
        return found;
    }
#endif
    for (std::size_t y = 0; y < end - begin; ++y, row += stride) squeeze(row, picture.channels, across, &found[y * made]);
    return found;
}

}  // namespace

void resample(const Picture& picture, const Window& window, std::uint8_t* planes) {
    const Weights across(picture.width, window.width, window.left, window.columns);
    const Weights down(picture.height, window.height, window.top, window.rows);
    const std::size_t begin = down.first.front(), end = down.first.back() + down.taps.back();
    const std::vector<std::uint8_t> rows = squeezed(picture, across, begin, end);
    const std::size_t width = window.columns * picture.channels, plane = window.rows * window.columns;
    const Kernels use = kernels();
    std::vector<std::uint8_t> blended(width);
    for (std::size_t y = 0; y < window.rows; ++y) {
        const bool grey = picture.channels == 1;
        std::uint8_t* const row = planes + y * window.columns;
        const std::uint8_t* const blent = &rows[(down.first[y] - begin) * width];
        use.blend(blent, width, &down.weights[y * down.stride], down.taps[y], grey ? row : blended.data());
        if (!grey) use.part(blended.data(), window.columns, row, row + plane, row + 2 * plane);
    }
}

}  // namespace sagedock::pictures
