"""Mean and quantiles over the sample paths of forecasts, step by step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

INNERMOST = (0.1, 0.9)
"""Between these lie the innermost 80 percent of paths."""


def mean(samples: Floats) -> Floats:
    """(series, horizon) of paths (series, paths, horizon); sums are of doubles."""
    found: Floats = samples.mean(axis=1, dtype=np.float64).astype(np.float32)
    return found


def quantiles(samples: Floats, levels: Sequence[float]) -> Floats:
    """(series, levels, horizon), between the two nearest paths in a straight line, as NumPy's default has it.

    A higher level never gives a lower number.
    """
    paths = samples.shape[1]
    ordered = np.sort(samples, axis=1)
    positions = np.asarray(levels, np.float64) * (paths - 1)
    below = np.floor(positions).astype(np.int64)
    above = np.minimum(below + 1, paths - 1)
    low, high = ordered[:, below].astype(np.float64), ordered[:, above].astype(np.float64)
    share = (positions - below)[None, :, None]
    found: Floats = np.minimum(low + (high - low) * share, high).astype(np.float32)
    return found
