"""Windows at the ends of the series that a seasonal recipe does not learn from: they tell which epoch is best, and how
wide its forecasts have to be.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch

from sagedock.algorithms.deepar.evaluation import Forecast
from sagedock.algorithms.deepar.network import Network, batch_of
from sagedock.algorithms.deepar.parameters import Architecture, Floats
from sagedock.algorithms.deepar.paths import with_own_paths
from sagedock.algorithms.deepar.series import Series, SeriesList
from sagedock.algorithms.deepar.spread import fitted
from sagedock.algorithms.deepar.windows import Chosen, Windows

WINDOWS = 100
"""About so many, one behind the other where the series are fewer."""
LARGEST_SHARE = 0.1
"""Of a series: more of it is not held out. One of less than ten horizons is learnt whole."""
_AT_ONCE = 64


@dataclass(frozen=True)
class HeldOut:
    """`learnt` are the series without what is held out, `chosen` the windows whose forecasts that is."""

    learnt: SeriesList
    windows: Windows
    chosen: Chosen

    @classmethod
    def of(cls, series: SeriesList, architecture: Architecture) -> Self | None:
        """None where the series are too short to hold anything out."""
        horizon = architecture.prediction_length
        most = (series.lengths * LARGEST_SHARE // horizon).astype(np.int64)
        counts = np.minimum(most, -(-WINDOWS // len(series)))
        if not counts.any():
            return None
        learnt = SeriesList.of([_cut(each, horizon * int(count)) for each, count in zip(series, counts, strict=True)])
        numbers = np.repeat(np.arange(len(series)), counts)
        places = np.concatenate([np.arange(count) for count in counts])
        chosen = Chosen(numbers, series.lengths[numbers] - horizon * (places + 1))
        kept = Chosen(numbers[:: _step(len(numbers))], chosen.begins[:: _step(len(numbers))])
        return cls(learnt, Windows(series, architecture), kept)

    def loss(self, network: Network) -> float:
        """The mean over the windows of their losses, in units of their scales, as the network sees its own paths; these
        are of the same random numbers at every call.
        """
        total, generator = 0.0, torch.Generator().manual_seed(0)
        with torch.no_grad():
            for part in self.chosen.batches(_AT_ONCE):
                found = self.windows.gather(part)
                batch = batch_of(found.values, found.observed, found.covariates, found.cat)
                seen = with_own_paths(network, batch, 1.0, generator)
                total += float(network.loss(batch, relative=True, seen=seen).item()) * len(part)
        return total / len(self.chosen)

    def spread(self, forecast: Forecast) -> tuple[float, ...]:
        """The factors that make the forecasts of the windows as wide as they should be."""
        paths, truth = [], []
        for part in self.chosen.batches(_AT_ONCE):
            series = [self.windows.series[int(number)] for number in part.series]
            begins = part.begins.tolist()
            paths.append(forecast([each.cut(begin) for each, begin in zip(series, begins, strict=True)]))
            horizon = paths[-1].shape[2]
            truth.append(_behind(series, begins, horizon))
        return fitted(np.concatenate(paths), np.concatenate(truth))


def _behind(series: list[Series], begins: list[int], horizon: int) -> Floats:
    return np.stack([each.target[begin : begin + horizon] for each, begin in zip(series, begins, strict=True)])


def _cut(series: Series, points: int) -> Series:
    """Without its last points."""
    kept = len(series) - points
    return Series(series.frequency, series.start, series.target[:kept], series.cat, series.dynamic_feat[:, :kept])


def _step(count: int) -> int:
    """Of many series every so many is looked at."""
    return max(1, count // (3 * WINDOWS))
