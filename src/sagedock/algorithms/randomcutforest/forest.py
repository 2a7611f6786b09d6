"""Random cut forests as arrays: building, scores, and what each feature adds to a score.

A random cut tree (Guha et al., ICML 2016, definition 1) cuts the bounding box of its points again and again, in a
dimension chosen in proportion to the box's sides and at a uniform place, until the points of each part are all equal.
A point's score on a tree is 1 / (the depth it would lie at), in expectation over every way of cutting it off: climbing
from its leaf, a box of total side length `span`, from which it sticks out by `outside`, is cut between it and the point
with probability outside / (span + outside). A forest's score is the mean over its trees times log2(samples per tree +
1), SageMaker's scale. A forest that scores by depth divides log2(samples per tree + 1) by the power mean of order 4 of
the depths, over its trees and all those ways: a tree in which a point lies deep says most, that it is a usual one.

Coordinates, `span` and `outside` are float32 and added in a fixed order, `sum_of_lanes`, so that the compiled core
gives the same bits; choosing a cut is done in float64. Random numbers are a function of seed, tree and node: a seed
gives the same forest with any number of threads.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from sagedock import core
from sagedock.algorithms.randomcutforest.trees import Floats, Integers, Trees

LANES = 16
"""Lengths are added in so many partial sums."""
LARGE = np.float32(2.0**64)
"""Forests that hold coordinates from here on are measured in units of this, so that no sum of sides overflows."""
FARTHEST = np.float32(2.0**112)
"""A point is measured as if it lay no farther out than this (in a forest without LARGE coordinates: from anywhere)."""
_BLOCK = 1 << 22  # coordinates that are looked at together, which bounds what scoring takes in memory


@dataclass(frozen=True, eq=False)
class Forest(Trees):
    """Random cut trees by which points are scored."""

    by_depth: bool = field(default=False, kw_only=True)
    """Whether scores are by the depths themselves, and not by their reciprocals as SageMaker's are."""

    def scores(self, points: Floats, threads: int = 1) -> Floats:
        """(rows,) of points (rows, columns); raises ValueError for another width and for NaN."""
        points = _checked_points(points, self.columns)
        if core.native is not None:
            return self.compiled.scores(points, threads)
        return self._in_blocks(points, self._summed_scores)

    def attributions(self, points: Floats, threads: int = 1) -> Floats:
        """(rows, columns): what each column adds to the score, which a row sums to within float32's precision.

        A box's probability of being cut off is shared in proportion to how far the point sticks out in each column. A
        point that equals a leaf sticks out of nothing; its share there is by how it sticks out of the box beside the
        leaf, and equal for all columns where a tree is one leaf. Scores by depth have the shares of reciprocal ones.
        """
        if self.by_depth:
            shares, plain = self._reciprocal.attributions(points, threads), self._reciprocal.scores(points, threads)
            scaled: Floats = shares * (self.scores(points, threads) / plain)[:, None]
            return scaled
        points = _checked_points(points, self.columns)
        if core.native is not None:
            return self.compiled.attributions(points, threads)
        return self._in_blocks(points, self._summed_attributions)

    @cached_property
    def compiled(self) -> core.CutForest:
        """The same forest in the compiled core, where there is one."""
        cut, box, point = self.lengths
        return cast("core.Native", core.native).CutForest(
            dimension=self.dimension,
            cut=cut,
            box=box,
            point=point,
            seen=self.seen,
            unit=float(self.unit),
            farthest=float(FARTHEST),
            scale=self.scale,
            by_depth=self.by_depth,
        )

    @property
    def scale(self) -> float:
        """What makes a score of a sum over the trees: times it or, by depth, divided by the sum's fourth root."""
        greatest = math.log2(self.samples_per_tree + 1)
        return greatest * math.sqrt(math.sqrt(self.trees)) if self.by_depth else greatest / self.trees

    def of_sums(self, sums: NDArray[np.float64]) -> Floats:
        """The scores (rows,) of points that have these sums over the trees."""
        scores = self.scale / np.sqrt(np.sqrt(sums)) if self.by_depth else sums * self.scale
        return scores.astype(np.float32)

    @cached_property
    def _reciprocal(self) -> Forest:
        """The same trees, scoring as SageMaker does."""
        return replace(self, by_depth=False)

    @cached_property
    def seen(self) -> Floats:
        """(leaves,) of a leaf's own point, at depth + log2(mass), and at 1 in a tree of one sample."""
        masses, which = np.unique(self.mass, return_inverse=True)
        bits = np.array([math.log2(mass) for mass in masses.tolist()])
        depth: NDArray[np.float64] = self.level[self.dimension < 0] + bits[which]
        depth[depth == 0] = 1
        return _of_depths(depth, self.by_depth)

    @cached_property
    def share(self) -> Floats:
        """(levels,) of a point that is cut off at a node of that level, and lies one deeper."""
        return _of_depths(np.arange(1, self.level.max() + 2, dtype=np.float64), self.by_depth)

    @cached_property
    def lengths(self) -> tuple[Floats, Floats, Floats]:
        """`cut`, `box` and `point` in the unit of length."""
        return self._in_units(self.cut), self._in_units(self.box), self._in_units(self.point)

    @cached_property
    def span(self) -> Floats:
        """(cuts,) the sum of a box's sides."""
        _, box, _ = self.lengths
        return sum_of_lanes(box[:, 1] - box[:, 0])

    @cached_property
    def unit(self) -> np.float32:
        """The unit of length."""
        large = any(np.abs([array.min(), array.max()]).max() >= LARGE for array in (self.box, self.point) if array.size)
        return LARGE if large else np.float32(1)

    def _in_units(self, array: Floats) -> Floats:
        return array if self.unit == 1 else (array / self.unit).astype(np.float32, copy=False)

    def _in_blocks(self, points: Floats, work: Callable[[Floats], NDArray[np.float64]]) -> Floats:
        """The mean over trees of what `work` sums up, on SageMaker's scale, a block of rows at a time."""
        if np.isnan(points).any():
            raise ValueError("a point holds NaN")
        rows = max(1, _BLOCK // self.columns)
        blocks = [points[begin : begin + rows] for begin in range(0, len(points), rows)] or [points]
        sums = np.concatenate([work(np.clip(self._in_units(block), -FARTHEST, FARTHEST)) for block in blocks])
        return self.of_sums(sums)

    def _leaves(self, tree: int, points: Floats) -> Integers:
        """(rows,) the leaf at which each point arrives."""
        cut, _, _ = self.lengths
        node = np.full(len(points), self.first[tree])
        moving = np.arange(len(points))
        while len(moving := moving[self.dimension[node[moving]] >= 0]):
            at = node[moving]
            left = points[moving, self.dimension[at]] <= cut[self.rank[at]]
            node[moving] = np.where(left, at + 1, self.right[at])
        return node

    def _summed_scores(self, points: Floats) -> NDArray[np.float64]:
        total = np.zeros(len(points))
        for tree in range(self.trees):
            total += self._climb(tree, points)
        return total

    def _summed_attributions(self, points: Floats) -> NDArray[np.float64]:
        total = np.zeros(points.shape)
        for tree in range(self.trees):
            shares = np.zeros(points.shape, np.float32)
            self._climb(tree, points, shares)
            total += shares
        return total

    def _climb(self, tree: int, points: Floats, shares: Floats | None = None) -> Floats:
        """The scores of points on one tree (rows,); what the columns add to them is written to `shares`, if given."""
        _, box, leaf_points = self.lengths
        leaf = self._leaves(tree, points)
        rank = self.rank[leaf]
        apart = lengths_outside(leaf_points[rank], leaf_points[rank], points)
        outside = sum_of_lanes(apart)
        unseen = outside > 0
        score = np.where(unseen, self.share[self.level[leaf]], self.seen[rank])
        if shares is not None:
            shares[unseen] = apart[unseen] / outside[unseen, None] * score[unseen, None]
            self._share_seen(leaf[~unseen], points[~unseen], score[~unseen], shares, ~unseen)
        rows = np.flatnonzero(unseen)
        node = self.parent[leaf[rows]]
        while len(rows):
            rows, node = rows[node >= 0], node[node >= 0]
            rank = self.rank[node]
            apart = lengths_outside(box[rank, 0], box[rank, 1], points[rows])
            outside = sum_of_lanes(apart)
            out = outside > 0
            rows, node, whole = rows[out], node[out], (self.span[rank] + outside)[out]
            kept, here = self.span[rank][out] / whole, self.share[self.level[node]]
            score[rows] = here + kept * (score[rows] - here)
            if shares is not None:
                shares[rows] = apart[out] / whole[:, None] * here[:, None] + kept[:, None] * shares[rows]
            node = self.parent[node]
        return score

    def _share_seen(
        self, leaf: Integers, points: Floats, score: Floats, shares: Floats, where: NDArray[np.bool_]
    ) -> None:
        """Write the shares of points that equal their leaf, by how they stick out of the box beside it."""
        parent = self.parent[leaf]
        beside = np.where(parent + 1 == leaf, self.right[parent], parent + 1)
        beside = np.where(parent < 0, leaf, beside)
        _, box, point = self.lengths
        rank, is_leaf = self.rank[beside], self.dimension[beside] < 0
        low, high = np.empty_like(points), np.empty_like(points)
        low[is_leaf] = high[is_leaf] = point[rank[is_leaf]]
        low[~is_leaf], high[~is_leaf] = box[rank[~is_leaf], 0], box[rank[~is_leaf], 1]
        apart = lengths_outside(low, high, points)
        outside = sum_of_lanes(apart)
        alone = outside == 0
        apart[alone], outside[alone] = 1, self.columns
        shares[where] = apart / outside[:, None] * score[:, None]


def _of_depths(depth: NDArray[np.float64], by_depth: bool) -> Floats:
    """What scores are made of: depths to the fourth power, or their reciprocals."""
    squares = depth * depth
    return (squares * squares if by_depth else 1 / depth).astype(np.float32)


def lengths_outside(low: Floats, high: Floats, points: Floats) -> Floats:
    """(rows, columns) how far each point lies outside the box from `low` to `high`, 0 where it is inside."""
    lengths: Floats = np.maximum(np.maximum(low - points, points - high), np.float32(0))
    return lengths


def sum_of_lanes(lengths: Floats) -> Floats:
    """(rows,) the sum over columns (rows, columns): lane i adds columns i, i + 16, ..., then lanes fold in halves."""
    lanes = np.zeros((len(lengths), LANES), np.float32)
    for begin in range(0, lengths.shape[1], LANES):
        part = lengths[:, begin : begin + LANES]
        lanes[:, : part.shape[1]] += part
    while lanes.shape[1] > 1:
        half = lanes.shape[1] // 2
        lanes = lanes[:, :half] + lanes[:, half:]
    return lanes.reshape(-1)


def build(samples: Floats, seed: int, threads: int = 1) -> Forest:
    """A tree for each of samples (trees, samples of a tree, columns), all finite.

    Raises ValueError for samples that are none or hold NaN or infinity.
    """
    samples = np.ascontiguousarray(samples, np.float32)
    if samples.ndim != 3 or 0 in samples.shape:
        raise ValueError(f"samples are (trees, samples of a tree, columns), none of them 0: not {samples.shape}")
    if not np.isfinite([samples.min(), samples.max()]).all():
        raise ValueError("samples have to be finite numbers")
    if core.native is not None:
        return Forest(samples.shape[1], *core.native.grow_cut_trees(samples, seed % 2**64, threads))
    samples = samples + np.float32(0)  # so that no zero is negative
    grown = [_grow(points, uniforms(seed, tree, len(points) - 1)) for tree, points in enumerate(samples)]
    return Forest(samples.shape[1], *map(np.concatenate, zip(*grown, strict=True)))


def uniforms(seed: int, tree: int, count: int) -> NDArray[np.float64]:
    """(count,) numbers from [0, 1), one for each cut of a tree in preorder: SplitMix64 (Steele et al., 2014)."""
    step = 0x9E3779B97F4A7C15
    with np.errstate(over="ignore"):
        key = _mixed(_mixed(np.array([seed % 2**64], np.uint64)) + np.uint64(step * (tree + 1) % 2**64))
        bits = _mixed(key + np.uint64(step) * np.arange(1, count + 1, dtype=np.uint64))
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mixed(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


def _grow(points: Floats, draws: NDArray[np.float64]) -> tuple[NDArray[Any], ...]:
    """One tree's `dimension`, `cut`, `box`, `point` and `mass`."""
    dimension: list[int] = []
    cut: list[np.float32] = []
    box, leaves, mass = [], [], []
    waiting = [np.arange(len(points))]
    while waiting:
        rows = waiting.pop()
        low, high = points[rows].min(axis=0), points[rows].max(axis=0)
        if (low == high).all():
            dimension.append(-1)
            leaves.append(rows[0])
            mass.append(len(rows))
            continue
        column, value = choose_cut(low, high, draws[len(cut)])
        dimension.append(column)
        cut.append(value)
        box.append((low, high))
        left = points[rows, column] <= value
        waiting += [rows[~left], rows[left]]
    boxes = np.array(box, np.float32).reshape(-1, 2, points.shape[1])
    integers = np.array(dimension, np.int32), np.array(mass, np.int32)
    return integers[0], np.array(cut, np.float32), boxes, points[leaves], integers[1]


def choose_cut(low: Floats, high: Floats, draw: float) -> tuple[int, np.float32]:
    """A column in proportion to the box's sides and a value uniform in it, both from one number of [0, 1).

    The value is below `high`, so that points lie on either side also where they are neighbours in float32.
    """
    ends = np.cumsum(high.astype(np.float64) - low)
    place = draw * ends[-1]
    column = int(np.searchsorted(ends, place, side="right"))
    value = np.float32(low[column] + (place - (ends[column - 1] if column else 0.0)))
    return column, min(value, np.nextafter(high[column], np.float32(-np.inf)))


def _checked_points(points: Floats, columns: int) -> Floats:
    points = np.ascontiguousarray(points, np.float32)
    if points.ndim != 2 or points.shape[1] != columns:
        raise ValueError(f"points are (rows, {columns}): not {points.shape}")
    return points
