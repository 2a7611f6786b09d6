"""Small tables with a pattern to learn, made from a seed."""

from __future__ import annotations

import numpy as np

from sagedock.formats.table import Floats


def numbers(rows: int = 300, columns: int = 5, seed: int = 0) -> Floats:
    """Standard normal features."""
    return np.random.default_rng(seed).normal(size=(rows, columns)).astype(np.float32)


def binary_labels(features: Floats, seed: int = 1) -> Floats:
    """0 or 1, mostly decided by the first two columns."""
    noise = np.random.default_rng(seed).normal(scale=0.5, size=len(features))
    return (features[:, 0] - features[:, 1] + noise > 0).astype(np.float32)


def classes(features: Floats) -> Floats:
    """0, 1 or 2 by the first column."""
    return np.digitize(features[:, 0], [-0.5, 0.5]).astype(np.float32)


def csv(labels: Floats, features: Floats, delimiter: str = ",") -> str:
    """Label first, no header; NaN is an empty cell."""
    rows = np.column_stack([labels, features])
    return "".join(
        delimiter.join("" if np.isnan(value) else repr(float(value)) for value in row) + "\n" for row in rows
    )


def libsvm(labels: Floats, features: Floats, first: int = 0) -> str:
    """`label index:value ...`, indices counted from `first`."""
    lines = []
    for label, row in zip(labels, features, strict=True):
        pairs = " ".join(f"{column + first}:{float(value)!r}" for column, value in enumerate(row))
        lines.append(f"{label:g} {pairs}\n")
    return "".join(lines)
