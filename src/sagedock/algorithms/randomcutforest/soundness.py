"""Whether arrays are trees over reservoirs: asked of a stream's state before anything follows its indices."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.randomcutforest.forest import FARTHEST, sum_of_lanes
from sagedock.algorithms.randomcutforest.reservoir_trees import NONE, ReservoirTrees

Nodes = tuple[NDArray[np.intp], NDArray[np.intp]]
"""Trees and, of each, a node."""


def require_trees(trees: ReservoirTrees) -> None:
    """Raise ValueError unless every tree is whole, its boxes are those of its points, and every node has one place."""
    _require_shapes(trees)
    visited = np.zeros(trees.parent.shape, bool)
    levels = _levels(trees, visited)
    if ((visited[:, trees.samples - 1 :]) != (trees.mass > 0)).any():
        raise ValueError("a leaf is in use and in no tree, or in a tree and not in use")
    _require_chains(trees, visited)
    _require_slots(trees)
    for tree, node in reversed(levels):
        _require_cuts(trees, tree, node)
    spans = sum_of_lanes((trees.box[:, :, 1] - trees.box[:, :, 0]).reshape(-1, trees.width)).reshape(trees.span.shape)
    used = visited[:, : trees.samples - 1]
    if (spans[used] != trees.span[used]).any():
        raise ValueError("a span is not the sum of its box's sides")


def _require_shapes(trees: ReservoirTrees) -> None:
    if trees.point.ndim != 3 or trees.point.shape[0] < 1 or trees.point.shape[1] < 1:
        raise ValueError("there are no trees, or none with samples")
    count, samples, width = trees.point.shape
    if width % 16 or not 0 < trees.columns <= width:
        raise ValueError(f"{trees.columns} columns do not fit a width of {width}")
    cuts = samples - 1
    shapes: dict[str, tuple[type, tuple[int, ...]]] = {
        "dimension": (np.int32, (count, cuts)),
        "cut": (np.float32, (count, cuts)),
        "child": (np.int32, (count, cuts, 2)),
        "box": (np.float32, (count, cuts, 2, width)),
        "span": (np.float32, (count, cuts)),
        "point": (np.float32, (count, samples, width)),
        "mass": (np.int32, (count, samples)),
        "parent": (np.int32, (count, cuts + samples)),
        "root": (np.int32, (count,)),
        "leaf_of": (np.int32, (count, samples)),
        "free": (np.int32, (count, 2)),
    }
    for name, (dtype, shape) in shapes.items():
        array: NDArray[Any] = getattr(trees, name)
        if array.dtype != dtype or array.shape != shape or not array.flags.c_contiguous:
            raise ValueError(f"{name} is {array.dtype} {array.shape}: it has to be {np.dtype(dtype)} {shape}")
    for name in ("cut", "box", "point"):
        array = getattr(trees, name)
        if array.size and not (np.abs([array.min(), array.max()]) <= FARTHEST).all():
            raise ValueError(f"{name} holds a number that is none, or too large")
    if trees.box[..., trees.columns :].any() or trees.point[..., trees.columns :].any():
        raise ValueError("there is something in the padding of the columns")


def _levels(trees: ReservoirTrees, visited: NDArray[np.bool_]) -> list[Nodes]:
    """The cutting nodes of all trees, level by level, every node from the roots down marked in `visited`."""
    tree, node, above = np.arange(trees.trees), trees.root.astype(np.intp), np.full(trees.trees, NONE)
    levels: list[Nodes] = []
    while len(tree):
        if ((node < 0) | (node >= trees.parent.shape[1])).any():
            raise ValueError("a node has a child, or a tree a root, that does not exist")
        places = tree * trees.parent.shape[1] + node
        if visited[tree, node].any() or len(np.unique(places)) < len(places):
            raise ValueError("a node is the child of two")
        if (trees.parent[tree, node] != above).any():
            raise ValueError("a node does not know its parent")
        visited[tree, node] = True
        cutting = node < trees.samples - 1
        tree, node = tree[cutting], node[cutting]
        levels.append((tree, node))
        above = np.repeat(node, 2)
        tree, node = np.repeat(tree, 2), trees.child[tree, node].reshape(-1).astype(np.intp)
    return levels


def _require_chains(trees: ReservoirTrees, visited: NDArray[np.bool_]) -> None:
    """Mark the nodes not in use, along their chains: each has to be in one, and of its kind."""
    for kind, (first, last) in enumerate(((0, trees.samples - 1), (trees.samples - 1, trees.parent.shape[1]))):
        tree, node = np.arange(trees.trees), trees.free[:, kind].astype(np.intp)
        while len(tree := tree[node != NONE]):
            node = node[node != NONE]
            if ((node < first) | (node >= last)).any() or visited[tree, node].any():
                raise ValueError("a node not in use is in use, or does not exist")
            visited[tree, node] = True
            node = trees.parent[tree, node].astype(np.intp)
    if not visited.all():
        raise ValueError("a node is neither in its tree nor among those not in use")


def _require_slots(trees: ReservoirTrees) -> None:
    number = trees.leaf_of - (trees.samples - 1)
    if ((number < 0) | (number >= trees.samples)).any():
        raise ValueError("a sample is held by no leaf")
    held = np.zeros(trees.mass.shape, np.int32)
    np.add.at(held, (np.arange(trees.trees)[:, None], number), 1)
    if (held != trees.mass).any():
        raise ValueError("a leaf's mass is not the number of its samples")


def _require_cuts(trees: ReservoirTrees, tree: NDArray[np.intp], node: NDArray[np.intp]) -> None:
    """The boxes and cuts of some nodes agree with those of their children."""
    sides = [_boxes(trees, tree, trees.child[tree, node, side].astype(np.intp)) for side in (0, 1)]
    low, high = np.minimum(sides[0][0], sides[1][0]), np.maximum(sides[0][1], sides[1][1])
    if (low != trees.box[tree, node, 0]).any() or (high != trees.box[tree, node, 1]).any():
        raise ValueError("a box is not that of its points")
    column, rows = trees.dimension[tree, node], np.arange(len(tree))
    if ((column < 0) | (column >= trees.columns)).any():
        raise ValueError(f"a node cuts in a column that is none of the {trees.columns}")
    cut = trees.cut[tree, node]
    if (sides[0][1][rows, column] > cut).any() or (sides[1][0][rows, column] <= cut).any():
        raise ValueError("a point lies on the wrong side of a cut")


def _boxes(trees: ReservoirTrees, tree: NDArray[np.intp], node: NDArray[np.intp]) -> tuple[NDArray[Any], NDArray[Any]]:
    number = node - (trees.samples - 1)
    inner = number < 0
    low, high = (np.empty((len(tree), trees.width), np.float32) for _ in range(2))
    low[inner], high[inner] = trees.box[tree[inner], node[inner], 0], trees.box[tree[inner], node[inner], 1]
    low[~inner] = high[~inner] = trees.point[tree[~inner], number[~inner]]
    return low, high
