"""Rows to sample and score, made from a seed, and their CSV."""

from __future__ import annotations

import numpy as np

from sagedock.formats.table import Floats


def rows(count: int = 300, columns: int = 3, seed: int = 0) -> Floats:
    """Standard normal rows."""
    return np.random.default_rng(seed).normal(size=(count, columns)).astype(np.float32)


def csv(features: Floats, labels: Floats | None = None) -> str:
    """A line for each row, the label first where there is one."""
    found = features if labels is None else np.column_stack([labels, features])
    return "".join(",".join(map(repr, map(float, row))) + "\n" for row in found)
