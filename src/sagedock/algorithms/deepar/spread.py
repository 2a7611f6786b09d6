"""How far the paths of a forecast lie apart: widened or narrowed so that quantiles keep what they promise.

A network learns one step ahead, and what it is too sure of adds up over a horizon. On windows that it has not learnt
from, a factor is found for each step of the horizon by which the paths' distances to their median are multiplied.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

LEVELS = np.arange(1, 10) / 10
FACTORS = np.geomspace(0.5, 4.0, 43)
"""Those that are tried."""


def widened(paths: Floats, spread: Sequence[float]) -> Floats:
    """`paths` (series, paths, horizon) with their distances to their median multiplied, step by step of the horizon."""
    middle = np.median(paths, axis=1, keepdims=True)
    return np.asarray(middle + np.asarray(spread, np.float32) * (paths - middle), np.float32)


def fitted(paths: Floats, truth: Floats) -> tuple[float, ...]:
    """A factor for each step of the horizon, the one by which quantile losses are least, of paths (windows, paths,
    horizon) and what came, (windows, horizon), NaN where it is not known. Every window counts alike.

    Steps are taken together, the more the later they are, and what lies between is interpolated.
    """
    horizon = truth.shape[1]
    losses = _losses(paths.astype(np.float64), truth.astype(np.float64))
    blocks = list(_blocks(horizon))
    best = [np.log(FACTORS[losses[:, begin:end].sum(axis=1).argmin()]) for begin, end in blocks]
    centres = [(begin + end - 1) / 2 for begin, end in blocks]
    return tuple(np.exp(np.interp(np.arange(horizon), centres, best)).tolist())


def loss(paths: Floats, truth: Floats, units: Floats) -> float:
    """The mean quantile loss of paths (windows, paths, horizon) in `units` (windows,), where the truth is known."""
    over = (truth - np.quantile(paths, LEVELS, axis=1)) / units[:, None]
    levels = LEVELS[:, None, None]
    return float(np.nanmean(np.maximum(levels * over, (levels - 1) * over)))


def _losses(paths: NDArray[np.float64], truth: NDArray[np.float64]) -> NDArray[np.float64]:
    """(factors, horizon) sums of quantile losses, in units of each window's spread."""
    middle = np.median(paths, axis=1)
    away = np.quantile(paths, LEVELS, axis=1) - middle
    unit = np.maximum(np.abs(paths - middle[:, None]).mean(axis=(1, 2)), 1e-30)[:, None]
    apart = np.where(np.isfinite(truth), truth - middle, np.nan) / unit
    levels = LEVELS[:, None, None]
    found = []
    for factor in FACTORS:
        over = apart - factor * away / unit
        found.append(np.nansum(np.maximum(levels * over, (levels - 1) * over), axis=(0, 1)))
    return np.stack(found)


def _blocks(horizon: int) -> Iterator[tuple[int, int]]:
    """0 to 1, 1 to 2, 2 to 4, 4 to 8 and so on, the last up to the horizon."""
    begin, end = 0, 1
    while begin < horizon:
        last = horizon if 2 * end > horizon else end
        yield begin, last
        begin, end = last, 2 * end
