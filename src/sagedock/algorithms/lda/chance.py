"""Random numbers that depend on a seed, a stream and a place alone, here and in compiled code.

Source: SplitMix64, Steele, Lea and Flood, Fast Splittable Pseudorandom Number Generators, 2014.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_STEP = 0x9E3779B97F4A7C15


def shares(seed: int, stream: int, count: int) -> NDArray[np.float32]:
    """(count,) numbers from 0 up to 1, in steps of 2^-24."""
    with np.errstate(over="ignore"):
        key = _mixed(_mixed(np.array([seed % 2**64], np.uint64)) + np.uint64(_STEP * (stream + 1) % 2**64))
        bits = _mixed(key + np.uint64(_STEP) * np.arange(1, count + 1, dtype=np.uint64))
    return (bits >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24)


def _mixed(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))
