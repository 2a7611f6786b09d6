"""How good forecasts are: RMSE and weighted quantile losses (developer guide, "Evaluating and tuning DeepAR models").

Missing values of the truth count nowhere. Sums are of doubles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.deepar import quantiles

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


@dataclass
class Scores:
    """Sums over the forecasts so far, by step of the horizon; `levels` are the quantiles that are judged."""

    levels: Sequence[float]
    horizon: int
    series: int = 0
    squares: Doubles = field(init=False)
    counts: Doubles = field(init=False)
    magnitudes: Doubles = field(init=False)
    losses: Doubles = field(init=False)
    """(levels, horizon), already times two."""
    below: Doubles = field(init=False)
    """(levels, horizon) how many true values lie at or below the quantile."""

    def __post_init__(self) -> None:
        self.squares, self.counts, self.magnitudes = (np.zeros(self.horizon) for _ in range(3))
        self.losses, self.below = (np.zeros((len(self.levels), self.horizon)) for _ in range(2))

    def add(self, truth: Floats, samples: Floats) -> None:
        """Forecasts of series as paths (series, paths, horizon), beside what came (series, horizon)."""
        self.series += len(truth)
        known = ~np.isnan(truth)
        wide = np.where(known, truth, 0).astype(np.float64)
        self.counts += known.sum(axis=0)
        self.magnitudes += np.abs(wide).sum(axis=0)
        self.squares += np.where(known, (wide - quantiles.mean(samples)) ** 2, 0).sum(axis=0)
        for number, forecast in enumerate(quantiles.quantiles(samples, self.levels).transpose(1, 0, 2)):
            loss = quantile_loss(wide, forecast.astype(np.float64), self.levels[number])
            self.losses[number] += np.where(known, loss, 0).sum(axis=0)
            self.below[number] += (known & (truth <= forecast)).sum(axis=0)

    @property
    def observations(self) -> int:
        """How many true values there are."""
        return int(self.counts.sum())

    @property
    def rmse(self) -> float:
        """Of the mean over the paths, 0 of no values."""
        return float(np.sqrt(self.squares.sum() / max(self.counts.sum(), 1)))

    @property
    def weighted_losses(self) -> Mapping[float, float]:
        """wQuantileLoss of each level: twice its loss, in shares of the absolute truth; 0 where all of that is 0."""
        return dict(zip(self.levels, _share(self.losses.sum(axis=1), self.magnitudes.sum()).tolist(), strict=True))

    @property
    def mean_weighted_loss(self) -> float:
        """Their mean."""
        return float(np.mean(list(self.weighted_losses.values())))

    @property
    def loss_by_step(self) -> list[float]:
        """The mean wQuantileLoss of each step of the horizon."""
        return [float(_share(loss, size).mean()) for loss, size in zip(self.losses.T, self.magnitudes, strict=True)]

    @property
    def coverage(self) -> list[float]:
        """The share of true values at or below each quantile."""
        found: list[float] = (self.below.sum(axis=1) / max(self.counts.sum(), 1)).tolist()
        return found


def quantile_loss(truth: Doubles, forecast: Doubles, level: float) -> Doubles:
    """Twice the quantile loss of each forecast."""
    over = truth - forecast
    return 2 * np.where(over > 0, level * over, (level - 1) * over)


def _share(losses: Doubles, magnitude: Any) -> Doubles:
    return losses / magnitude if magnitude else np.zeros_like(losses)
