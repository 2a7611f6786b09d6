"""A forest that goes on learning from a series: each point is scored, then takes the place of others in some trees.

Each tree holds a reservoir of all points so far (Vitter, 1985) whose memory fades once the series is long: the point
that comes after `seen` others enters a tree with probability samples / (seen + 1), but never less than samples *
`decay`, in the place of one drawn from those held. In the long run a point stays for 1 / `decay` others on average.

What is drawn is a function of the seed, of how many points were seen, and of the tree: a stream that is taken up again
goes on as if it had never been put down. The compiled core does the same arithmetic in the same order.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sagedock import core
from sagedock.algorithms.randomcutforest.forest import FARTHEST, LARGE, Forest, build, uniforms
from sagedock.algorithms.randomcutforest.reservoir_trees import ARRAYS, ReservoirTrees
from sagedock.algorithms.randomcutforest.soundness import require_trees
from sagedock.algorithms.randomcutforest.trees import Floats

STEP = 0xD1342543DE82EF95
"""The seeds of consecutive points lie so far apart."""
MOST_SEEN = 1 << 62
"""No series is so long, and the number of its points has room in 64 bits."""

_NUMBERS = {"columns": np.int64, "seen": np.int64, "seed": np.int64, "decay": np.float64, "unit": np.float32}


def default_decay(samples_per_tree: int) -> float:
    """A tree forgets a point after ten times as many points as it holds, on average."""
    return 1 / (10 * samples_per_tree)


@dataclass(eq=False)
class Stream:
    """A forest that changes with every point it is given. Not for two threads at once."""

    trees: ReservoirTrees
    unit: np.float32
    """Coordinates in the trees are measured in it."""
    seed: int
    decay: float
    seen: int
    """Points so far, those that the forest was built of among them."""

    @classmethod
    def of(cls, forest: Forest, seen: int, seed: int, decay: float | None = None) -> Stream:
        """The stream that goes on from `forest`, built of a sample of `seen` points; `decay` is from 0 to 1.

        Before anything is learnt it has the scores of `forest`. Of LARGE coordinates the trees are built anew.
        """
        large = any(np.abs([part.min(), part.max()]).max() >= LARGE for part in (forest.box, forest.point) if part.size)
        unit, samples = LARGE if large else np.float32(1), forest.samples_per_tree
        if large:  # small ones among them may become equal
            points = np.repeat(forest.point / LARGE, forest.mass, axis=0)
            forest = build(points.reshape(forest.trees, samples, forest.columns), seed)
        return cls(ReservoirTrees.of(forest), unit, seed, default_decay(samples) if decay is None else decay, seen)

    @classmethod
    def resumed(cls, state: Mapping[str, NDArray[Any]]) -> Stream:
        """The stream that `state` is of; raises ValueError when it is the state of none."""
        absent = {*ARRAYS, *_NUMBERS} - set(state)
        if absent:
            raise ValueError(f"{', '.join(sorted(absent))} is missing")
        numbers = {name: np.asarray(state[name]) for name in _NUMBERS}
        for name, kind in _NUMBERS.items():
            if numbers[name].dtype != kind or numbers[name].shape != () or not np.isfinite(numbers[name]):
                raise ValueError(f"{name} is no {np.dtype(kind)} number")
        columns, seen, seed, decay, unit = (numbers[name].item() for name in _NUMBERS)
        if not 0 <= seen < MOST_SEEN or not 0 <= decay <= 1 or unit not in (1, LARGE):
            raise ValueError(f"seen {seen}, decay {decay} and unit {unit} are not those of a stream")
        trees = ReservoirTrees(columns, **{name: np.array(state[name]) for name in ARRAYS})
        require_trees(trees)
        return cls(trees, np.float32(unit), seed, decay, seen)

    def scores(self, points: Floats) -> Floats:
        """(rows,) of points (rows, columns) as the forest is now; raises ValueError for another width and for NaN."""
        return self._go_through(points, None, learns=False)

    def follow(self, points: Floats, shares: Floats | None = None) -> Floats:
        """The score of each point (rows,) before it is learnt, in order.

        What each column adds to it is written to `shares` (rows, columns), if given. Raises ValueError for another
        width and for NaN, before anything is learnt.
        """
        return self._go_through(points, shares, learns=True)

    def state(self) -> dict[str, NDArray[Any]]:
        """All that there is to know, for `resumed`."""
        numbers = (self.trees.columns, self.seen, self.seed, self.decay, self.unit)
        named = zip(_NUMBERS.items(), numbers, strict=True)
        return {
            **{name: array.copy() for name, array in self.trees.arrays().items()},
            **{name: np.array(value, kind) for (name, kind), value in named},
        }

    def _go_through(self, points: Floats, shares: Floats | None, *, learns: bool) -> Floats:
        measured = self._measured(points)
        scores = np.empty(len(measured), np.float32)
        kept = np.zeros(measured.shape, np.float32) if shares is not None else None
        if core.native is not None:
            self._natively(core.native, measured, scores, kept, learns)
        else:
            self._in_turn(measured, scores, kept, learns)
        if shares is not None and kept is not None:
            shares[:] = kept[:, : self.trees.columns]
        self.seen += len(measured) * learns
        return scores

    def _measured(self, points: Floats) -> Floats:
        """The points in the trees' unit and width; raises ValueError where they cannot be."""
        trees = self.trees
        points = np.asarray(points, np.float32)
        if points.ndim != 2 or points.shape[1] != trees.columns:
            raise ValueError(f"points are (rows, {trees.columns}): not {points.shape}")
        if np.isnan(points).any():
            raise ValueError("a point holds NaN")
        measured = np.zeros((len(points), trees.width), np.float32)
        measured[:, : trees.columns] = np.clip(points / self.unit, -FARTHEST, FARTHEST) + np.float32(0)  # no -0
        return measured

    @property
    def _scale(self) -> float:
        return math.log2(self.trees.samples + 1) / self.trees.trees

    def _natively(
        self, native: core.Native, points: Floats, scores: Floats, shares: Floats | None, learns: bool
    ) -> None:
        native.follow_series(
            points,
            scores,
            shares,
            seed=self.seed % 2**64,
            seen=self.seen,
            decay=self.decay,
            scale=self._scale,
            learns=learns,
            columns=self.trees.columns,
            bits=self.trees.bits,
            **self.trees.arrays(),
        )

    def _in_turn(self, points: Floats, scores: Floats, shares: Floats | None, learns: bool) -> None:
        parts = np.empty((self.trees.trees, self.trees.width), np.float32) if shares is not None else None
        for row, point in enumerate(points):
            parted = self.trees.climb(point, parts)
            scores[row] = np.cumsum(parted, dtype=np.float64)[-1] * self._scale
            if shares is not None and parts is not None:
                shares[row] = np.cumsum(parts, axis=0, dtype=np.float64)[-1] * self._scale
            if learns:
                self._learn(point, self.seen + row)

    def _learn(self, point: Floats, seen: int) -> None:
        samples = self.trees.samples
        chance = samples * max(1 / (seen + 1), self.decay)
        for tree in range(self.trees.trees):
            if uniforms(self.seed + seen * STEP, tree, 1)[0] < chance:
                draws = uniforms(self.seed + seen * STEP, tree, samples + 2)
                slot = int(draws[1] * samples)
                self.trees.take_out(tree, slot)
                self.trees.let_in(tree, slot, point, draws[2:])
