"""Random cut forests as the specification tells them (rcf 6.2 to 6.4): recursive, one point at a time, in doubles.

What is right is defined here; the package's arrays and its compiled core are compared with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

Point = Sequence[float]


@dataclass(frozen=True)
class Leaf:
    point: Point
    mass: int


@dataclass(frozen=True)
class Cut:
    column: int
    value: float
    low: Point
    high: Point
    left: Cut | Leaf
    right: Cut | Leaf


def build(points: Sequence[Point], draws: Iterator[float]) -> Cut | Leaf:
    """The tree of points whose coordinates are 32-bit floats; a node draws before its left side, which draws first."""
    low, high = (tuple(map(bound, *points)) if len(points) > 1 else tuple(points[0]) for bound in (min, max))
    if low == high:
        return Leaf(points[0], len(points))
    column, value = choose(low, high, next(draws))
    left = build([point for point in points if point[column] <= value], draws)
    right = build([point for point in points if point[column] > value], draws)
    return Cut(column, value, low, high, left, right)


def choose(low: Point, high: Point, draw: float) -> tuple[int, float]:
    """A column in proportion to the box's sides, and a value in it that is a 32-bit float below its upper end."""
    sides = [upper - lower for lower, upper in zip(low, high, strict=True)]
    place = draw * _sum(sides)
    passed = 0.0
    for column, side in enumerate(sides):
        if place < passed + side:
            value = np.float32(low[column] + (place - passed))
            below = np.nextafter(np.float32(high[column]), np.float32(-np.inf))
            return column, float(min(value, below))
        passed += side
    raise AssertionError("the draw lies in no side")


def reciprocal(depth: float) -> float:
    return 1 / depth


def score(tree: Cut | Leaf, point: Point, depth: int = 0, of: Callable[[float], float] = reciprocal) -> float:
    """`of` the depth at which the point would lie, in expectation over all cuts that the tree might have had."""
    if isinstance(tree, Leaf):
        if tuple(tree.point) == tuple(point):
            return of((depth + math.log2(tree.mass)) or 1)
        return of(depth + 1)
    below = score(tree.left if point[tree.column] <= tree.value else tree.right, point, depth + 1, of)
    old = sum(upper - lower for lower, upper in zip(tree.low, tree.high, strict=True))
    new = sum(
        max(upper, value) - min(lower, value) for lower, upper, value in zip(tree.low, tree.high, point, strict=True)
    )
    separated = (new - old) / new
    return separated * of(depth + 1) + (1 - separated) * below


def attribution(tree: Cut | Leaf, point: Point, depth: int = 0, beside: Cut | Leaf | None = None) -> list[float]:
    """The same, shared among the columns by how far the point sticks out of each box.

    A point that is a leaf's own is shared by how it sticks out of the box beside the leaf.
    """
    low, high = (tree.point, tree.point) if isinstance(tree, Leaf) else (tree.low, tree.high)
    apart = _apart(low, high, point)
    if isinstance(tree, Leaf):
        whole = score(tree, point, depth)
        if sum(apart) == 0 and beside is not None:
            apart = _apart(*((beside.point,) * 2 if isinstance(beside, Leaf) else (beside.low, beside.high)), point)
        if sum(apart) == 0:
            apart = [1.0] * len(apart)
        return [whole * part / sum(apart) for part in apart]
    sides = (tree.left, tree.right) if point[tree.column] <= tree.value else (tree.right, tree.left)
    below = attribution(sides[0], point, depth + 1, sides[1])
    whole = sum(apart) + sum(upper - lower for lower, upper in zip(low, high, strict=True))
    kept = 1 - sum(apart) / whole
    return [part / whole / (depth + 1) + kept * share for part, share in zip(apart, below, strict=True)]


def forest_score(trees: Sequence[Cut | Leaf], point: Point, samples_per_tree: int) -> float:
    """The mean over the trees on SageMaker's scale."""
    return sum(score(tree, point) for tree in trees) / len(trees) * math.log2(samples_per_tree + 1)


def forest_score_by_depth(trees: Sequence[Cut | Leaf], point: Point, samples_per_tree: int) -> float:
    """SageMaker's greatest score, divided by the power mean of order 4 of the depths."""
    mean = sum(score(tree, point, of=lambda depth: depth**4) for tree in trees) / len(trees)
    return math.log2(samples_per_tree + 1) / mean**0.25


def _apart(low: Point, high: Point, point: Point) -> list[float]:
    return [max(lower - value, value - upper, 0.0) for lower, upper, value in zip(low, high, point, strict=True)]


def _sum(values: Sequence[float]) -> float:
    """From the first to the last, each sum rounded: `sum` of later Pythons is more exact."""
    total = 0.0
    for value in values:
        total += value
    return total
