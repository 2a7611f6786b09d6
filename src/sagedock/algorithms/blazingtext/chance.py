"""Random numbers whose n-th depends on the seed and n alone, so that many are made at once, here and in compiled code.

Source: SplitMix64, Steele, Lea and Flood, Fast Splittable Pseudorandom Number Generators, 2014.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_STEP, _FIRST, _SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_ALL = (1 << 64) - 1


def mix(bits: int) -> int:
    """A permutation of the 64-bit numbers in which each bit of the argument changes half of those of the result."""
    bits &= _ALL
    bits = ((bits ^ (bits >> 30)) * _FIRST) & _ALL
    bits = ((bits ^ (bits >> 27)) * _SECOND) & _ALL
    return bits ^ (bits >> 31)


def stream(*parts: int) -> int:
    """The number of a stream, a different one for each sequence of whole numbers such as (seed, epoch)."""
    name = 0
    for part in parts:
        name = mix(name + part)
    return name


class Chance:
    """One part of a stream, such as the draws for one sentence."""

    def __init__(self, stream: int, part: int) -> None:
        self._state = mix(stream + part)

    def draw(self, count: int) -> NDArray[np.uint64]:
        """The next `count` numbers, each uniform over 64 bits."""
        steps = (np.arange(1, count + 1, dtype=np.uint64)) * np.uint64(_STEP)
        bits = np.uint64(self._state) + steps
        self._state = (self._state + count * _STEP) & _ALL
        bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(_FIRST)
        bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(_SECOND)
        return bits ^ (bits >> np.uint64(31))

    def shares(self, count: int) -> NDArray[np.float32]:
        """Uniform from 0 up to 1, in steps of 2^-24."""
        return (self.draw(count) >> np.uint64(40)).astype(np.float32) * np.float32(2**-24)

    def halves(self, count: int) -> NDArray[np.uint64]:
        """Uniform from 0 up to 2^32."""
        return self.draw(count) >> np.uint64(32)

    def below(self, limit: int, count: int) -> NDArray[np.int64]:
        """Nearly uniform from 0 up to `limit`, which is at most 2^32."""
        return ((self.halves(count) * np.uint64(limit)) >> np.uint64(32)).astype(np.int64)
