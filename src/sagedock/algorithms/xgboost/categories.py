"""Categorical splits and leaves of several targets: not evaluated here, but checked before XGBoost follows them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from sagedock.algorithms.xgboost.document import Section

_MOST_CATEGORIES = 2**24
"""XGBoost's own bound; it keeps a bit for every category up to the largest."""


def has_any(section: Section) -> bool:
    """Whether a tree has a categorical split."""
    if "split_type" not in section:
        return False
    kinds = section.numbers("split_type", "whole")
    if len(kinds) != len(section.items("left_children")) or ((kinds < 0) | (kinds > 1)).any():
        raise ValueError(f"{section.path}.split_type is not a 0 or 1 for every node")
    return bool(kinds.any())


def check(section: Section) -> None:
    """Raises ValueError when the categories of a tree point outside their arrays, or are none."""
    kinds = section.numbers("split_type", "whole")
    nodes, begins, sizes, categories = (
        section.numbers(f"categories{name}", "whole").astype(np.int64) for name in ("_nodes", "_segments", "_sizes", "")
    )
    split = np.flatnonzero((kinds == 1) & (section.numbers("left_children", "whole") != -1))
    if not len(nodes) == len(begins) == len(sizes) or not set(split.tolist()) <= set(nodes.tolist()):
        raise ValueError(f"{section.path} has categorical splits without their categories")
    if len(nodes) and ((nodes < 0) | (nodes >= len(kinds)) | (np.diff(nodes, prepend=-1) <= 0)).any():
        raise ValueError(f"{section.path}.categories_nodes are no ascending nodes of the tree")
    ends = np.concatenate([[0], np.cumsum(sizes)])
    if (sizes < 1).any() or (begins != ends[:-1]).any() or ends[-1] != len(categories):
        raise ValueError(f"{section.path}.categories_segments do not part the categories")
    if ((categories < 0) | (categories >= _MOST_CATEGORIES)).any():
        raise ValueError(f"{section.path}.categories are not from 0 to {_MOST_CATEGORIES - 1:,}")


def check_vectors(sections: Iterable[Section], targets: int) -> bool:
    """Whether leaves hold a value for each of several targets; raises ValueError where their lengths do not agree."""
    several = False
    for section in sections:
        size = section.section("tree_param").whole("size_leaf_vector", "1")
        if size <= 1:
            continue
        several = True
        if size != targets:
            raise ValueError(f"{section.path} has leaves of {size} values for a model of {targets} targets")
        _check_leaves(section, size)
    return several


def _check_leaves(section: Section, size: int) -> None:
    """Since XGBoost 3.2 a leaf's right child is its place among the leaves' values; before, it was -1."""
    leaf = section.numbers("left_children", "whole") == -1
    places = section.numbers("right_children", "whole")
    if "leaf_weights" not in section and len(places) == len(leaf) and (places[leaf] == -1).all():
        return
    count = int(leaf.sum())
    if len(places) != len(leaf) or ((places[leaf] < 0) | (places[leaf] >= count)).any():
        raise ValueError(f"{section.path}.right_children names leaves that are not from 0 to {count - 1}")
    if len(section.numbers("leaf_weights", "numbers")) != count * size:
        raise ValueError(f"{section.path}.leaf_weights has not {size} values for each of {count} leaves")
