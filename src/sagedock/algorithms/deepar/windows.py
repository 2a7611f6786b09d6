"""Windows of series: where training draws them, and what the network sees of them, gathered from a few flat arrays.

A window is context_length points and the prediction_length behind them. It may begin before its series does: what lies
there is zero and not observed (SageMaker's developer guide, "How the DeepAR Algorithm Works").
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.deepar import calendar
from sagedock.algorithms.deepar.parameters import Architecture
from sagedock.algorithms.deepar.series import SeriesList

Floats = NDArray[np.float32]
Places = NDArray[np.int64]

BATCHES = 10
"""An epoch has at least about so many batches: of fewer series there are several passes."""


@dataclass(frozen=True)
class Passes:
    """How often an epoch goes over the series, each of which is then taken with a probability."""

    count: int
    probability: float

    @classmethod
    def of(cls, series: int, batch: int) -> Passes:
        """As the built-in's log shows it: about ten batches where there are fewer series than that."""
        if series >= BATCHES * batch:
            return cls(1, 1.0)
        count = ceil(BATCHES * batch / series)
        return cls(count, BATCHES * batch / (count * series))


@dataclass(frozen=True)
class Chosen:
    """Windows: the series (W,) and the point of it (W,), from 0, where the forecast would begin."""

    series: Places
    begins: Places

    def __len__(self) -> int:
        return len(self.series)

    def batches(self, size: int) -> Iterator[Chosen]:
        """So many at a time; the last may be fewer."""
        for begin in range(0, len(self), size):
            yield Chosen(self.series[begin : begin + size], self.begins[begin : begin + size])


@dataclass(frozen=True)
class Window:
    """What `network.Batch` is made of: `values` and `observed` (B, longest lag + T), `covariates` (T, B, C)."""

    values: Floats
    observed: Floats
    covariates: Floats
    cat: NDArray[np.int32]


class Windows:
    """The windows of `series`, whose covariates are computed once."""

    def __init__(self, series: SeriesList, architecture: Architecture) -> None:
        self.series = series
        self._context, self._horizon = architecture.context_length, architecture.prediction_length
        self._longest = max(architecture.lags)
        self._ahead = calendar.ahead(self._context, self._horizon) if architecture.ahead else None
        self._observed = np.isfinite(series.target)
        self._values = np.where(self._observed, series.target, np.float32(0))
        self._covariates = covariates(series)
        self.eligible = np.flatnonzero(series.lengths >= self._horizon)
        """The series that are long enough to be forecast once."""

    def draw(self, passes: Passes, random: np.random.Generator) -> Chosen:
        """The windows of an epoch in random order, at least one: of each series and pass as many as a Poisson number
        has it whose mean is the probability, each beginning anywhere in its series (specification, 6.1).
        """
        counts = np.zeros(len(self.eligible), np.int64)
        while not counts.any():
            counts = random.poisson(passes.probability * passes.count, len(self.eligible))
        return self.anywhere(random.permutation(np.repeat(self.eligible, counts)), random)

    def anywhere(self, numbers: Places, random: np.random.Generator) -> Chosen:
        """A window of each of these series, which are eligible, anywhere in it."""
        places = self.series.lengths[numbers] - self._horizon + 1
        return Chosen(numbers, np.minimum((random.random(len(numbers)) * places).astype(np.int64), places - 1))

    def last(self, numbers: Places) -> Chosen:
        """For each of these series its last window."""
        return Chosen(numbers, self.series.lengths[numbers] - self._horizon)

    def gather(self, chosen: Chosen) -> Window:
        """What the network sees of windows."""
        first = self.series.ends[chosen.series]
        steps = np.arange(-self._context - self._longest, self._horizon)
        places = chosen.begins[:, None] + steps
        inside = places >= 0
        at = first[:, None] + np.maximum(places, 0)
        known = places[:, self._longest :] >= 0
        features = self._covariates[at[:, self._longest :].T] * known.T[:, :, None]
        if self._ahead is not None:
            shape = (*features.shape[:2], 1)
            features = np.concatenate([features, np.broadcast_to(self._ahead[:, None, None], shape)], axis=2)
        return Window(
            self._values[at] * inside,
            (self._observed[at] & inside).astype(np.float32),
            features,
            self.series.cat[chosen.series],
        )


def covariates(series: SeriesList) -> Floats:
    """(points + N * future, C): dynamic_feat, calendar features and age of every point and of those to be forecast."""
    lengths = series.lengths + series.future
    ends = np.cumsum(lengths)
    steps = np.arange(ends[-1]) - np.repeat(ends - lengths, lengths)
    ordinals = np.repeat(series.starts, lengths) + steps * series.frequency.multiple
    found = calendar.features(series.frequency, ordinals)
    return np.concatenate([series.dynamic_feat, found.T, calendar.age(steps)[:, None]], 1, dtype=np.float32)
