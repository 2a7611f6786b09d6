"""From series to the sample paths of their forecasts, by a trained network: scales, covariates and what came before.

Serving does this, and imports no training framework; `network.Network` is the same in torch, as training needs it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from typing import cast

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.deepar import calendar
from sagedock.algorithms.deepar.frequency import Frequency
from sagedock.algorithms.deepar.lstm import Layer
from sagedock.algorithms.deepar.parameters import DEVIATION, LEAST_SPREAD, SMALLEST_SCALE, Parameters
from sagedock.algorithms.deepar.sampling import Known, Network
from sagedock.algorithms.deepar.series import Series
from sagedock.algorithms.deepar.spread import widened

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


class Forecaster:
    """Draws the forecasts of series, the same ones whenever a series, the network and the seed are the same."""

    def __init__(self, parameters: Parameters, seed: int = 0) -> None:
        self._architecture, self._arrays, self._seed = parameters.architecture, parameters.arrays, seed

    def forecast(self, series: Sequence[Series], paths: int) -> Floats:
        """Paths of what follows each series' last point (series, paths, prediction_length).

        dynamic_feat has the points to be forecast, too. A point forecast (deterministic-L1) has paths that are equal.
        """
        built = self._architecture
        if not len(series):
            return np.zeros((0, paths, built.prediction_length), np.float32)
        values = self._before(series, built.context_length + built.lags[-1])
        centres, scales = self._scaling(values[:, built.lags[-1] :])
        known = Known(
            self._history(values, centres, scales),
            self._covariates(series),
            self._statics(series, scales),
            scales,
            np.asarray([self._key(each) for each in series], np.uint64),
        )
        drawn = 1 if built.likelihood == "deterministic-l1" else paths
        samples = self.network.sample(known, built.prediction_length, drawn).astype(np.float64)
        samples = samples * scales[:, None, None] + centres[:, None, None]
        if built.likelihood == "negative-binomial":
            samples = np.rint(samples)
        found = _bounded(samples)
        if built.spread:
            with np.errstate(over="ignore"):
                found = _bounded(widened(found, built.spread))
        return found.repeat(paths // drawn, axis=1)

    @cached_property
    def network(self) -> Network:
        """The network in the form that draws."""
        built, arrays = self._architecture, self._arrays
        return Network(
            layers=[
                Layer(*(arrays[f"layer.{layer}.{part}"] for part in ("input", "hidden", "bias")))
                for layer in range(built.layers)
            ],
            lags=built.lags,
            statics=len(built.cardinality) * built.embedding_dimension + 1,
            covariates=built.covariates,
            context=built.context_length,
            likelihood=built.likelihood,
            outputs=arrays["output.weight"],
            output_bias=arrays["output.bias"],
            skip=arrays.get("skip"),
            residual=built.residual,
        )

    def _before(self, series: Sequence[Series], count: int) -> Floats:
        """The last `count` targets of each (series, count), NaN where there are none."""
        found = np.full((len(series), count), np.nan, np.float32)
        for row, each in zip(found, series, strict=True):
            if length := min(count, len(each)):
                row[-length:] = each.target[-length:]
        return found

    def _scaling(self, context: Floats) -> tuple[Doubles, Doubles]:
        """The centre and the scale of each series, of what its context holds (Salinas et al., section 3.3)."""
        built, observed = self._architecture, np.isfinite(context)
        centres, scales = np.zeros(len(context)), np.ones(len(context))
        if not built.scales:
            return centres, scales
        values, counts = np.where(observed, context, 0).astype(np.float64), observed.sum(axis=1)
        known, divisor = counts > 0, np.maximum(counts, 1)
        if built.scaling == DEVIATION:
            centres = np.where(known, values.sum(axis=1) / divisor, built.default_centre)
        distances = np.abs(values - centres[:, None]) * observed
        scales = np.where(known, distances.sum(axis=1) / divisor, built.default_scale)
        return centres, np.maximum(scales, np.maximum(LEAST_SPREAD * np.abs(centres), SMALLEST_SCALE))

    def _history(self, values: Floats, centres: Doubles, scales: Doubles) -> Floats:
        scaled = (values - centres[:, None]) / scales[:, None]
        return np.where(np.isfinite(values), scaled, 0).astype(np.float32)

    def _covariates(self, series: Sequence[Series]) -> Floats:
        """(series, context + horizon, covariates): dynamic_feat, calendar and age; zeros before a series begins."""
        built = self._architecture
        steps = np.arange(-built.context_length, built.prediction_length)
        places = np.asarray([len(each) for each in series])[:, None] + steps
        starts = np.asarray([each.start for each in series])[:, None]
        frequency = Frequency.parse(built.frequency)
        found = np.zeros((*places.shape, built.covariates), np.float32)
        for row, each, at in zip(found, series, places, strict=True) if built.dynamic_features else ():
            begin = max(0, -int(at[0]))
            row[begin:, : built.dynamic_features] = each.dynamic_feat[:, at[begin:]].T
        age = built.dynamic_features + built.calendar_features
        found[:, :, built.dynamic_features : age] = np.moveaxis(
            calendar.features(frequency, starts + np.maximum(places, 0) * frequency.multiple), 0, -1
        )
        found[:, :, age] = calendar.age(np.maximum(places, 0))
        found = np.where((places >= 0)[:, :, None], found, np.float32(0))
        if built.ahead:
            found[:, :, -1] = calendar.ahead(built.context_length, built.prediction_length)
        return cast("Floats", found)

    def _statics(self, series: Sequence[Series], scales: Doubles) -> Floats:
        """(series, statics): the embeddings of the categories, and the logarithm of the scale."""
        cat = np.stack([each.cat for each in series])
        embedded = [self._arrays[f"embedding.{place}"][cat[:, place]] for place in range(cat.shape[1])]
        return np.concatenate([*embedded, np.log(scales)[:, None].astype(np.float32)], axis=1).astype(np.float32)

    def _key(self, series: Series) -> int:
        """By where the target rises and what is missing in it, so that a series in other units has the same draws."""
        content = hashlib.blake2b(digest_size=8, key=(self._seed % 2**64).to_bytes(8, "little"))
        content.update(np.asarray([series.start, len(series), *series.cat.tolist()], np.int64).tobytes())
        target = series.target
        for marks in (target[1:] > target[:-1], np.isnan(target)):
            content.update(np.packbits(marks).tobytes())
        return int.from_bytes(content.digest(), "little")


def _bounded(samples: Doubles | Floats) -> Floats:
    """As 32-bit floats, the largest there are for what is beyond them: an answer has no word for infinity."""
    most = np.finfo(np.float32).max
    return np.asarray(np.clip(samples, -most, most), np.float32)
