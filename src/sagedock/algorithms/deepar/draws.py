"""Random draws from the likelihoods, from the raw numbers that the network gives, in double precision.

The compiled core does the same operations in the same order (src/core/draws.hpp), by the same functions of the C
library.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

_BITS = 2**64 - 1
_STEP = 0x9E3779B97F4A7C15
_LEAST_WIDTH = 1.1920929e-7  # of a distribution, in units of the scale
_MOST_COUNTED = 1e9  # from this mean on, counts are drawn from a normal distribution
_MOST_MEAN = 1e30
_MOST_EXPONENT = 700.0
_MOST_TRIES = 1000  # of rejection, which takes a thousand with probability below 1e-300


def mixed(bits: int) -> int:
    """The permutation of 64-bit numbers of SplitMix64 (Steele, Lea and Flood, 2014)."""
    bits = ((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9) & _BITS
    bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) & _BITS
    return bits ^ (bits >> 31)


class Uniforms:
    """The uniform numbers of one draw, each from (0, 1)."""

    def __init__(self, key: int, step: int) -> None:
        self._state = mixed((key + _STEP * (step + 1)) & _BITS)

    def next(self) -> float:
        """Another one."""
        self._state = (self._state + _STEP) & _BITS
        return ((mixed(self._state) >> 12) + 0.5) * 2.0**-52


def softplus(x: float) -> float:
    """log(1 + exp(x))."""
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def draw(likelihood: str, raw: Sequence[float], scale: float, key: int, step: int) -> float:
    """One draw, in units of the scale; `key` and `step` say which random numbers it takes.

    NaN where the raw parameters are no finite numbers.
    """
    if not all(map(math.isfinite, raw)):
        return math.nan
    if likelihood == "deterministic-l1":
        return raw[0]
    uniforms = Uniforms(key, step)
    width = max(softplus(raw[1]), _LEAST_WIDTH)
    match likelihood:
        case "gaussian":
            return raw[0] + width * _normal(uniforms)
        case "student-t":
            return raw[0] + width * _student_t(2.0 + softplus(raw[2]), uniforms)
        case "beta":
            return _between(softplus(raw[0]) + _LEAST_WIDTH, softplus(raw[1]) + _LEAST_WIDTH, uniforms)
        case _:
            return _counted(scale * softplus(raw[0]), width, uniforms) / scale


def _normal(uniforms: Uniforms) -> float:
    radius = math.sqrt(-2.0 * math.log(uniforms.next()))
    return radius * math.cos(2.0 * math.pi * uniforms.next())


def _student_t(freedom: float, uniforms: Uniforms) -> float:
    """Bailey, Polar generation of random variates with the t-distribution, 1994."""
    squared = freedom * math.expm1(-2.0 / freedom * math.log(uniforms.next()))
    return math.sqrt(squared) * math.cos(2.0 * math.pi * uniforms.next())


def _log_gamma_variate(shape: float, uniforms: Uniforms) -> float:
    """The logarithm of a gamma variate of scale 1 (Marsaglia and Tsang, 2000)."""
    boost = math.log(uniforms.next()) / shape if shape < 1.0 else 0.0
    d = (shape + 1.0 if shape < 1.0 else shape) - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    for _ in range(_MOST_TRIES):
        x = _normal(uniforms)
        root = 1.0 + c * x
        if root <= 0.0:
            continue
        v = root * root * root
        if math.log(uniforms.next()) < 0.5 * x * x + d - d * v + d * math.log(v):
            return math.log(d * v) + boost
    return math.log(d) + boost


def _counted(mean: float, dispersion: float, uniforms: Uniforms) -> float:
    rate = mean * dispersion * math.exp(_log_gamma_variate(1.0 / dispersion, uniforms))
    return _poisson(min(rate, _MOST_MEAN), uniforms)


def _between(alpha: float, beta: float, uniforms: Uniforms) -> float:
    first, second = _log_gamma_variate(alpha, uniforms), _log_gamma_variate(beta, uniforms)
    return 1.0 / (1.0 + math.exp(min(second - first, _MOST_EXPONENT)))


def _poisson(mean: float, uniforms: Uniforms) -> float:
    if mean < 10.0:
        return _counted_up(mean, uniforms)
    if mean > _MOST_COUNTED:
        return max(0.0, float(math.floor(mean + math.sqrt(mean) * _normal(uniforms) + 0.5)))
    return _rejected(mean, uniforms)


def _counted_up(mean: float, uniforms: Uniforms) -> float:
    limit, product, count = math.exp(-mean), uniforms.next(), 0.0
    while product > limit:
        product *= uniforms.next()
        count += 1.0
    return count


def _rejected(mean: float, uniforms: Uniforms) -> float:
    """Hoermann, The transformed rejection method for generating Poisson random variables, 1993."""
    b = 0.931 + 2.53 * math.sqrt(mean)
    a = -0.059 + 0.02483 * b
    inverse, ratio, log_mean = 1.1239 + 1.1328 / (b - 3.4), 0.9277 - 3.6224 / (b - 2.0), math.log(mean)
    for _ in range(_MOST_TRIES):
        u, v = uniforms.next() - 0.5, uniforms.next()
        us = 0.5 - abs(u)
        count = float(math.floor((2.0 * a / us + b) * u + mean + 0.43))
        if us >= 0.07 and v <= ratio:
            return count
        if count < 0.0 or (us < 0.013 and v > us):
            continue
        if math.log(v * inverse / (a / (us * us) + b)) <= count * log_mean - mean - _log_factorial(count):
            return count
    return float(math.floor(mean))


def _log_factorial(count: float) -> float:
    """log(count!), of counts from 10 on exact to a few units in the last place (Stirling's series)."""
    if count < 10.0:
        return math.log(float(math.factorial(int(count))))
    inverse = 1.0 / count
    squared = inverse * inverse
    series = inverse * (1.0 / 12.0 - squared * (1.0 / 360.0 - squared * (1.0 / 1260.0)))
    return (count + 0.5) * math.log(count) - count + 0.9189385332046727 + series
