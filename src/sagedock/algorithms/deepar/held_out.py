"""Windows at the ends of the series that a seasonal recipe does not learn from: they tell which epoch is best, and how
wide its forecasts have to be.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np

from sagedock.algorithms.deepar.forecaster import Forecaster
from sagedock.algorithms.deepar.parameters import LOCATED, Architecture, Floats, Parameters
from sagedock.algorithms.deepar.series import Series, SeriesList
from sagedock.algorithms.deepar.spread import fitted, loss
from sagedock.algorithms.deepar.windows import Chosen

WINDOWS = 100
"""About so many, one behind the other where the series are fewer."""
LARGEST_SHARE = 0.1
"""Of a series: more of it is not held out. One of less than ten horizons is learnt whole."""
PATHS, LAST_PATHS = 40, 200
"""Of each window, to tell epochs apart, and to fit the spread."""
_AT_ONCE = 64


@dataclass(frozen=True)
class HeldOut:
    """`learnt` are the series without what is held out, `chosen` the windows of `series` whose forecasts that is."""

    series: SeriesList
    learnt: SeriesList
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
        return cls(series, learnt, kept)

    def loss(self, parameters: Parameters) -> float:
        """The mean quantile loss of the windows' forecasts, in units of what varies in the contexts; NaN where nothing
        is known of what came, and infinite where a path is lost in numbers that are none.
        """
        paths, truth = self._forecasts(parameters, PATHS)
        if np.isnan(truth).all():
            return math.nan
        if not np.isfinite(paths).all():
            return math.inf
        return loss(paths, truth, self._units(parameters.architecture.context_length))

    def spread(self, parameters: Parameters) -> tuple[float, ...]:
        """The factors that make the forecasts of the windows as wide as they should be."""
        return fitted(*self._forecasts(parameters, LAST_PATHS))

    def _forecasts(self, parameters: Parameters, paths: int) -> tuple[Floats, Floats]:
        """Paths (windows, paths, horizon) and what came (windows, horizon)."""
        forecaster, horizon = Forecaster(parameters), parameters.architecture.prediction_length
        known = [each.cut(begin) for each, begin in self._places()]
        drawn = [forecaster.forecast(known[at : at + _AT_ONCE], paths) for at in range(0, len(known), _AT_ONCE)]
        return np.concatenate(drawn), np.stack([each.target[begin : begin + horizon] for each, begin in self._places()])

    def _units(self, context: int) -> Floats:
        """(windows,) mean distances of the contexts' values to their mean."""
        units = []
        for each, begin in self._places():
            values = each.target[max(0, begin - context) : begin]
            values = values[np.isfinite(values)]
            units.append(max(float(np.abs(values - values.mean()).mean()), 1e-10) if len(values) else 1.0)
        return np.asarray(units, np.float32)

    def _places(self) -> Iterator[tuple[Series, int]]:
        for number, begin in zip(self.chosen.series.tolist(), self.chosen.begins.tolist(), strict=True):
            yield self.series[number], begin


def may_be_widened(built: Architecture) -> bool:
    """Whether forecasts are distributions of any real numbers."""
    return built.likelihood in LOCATED - {"deterministic-l1"}


def _cut(series: Series, points: int) -> Series:
    """Without its last points."""
    kept = len(series) - points
    return Series(series.frequency, series.start, series.target[:kept], series.cat, series.dynamic_feat[:, :kept])


def _step(count: int) -> int:
    """Of many series every so many is looked at."""
    return max(1, count // WINDOWS)
