"""Regression trees as XGBoost stores them: flat arrays, checked before anything follows their indices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.xgboost.document import Section

DEEPEST = 10_000
"""Levels of a tree. XGBoost itself goes no deeper than the rows it is trained on allow, and tens of levels is much."""

_WHOLE = ("left_children", "right_children", "parents", "split_indices", "default_left")
_UNUSED = ("base_weights", "sum_hessian", "loss_changes")

_NO_PARENT = (-1, 2**31 - 1)


@dataclass(frozen=True)
class Trees:
    """All trees' nodes one after the other; tree t has those from first[t] to first[t + 1].

    `left` and `right` (nodes,) are int32, counted from the tree's first node, -1 at a leaf, whose value stands in
    `threshold` (float32). `output` (trees,) is the class or target that a tree adds to.
    """

    first: NDArray[np.int64]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    feature: NDArray[np.int32]
    threshold: NDArray[np.float32]
    default_left: NDArray[np.uint8]
    output: NDArray[np.int32]

    def upto(self, count: int) -> Trees:
        """The first `count` trees."""
        nodes = slice(0, int(self.first[count]))
        columns = (self.left[nodes], self.right[nodes], self.feature[nodes], self.threshold[nodes])
        return Trees(self.first[: count + 1], *columns, self.default_left[nodes], self.output[:count])


_INTEGERS = np.zeros(0, np.int32)
NONE = Trees(
    np.zeros(1, np.int64), _INTEGERS, _INTEGERS, _INTEGERS, np.zeros(0, np.float32), np.zeros(0, np.uint8), _INTEGERS
)


def read(
    sections: Sequence[Section], output: NDArray[Any], columns: int, *, vector: bool = False, categorical: bool = False
) -> Trees:
    """The trees of a model over `columns` features; `vector` and `categorical` say that leaves and splits may stand
    elsewhere than in split_conditions.

    Raises ValueError naming the tree and what is wrong: arrays of different lengths, a child outside the tree or
    reached twice, a feature that the model does not have, a number that is none.
    """
    sizes = [_size(section) for section in sections]
    first = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    whole = {name: _joined(sections, name) for name in _WHOLE}
    with np.errstate(over="ignore"):
        threshold = _joined(sections, "split_conditions", "numbers").astype(np.float32)
    whole["split_indices"] = np.where(whole["left_children"] == -1, 0, whole["split_indices"])
    if categorical:
        threshold = np.where(_joined(sections, "split_type") == 1, np.float32(0), threshold)
    _check(first, whole, threshold, columns, [_deleted(section) for section in sections], vector)
    return Trees(
        first,
        whole["left_children"].astype(np.int32),
        whole["right_children"].astype(np.int32),
        whole["split_indices"].astype(np.int32),
        threshold,
        (whole["default_left"] != 0).astype(np.uint8),
        output.astype(np.int32),
    )


def _size(section: Section) -> int:
    """How many nodes there are, every array being as long as it should be."""
    vectors = max(1, section.section("tree_param").whole("size_leaf_vector", "1"))
    size = len(section.items("left_children"))
    declared = section.section("tree_param").whole("num_nodes")
    if not size or declared != size:
        raise ValueError(f"{section.path}.tree_param.num_nodes is {declared}, but left_children has {size}")
    for name in (*_WHOLE, "split_conditions", *_UNUSED):
        expected = size * vectors if name == "base_weights" else size
        if len(section.items(name)) != expected:
            raise ValueError(f"{section.path}.{name} has {len(section.items(name))} members, not {expected}")
    return size


def _deleted(section: Section) -> int:
    return section.section("tree_param").whole("num_deleted", "0")


def _joined(sections: Sequence[Section], name: str, kind: str = "whole") -> NDArray[Any]:
    parts = [section.numbers(name, kind) for section in sections]
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)


def _check(
    first: NDArray[np.int64],
    whole: dict[str, NDArray[Any]],
    threshold: NDArray[np.float32],
    columns: int,
    deleted: Sequence[int],
    vector: bool,
) -> None:
    left, right, feature = whole["left_children"], whole["right_children"], whole["split_indices"]
    seen = np.zeros(len(left), dtype=bool)
    level, tree, depth, reached = first[:-1], np.arange(len(first) - 1), 0, 0
    parents = np.where(np.isin(whole["parents"][level], _NO_PARENT), -1, whole["parents"][level])
    came = np.full(len(level), -1)
    while len(level):
        refuse = _Refusal(level, tree, first)
        refuse.where(seen[level], "is reached twice")
        refuse.where(
            (whole["parents"][level] if depth else parents) != came, "is reached from another node than its parent"
        )
        seen[level] = True
        reached += len(level)
        leaf = left[level] == -1
        if not vector:
            refuse.where(leaf & (right[level] != -1), "has a right child but no left one")
            refuse.where(leaf & ~np.isfinite(threshold[level]), "is a leaf whose value is no finite number")
        refuse.where(~leaf & np.isnan(threshold[level]), "splits at NaN")
        refuse.where(
            (feature[level] < 0) | (feature[level] >= columns), f"splits on no feature from 0 to {columns - 1}"
        )
        size = first[tree + 1] - first[tree]
        refuse.where(~leaf & ((left[level] < 1) | (left[level] >= size - 1)), "has a child outside the tree")
        refuse.where(~leaf & (right[level] != left[level] + 1), "has a right child that is not next to its left one")
        children = (first[tree] + left[level])[~leaf].astype(np.int64)
        came = np.tile((level - first[tree])[~leaf], 2)
        level, tree, depth = np.concatenate([children, children + 1]), np.tile(tree[~leaf], 2), depth + 1
        if depth > DEEPEST:
            raise ValueError(f"tree {tree[0]} is deeper than {DEEPEST} levels")
        if reached + len(level) > len(left):
            refuse.where(~leaf, "or one beside it leads to nodes that are reached twice")
    if reached != np.count_nonzero(seen):
        raise ValueError("a node is reached twice")
    unreached = np.diff(np.concatenate([[0], np.cumsum(~seen)])[first])
    wrong = np.flatnonzero(unreached != np.asarray(deleted))
    if len(wrong):
        at = int(wrong[0])
        raise ValueError(f"tree {at} has {unreached[at]} nodes that nothing leads to, but num_deleted is {deleted[at]}")


@dataclass(frozen=True)
class _Refusal:
    """One level of all trees, to name the node at fault."""

    level: NDArray[np.int64]
    tree: NDArray[np.int64]
    first: NDArray[np.int64]

    def where(self, wrong: NDArray[np.bool_], what: str) -> None:
        if wrong.any():
            at = int(np.flatnonzero(wrong)[0])
            tree = int(self.tree[at])
            raise ValueError(f"node {int(self.level[at] - self.first[tree])} of tree {tree} {what}")
