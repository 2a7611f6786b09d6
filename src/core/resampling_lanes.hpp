// The second direction of resampling (resampling.cpp), for whatever vectors the processor has.

constexpr std::size_t kBlock = 32;

// One row of bytes: the weighted sum of `taps` rows that lie `width` bytes apart.
static void blend(const std::uint8_t* rows, std::size_t width, const std::int32_t* weights, std::size_t taps,
                  std::uint8_t* blended) {
    std::size_t at = 0;
    for (; at + kBlock <= width; at += kBlock) {
        std::int32_t sums[kBlock];
        for (std::size_t i = 0; i < kBlock; ++i) sums[i] = kHalf;
        for (std::size_t tap = 0; tap < taps; ++tap) {
            const std::uint8_t* const row = rows + tap * width + at;
            for (std::size_t i = 0; i < kBlock; ++i) sums[i] += weights[tap] * row[i];
        }
        for (std::size_t i = 0; i < kBlock; ++i) blended[at + i] = byte_of(sums[i]);
    }
    for (; at < width; ++at) {
        std::int32_t sum = kHalf;
        for (std::size_t tap = 0; tap < taps; ++tap) sum += weights[tap] * rows[tap * width + at];
        blended[at] = byte_of(sum);
    }
}

static void part(const std::uint8_t* pixels, std::size_t count, std::uint8_t* first, std::uint8_t* second,
                 std::uint8_t* third) {
    for (std::size_t i = 0; i < count; ++i) {
        first[i] = pixels[3 * i];
        second[i] = pixels[3 * i + 1];
        third[i] = pixels[3 * i + 2];
    }
}
