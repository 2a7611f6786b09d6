"""How much a request makes a network do, told before it does it: SageMaker waits 60 seconds for an answer."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sagedock.algorithms.deepar.parameters import Architecture

MOST_PRODUCTS = 500_000_000_000
"""Of a number by a weight, in one request: 22 to 28 seconds of the compiled core on one processor with AVX2 (measured
on a tenth of it), of the 60 that SageMaker waits."""

_A_DRAW = 4000
"""A draw and what is made of it take as long as so many products."""
_A_KNOWN_STEP = 2
"""A step of what is known takes as long as so many of those that many paths take side by side."""


@dataclass(frozen=True)
class Work:
    """Of one network: `weights` are those of a step, `context` and `horizon` the steps before and behind now."""

    weights: int
    context: int
    horizon: int

    @classmethod
    def of(cls, built: Architecture) -> Work:
        """That of a network; looking up a category takes no time."""
        shapes = [shape for name, shape in built.shapes().items() if not name.startswith("embedding")]
        return cls(sum(math.prod(shape) for shape in shapes), built.context_length, built.prediction_length)

    def most_series(self, paths: int) -> int:
        """How many series may be forecast at once by so many paths each; 0 where the paths are too many for one.

        One path of one series may always be drawn, however large the network.
        """
        found = MOST_PRODUCTS // (self._steps(paths) * (self.weights + _A_DRAW))
        return max(found, int(paths == 1))

    def most_paths(self) -> int:
        """By how many paths one series may be forecast."""
        steps = MOST_PRODUCTS // (self.weights + _A_DRAW) - self._steps(0)
        return max(1, steps // self.horizon)

    def _steps(self, paths: int) -> int:
        return paths * self.horizon + _A_KNOWN_STEP * self.context
