"""What scores rows: a forest, and how rows are put before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from sagedock.algorithms.randomcutforest.forest import Forest
from sagedock.algorithms.randomcutforest.trees import Floats

_GREATEST = float(np.finfo(np.float32).max)


class Scorer(Protocol):
    """Whatever has scores for rows."""

    def scores(self, points: Floats, threads: int = 1, /) -> Floats:
        """(rows,) of rows (rows, columns)."""


@dataclass(frozen=True)
class Detector:
    """A forest of rows that hold `shingle_size` points each; `weights`, if any, multiply their columns first."""

    forest: Forest
    shingle_size: int = 1
    weights: Floats | None = None

    @property
    def columns(self) -> int:
        """Of a point, which is a row where shingles are of one point."""
        return self.forest.columns // self.shingle_size

    def weighed(self, rows: Floats) -> Floats:
        """The rows as the forest measures them; numbers too large for that become infinite."""
        if self.weights is None:
            return rows
        with np.errstate(over="ignore"):
            weighed: Floats = rows * self.weights
        return weighed

    def scores(self, rows: Floats, threads: int = 1) -> Floats:
        """(rows,) of rows (rows, columns of the forest)."""
        return self.forest.scores(self.weighed(rows), threads)

    def by(self, scorer: Scorer) -> Weighed:
        """The same rows put before another scorer."""
        return Weighed(self, scorer)

    def attributions(self, rows: Floats, threads: int = 1) -> Floats:
        """(rows, columns of the forest) what each adds to the score."""
        return self.forest.attributions(self.weighed(rows), threads)


@dataclass(frozen=True)
class Weighed:
    """Scores of rows by another way than the detector's own."""

    detector: Detector
    scorer: Scorer

    def scores(self, rows: Floats, threads: int = 1) -> Floats:
        """(rows,) of rows (rows, columns of the forest)."""
        return self.scorer.scores(self.detector.weighed(rows), threads)


def column_weights(samples: Floats, shingle_size: int) -> Floats:
    """(columns,) by which columns are multiplied so that each has a range of 1 in the mean tree.

    `samples` are (trees, samples of a tree, columns). The points of a shingle share the weights of theirs. A column
    that never changes keeps its unit.
    """
    sides = samples.max(axis=1).astype(np.float64) - samples.min(axis=1)
    ranges = sides.mean(axis=0).reshape(shingle_size, -1).mean(axis=0)
    weights = 1 / np.where(ranges > 0, ranges, 1.0)
    return np.tile(np.minimum(weights, _GREATEST).astype(np.float32), shingle_size)
