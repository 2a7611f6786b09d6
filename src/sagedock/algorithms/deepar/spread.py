"""How far the paths of a forecast lie apart: widened or narrowed so that quantiles keep what they promise.

A network learns one step ahead, and what it is too sure of adds up over a horizon. On windows that it has not learnt
from, a factor is found for each step of the horizon by which the paths' distances to their median are multiplied.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.deepar.quantiles import INNERMOST

Floats = NDArray[np.float32]

LEVELS = np.arange(1, 10) / 10
LEAST, MOST = 0.5, 4.0
"""Bounds of the factors."""
FEWEST = 20
"""So many values of what came tell a factor, where there are so many: of few, the share that is held is luck."""
_SMALLEST = 1e-30


def widened(paths: Floats, spread: Sequence[float]) -> Floats:
    """`paths` (series, paths, horizon) with their distances to their median multiplied, step by step of the horizon."""
    middle = np.median(paths, axis=1, keepdims=True)
    return np.asarray(middle + np.asarray(spread, np.float32) * (paths - middle), np.float32)


def fitted(paths: Floats, truth: Floats) -> tuple[float, ...]:
    """A factor for each step of the horizon, with which the innermost 80 percent of paths hold 80 percent of what came.

    `paths` are (windows, paths, horizon), the truth (windows, horizon), NaN where it is not known. Every window
    counts alike, but where a path is lost in numbers that are none, which tells nothing. Steps are taken together, the
    more the later they are, and what lies between is interpolated. Where nothing is told the paths stay as they are.
    """
    steps, factors = np.arange(truth.shape[1]), _factors(paths.astype(np.float64), truth.astype(np.float64))
    centres, found = [], []
    for begin, end in _blocks(np.isfinite(factors).sum(axis=0)):
        known = factors[:, begin:end][np.isfinite(factors[:, begin:end])]
        if len(known):
            centres.append((begin + end - 1) / 2)
            found.append(np.log(np.clip(np.quantile(known, INNERMOST[1] - INNERMOST[0]), LEAST, MOST)))
    return tuple(np.exp(np.interp(steps, centres, found) if found else np.zeros(len(steps))).tolist())


def loss(paths: Floats, truth: Floats, units: Floats) -> float:
    """The mean quantile loss of paths (windows, paths, horizon) in `units` (windows,), where the truth is known."""
    over = (truth - np.quantile(paths, LEVELS, axis=1)) / units[:, None]
    levels = LEVELS[:, None, None]
    return float(np.nanmean(np.maximum(levels * over, (levels - 1) * over)))


def _factors(paths: NDArray[np.float64], truth: NDArray[np.float64]) -> NDArray[np.float64]:
    """(windows, horizon): with which factor the innermost paths reach as far as the truth; NaN where none does."""
    middle = np.median(paths, axis=1)
    low, high = np.abs(np.quantile(paths, INNERMOST, axis=1) - middle)
    apart = truth - middle
    reached = np.maximum(np.where(apart < 0, low, high), _SMALLEST)
    return np.asarray(np.abs(apart) / reached, np.float64)


def _blocks(told: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """0 to 1, 1 to 2, 2 to 4, 4 to 8 and so on, the last up to the horizon; longer ones where less than FEWEST values
    are told of their steps.
    """
    begin, end, horizon = 0, 1, len(told)
    while begin < horizon:
        while end < horizon and told[begin:end].sum() < FEWEST:
            end += 1
        last = horizon if 2 * end > horizon or told[end:].sum() < FEWEST else end
        yield begin, last
        begin, end = last, 2 * end
