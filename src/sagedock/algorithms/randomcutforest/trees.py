"""Random cut trees as flat arrays, checked before anything follows their indices, and what the arrays imply."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Trees:
    """Trees' nodes, tree after tree, each tree in preorder: a node, all of its left side, all of its right side.

    Raises ValueError when the arrays are no such trees: it believes nothing that a file says.
    """

    samples_per_tree: int
    dimension: NDArray[np.int32]
    """(nodes,) the column in which a node cuts, -1 at a leaf."""
    cut: Floats
    """(cuts,) of each cutting node in turn: up to this value points go left."""
    box: Floats
    """(cuts, 2, columns) the lowest and highest coordinates of a cutting node's points."""
    point: Floats
    """(leaves, columns) of each leaf in turn: the point that all of its samples equal."""
    mass: NDArray[np.int32]
    """(leaves,) how many samples a leaf holds."""

    def __post_init__(self) -> None:
        _check(self)

    @property
    def columns(self) -> int:
        return int(self.point.shape[1])

    @property
    def trees(self) -> int:
        return len(self.first) - 1

    @property
    def node_counts(self) -> Integers:
        """(trees,) cutting nodes and leaves."""
        return np.diff(self.first)

    @property
    def depths(self) -> Integers:
        """(trees,) how many levels each has; a single leaf has one."""
        return np.maximum.reduceat(self.level, self.first[:-1]) + 1

    @property
    def memory_bytes(self) -> int:
        return sum(array.nbytes for array in self.arrays().values())

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What an artefact has to store beside `samples_per_tree`."""
        return {name: getattr(self, name) for name in ("dimension", "cut", "box", "point", "mass")}

    @cached_property
    def first(self) -> Integers:
        """(trees + 1,) the node at which each tree begins."""
        open_ends = np.cumsum(np.where(self.dimension < 0, -1, 1))
        lowest = np.minimum.accumulate(np.concatenate([[0], open_ends]))
        return np.concatenate([[0], np.flatnonzero(np.diff(lowest)) + 1])

    @cached_property
    def rank(self) -> Integers:
        """(nodes,) a node's place in `cut` and `box`, or in `point` and `mass`."""
        is_leaf = self.dimension < 0
        return np.where(is_leaf, np.cumsum(is_leaf), np.cumsum(~is_leaf)) - 1

    @cached_property
    def right(self) -> Integers:
        """(nodes,) the right child of a cutting node, whose left child comes next: where its left side has ended.

        Along the nodes, the number of ends still open rises by one at a cut and falls by one at a leaf.
        """
        steps = np.where(self.dimension < 0, -1, 1)
        open_ends = np.cumsum(steps)
        count = len(steps)
        order = np.lexsort((np.arange(count), open_ends))
        keys = (open_ends[order] - open_ends.min()) * count + order
        sought = (open_ends - 1 - open_ends.min()) * count + np.arange(count)
        ends = order[np.minimum(np.searchsorted(keys, sought), count - 1)]
        return np.where(self.dimension < 0, -1, ends + 1)

    @cached_property
    def level(self) -> Integers:
        """(nodes,) cuts between a node and its root."""
        level = np.zeros(len(self.dimension), np.int64)
        nodes, depth = self.first[:-1], 0
        while len(nodes):
            level[nodes] = depth
            cutting = nodes[self.dimension[nodes] >= 0]
            nodes, depth = np.concatenate([cutting + 1, self.right[cutting]]), depth + 1
        return level

    @cached_property
    def parent(self) -> Integers:
        """(nodes,) -1 at a root."""
        parent = np.full(len(self.dimension), -1)
        cutting = np.flatnonzero(self.dimension >= 0)
        parent[cutting + 1] = parent[self.right[cutting]] = cutting
        return parent


def _check(trees: Trees) -> None:
    """Raise ValueError when the arrays are no trees."""
    cuts, leaves = int((trees.dimension >= 0).sum()), int((trees.dimension < 0).sum())
    shapes = {
        "dimension": (np.int32, (cuts + leaves,)),
        "cut": (np.float32, (cuts,)),
        "box": (np.float32, (cuts, 2, *trees.point.shape[1:])),
        "point": (np.float32, (leaves, *trees.point.shape[1:])),
        "mass": (np.int32, (leaves,)),
    }
    for name, (dtype, shape) in shapes.items():
        array = getattr(trees, name)
        if array.dtype != dtype or array.shape != shape:
            raise ValueError(f"{name} is {array.dtype} {array.shape}: it has to be {np.dtype(dtype)} {shape}")
    if trees.point.ndim != 2 or trees.columns < 1 or leaves < 1:
        raise ValueError("trees have a leaf and a column at least")
    if trees.dimension.min() < -1 or trees.dimension.max() >= trees.columns:
        raise ValueError(f"a node cuts in a column that is none of the {trees.columns}")
    if trees.first[-1] != cuts + leaves:
        raise ValueError("the last tree has no end")
    if (
        trees.mass.min() < 1
        or (np.add.reduceat(trees.mass.astype(np.int64), _first_leaves(trees)) != trees.samples_per_tree).any()
    ):
        raise ValueError(f"a tree's leaves do not hold {trees.samples_per_tree} samples, each one at least")
    for name in ("cut", "box", "point"):
        array = getattr(trees, name)
        if array.size and not np.isfinite([array.min(), array.max()]).all():
            raise ValueError(f"{name} holds a number that is not finite")
    if (trees.box[:, 0] > trees.box[:, 1]).any():
        raise ValueError("a box ends before it begins")


def _first_leaves(trees: Trees) -> Integers:
    """(trees,) the leaf at which each tree begins: it has one more of them than cuts."""
    return (trees.first[:-1] + np.arange(trees.trees)) // 2
