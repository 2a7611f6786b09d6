// Shifted colours (hls.cpp), for whatever vectors the processor has.

using Vector = float __attribute__((vector_size(LANES_BYTES), may_alias));
constexpr std::size_t kVector = LANES_BYTES / sizeof(float);

static inline __attribute__((always_inline)) Vector spread(float value) { return value - Vector{}; }

static inline __attribute__((always_inline)) Vector greater(Vector one, Vector other) { return one > other ? one : other; }

static inline __attribute__((always_inline)) Vector smaller(Vector one, Vector other) { return one < other ? one : other; }

// The nearest whole number of -2^22 to 2^22, of two the even one: what is added leaves no bit behind the point.
static inline __attribute__((always_inline)) Vector rounded(Vector value) { return value + 12582912.0f - 12582912.0f; }

static inline __attribute__((always_inline)) Vector clamped(Vector value, float most) {
    return smaller(greater(value, Vector{}), spread(most));
}

static inline __attribute__((always_inline)) Vector channel_of(Vector sixths, Vector high, Vector low, float offset) {
    const Vector turned = sixths + offset;
    const Vector place = turned >= 6.0f ? turned - 6.0f : turned;
    const Vector weight = smaller(smaller(place, spread(1.0f)), 4.0f - place);
    return clamped(rounded(low + (high - low) * clamped(weight, 1.0f)), 255.0f);
}

// As many pixels as a vector has places: red, green and blue, and then what they become.
static inline __attribute__((always_inline)) void shift_vector(Vector& r, Vector& g, Vector& b, const Shift& shift) {
    const Vector most = greater(greater(r, g), b), least = smaller(smaller(r, g), b);
    const Vector apart = most - least, total = most + least, divisor = greater(apart, spread(1.0f));
    const Vector rest = total < 256.0f ? total : 510.0f - total;
    const Vector of_red = (g - b) / divisor, of_green = (b - r) / divisor + 2.0f, of_blue = (r - g) / divisor + 4.0f;
    const Vector others = most == g ? of_green : of_blue, found = most == r ? of_red : others;
    const Vector turned = found < 0.0f ? found + 6.0f : found, hue = apart > 0.0f ? turned : Vector{};
    const Vector sixths = clamped(rounded(hue * 30.0f) + static_cast<float>(shift.hue), 180.0f) * kThirtieth;
    const Vector light = clamped(rounded(total * 0.5f) + static_cast<float>(shift.lightness), 255.0f);
    const Vector colour = rounded(apart * 255.0f / greater(rest, spread(1.0f))) + static_cast<float>(shift.saturation);
    const Vector share = clamped(colour, 255.0f) * kShare;
    const Vector high = light <= 127.5f ? light * (1.0f + share) : light + share * (255.0f - light);
    const Vector low = 2.0f * light - high;
    r = channel_of(sixths, high, low, 2.0f);
    g = channel_of(sixths, high, low, 0.0f);
    b = channel_of(sixths, high, low, 4.0f);
}

static void floats_of(const std::uint8_t* bytes, float* values) {
    for (std::size_t i = 0; i < kBlock; ++i) values[i] = static_cast<float>(bytes[i]);
}

static void bytes_of(const float* values, std::uint8_t* bytes) {
    for (std::size_t i = 0; i < kBlock; ++i) bytes[i] = static_cast<std::uint8_t>(static_cast<std::int32_t>(values[i]));
}

// One block of `kBlock` pixels, whose planes lie `pixels` apart.
static void shift_block(const std::uint8_t* planes, std::size_t pixels, const Shift& shift, std::uint8_t* shifted) {
    alignas(64) float values[3][kBlock];
    for (std::size_t plane = 0; plane < 3; ++plane) floats_of(planes + plane * pixels, values[plane]);
    for (std::size_t at = 0; at < kBlock; at += kVector)
        shift_vector(*reinterpret_cast<Vector*>(&values[0][at]), *reinterpret_cast<Vector*>(&values[1][at]),
                     *reinterpret_cast<Vector*>(&values[2][at]), shift);
    for (std::size_t plane = 0; plane < 3; ++plane) bytes_of(values[plane], shifted + plane * pixels);
}
