#include "draws.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include "splitmix.hpp"

namespace sagedock {

namespace {

constexpr double two_pi = 6.283185307179586;
constexpr double least_width = 1.1920929e-7;  // of a distribution, in units of the scale
constexpr double most_counted = 1e9;  // from this mean on, counts are drawn from a normal distribution
constexpr double most_mean = 1e30;
constexpr double most_exponent = 700.0;
constexpr int most_tries = 1000;      // of rejection, which takes a thousand with probability below 1e-300

// The uniform numbers of one draw, each from (0, 1).
class Uniforms {
public:
    Uniforms(std::uint64_t key, std::uint64_t step) : state_(mixed(key + splitmix_step * (step + 1))) {}

    double next() {
        state_ += splitmix_step;
        return (static_cast<double>(mixed(state_) >> 12) + 0.5) * 0x1p-52;
    }

private:
    std::uint64_t state_;
};

double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::fabs(x))); }

double normal(Uniforms& uniforms) {
    const double radius = std::sqrt(-2.0 * std::log(uniforms.next()));
    return radius * std::cos(two_pi * uniforms.next());
}

// Bailey, Polar generation of random variates with the t-distribution, 1994.
double student_t(double freedom, Uniforms& uniforms) {
    const double squared = freedom * std::expm1(-2.0 / freedom * std::log(uniforms.next()));
    return std::sqrt(squared) * std::cos(two_pi * uniforms.next());
}

// The logarithm of a gamma variate of scale 1 (Marsaglia and Tsang, A simple method for generating gamma variables, 2000).
double log_gamma_variate(double shape, Uniforms& uniforms) {
    const double boost = shape < 1.0 ? std::log(uniforms.next()) / shape : 0.0;
    const double d = (shape < 1.0 ? shape + 1.0 : shape) - 1.0 / 3.0, c = 1.0 / std::sqrt(9.0 * d);
    for (int tries = 0; tries < most_tries; ++tries) {
        const double x = normal(uniforms), root = 1.0 + c * x;
        if (root <= 0.0) continue;
        const double v = root * root * root;
        if (std::log(uniforms.next()) < 0.5 * x * x + d - d * v + d * std::log(v)) return std::log(d * v) + boost;
    }
    return std::log(d) + boost;
}

// log(count!), of counts from 10 on exact to a few units in the last place (Stirling's series).
double log_factorial(double count) {
    if (count < 10.0) {
        double product = 1.0;
        for (double factor = 2.0; factor <= count; factor += 1.0) product *= factor;
        return std::log(product);
    }
    const double inverse = 1.0 / count, squared = inverse * inverse;
    const double series = inverse * (1.0 / 12.0 - squared * (1.0 / 360.0 - squared * (1.0 / 1260.0)));
    return (count + 0.5) * std::log(count) - count + 0.9189385332046727 + series;
}

// By counting up for small means, else by transformed rejection (Hoermann, The transformed rejection method for generating
// Poisson random variables, 1993).
double poisson(double mean, Uniforms& uniforms) {
    if (mean < 10.0) {
        const double limit = std::exp(-mean);
        double product = uniforms.next(), count = 0.0;
        while (product > limit) product *= uniforms.next(), count += 1.0;
        return count;
    }
    if (mean > most_counted) return std::max(0.0, std::floor(mean + std::sqrt(mean) * normal(uniforms) + 0.5));
    const double root = std::sqrt(mean), b = 0.931 + 2.53 * root, a = -0.059 + 0.02483 * b;
    const double inverse = 1.1239 + 1.1328 / (b - 3.4), ratio = 0.9277 - 3.6224 / (b - 2.0), log_mean = std::log(mean);
    for (int tries = 0; tries < most_tries; ++tries) {
        const double u = uniforms.next() - 0.5, v = uniforms.next(), us = 0.5 - std::fabs(u);
        const double count = std::floor((2.0 * a / us + b) * u + mean + 0.43);
        if (us >= 0.07 && v <= ratio) return count;
        if (count < 0.0 || (us < 0.013 && v > us)) continue;
        if (std::log(v * inverse / (a / (us * us) + b)) <= count * log_mean - mean - log_factorial(count)) return count;
    }
    return std::floor(mean);
}

double counted(double mean, double dispersion, Uniforms& uniforms) {
    const double rate = mean * dispersion * std::exp(log_gamma_variate(1.0 / dispersion, uniforms));
    return poisson(std::min(rate, most_mean), uniforms);
}

double between(double alpha, double beta, Uniforms& uniforms) {
    const double first = log_gamma_variate(alpha, uniforms), second = log_gamma_variate(beta, uniforms);
    return 1.0 / (1.0 + std::exp(std::min(second - first, most_exponent)));
}

}  // namespace

Likelihood likelihood_of(std::string_view name) {
    if (name == "gaussian") return Likelihood::gaussian;
    if (name == "student-t") return Likelihood::student_t;
    if (name == "negative-binomial") return Likelihood::negative_binomial;
    if (name == "beta") return Likelihood::beta;
    if (name == "deterministic-l1") return Likelihood::deterministic_l1;
    throw std::invalid_argument("there is no likelihood " + std::string(name));
}

std::size_t parameters_of(Likelihood likelihood) {
    if (likelihood == Likelihood::deterministic_l1) return 1;
    return likelihood == Likelihood::student_t ? 3 : 2;
}

float draw(Likelihood likelihood, const float* raw, double scale, std::uint64_t key, std::uint64_t step) {
    for (std::size_t i = 0; i < parameters_of(likelihood); ++i)
        if (!std::isfinite(raw[i])) return std::nanf("");
    Uniforms uniforms(key, step);
    const double first = raw[0];
    if (likelihood == Likelihood::deterministic_l1) return raw[0];
    const double second = std::max(softplus(raw[1]), least_width);
    if (likelihood == Likelihood::gaussian) return static_cast<float>(first + second * normal(uniforms));
    if (likelihood == Likelihood::student_t)
        return static_cast<float>(first + second * student_t(2.0 + softplus(raw[2]), uniforms));
    if (likelihood == Likelihood::beta)
        return static_cast<float>(between(softplus(first) + least_width, softplus(raw[1]) + least_width, uniforms));
    return static_cast<float>(counted(scale * softplus(first), second, uniforms) / scale);
}

}  // namespace sagedock
