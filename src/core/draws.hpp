// Random draws from the distributions that forecasts are made of, from the raw numbers that a network gives.
// sagedock/algorithms/deepar/draws.py is the same in Python, bit for bit, to be read first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sagedock {

enum class Likelihood { gaussian, student_t, negative_binomial, beta, deterministic_l1 };

// From its name as SageMaker writes it; throws std::invalid_argument for another.
Likelihood likelihood_of(std::string_view name);

// How many numbers the network gives for it: at most most_parameters.
std::size_t parameters_of(Likelihood likelihood);
constexpr std::size_t most_parameters = 3;

// One draw, in units of the scale. `key` and `step` say which random numbers it takes. NaN where the parameters are.
float draw(Likelihood likelihood, const float* raw, double scale, std::uint64_t key, std::uint64_t step);

}  // namespace sagedock
