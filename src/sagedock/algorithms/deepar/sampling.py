"""Sample paths of the autoregressive network (Salinas et al., DeepAR, 2020, section 3).

What happened is read once, then each path goes on from it by its own draws. Paths depend on their series, its key and
their numbers alone, not on the series beside it. The compiled core gives the same bits (src/core/forecaster.hpp).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sagedock import core, forecast_core
from sagedock.algorithms.deepar.draws import draw
from sagedock.algorithms.deepar.lstm import Floats, Layer

_LANES = 16  # partial sums of a dot product
_PATH_STEP = 0xD1B54A32D192ED03


@dataclass(frozen=True)
class Known:
    """What is known of several series, in units of their scales.

    history (series, context + longest lag): the targets up to the first step of the forecast, 0 for what is missing;
    covariates (series, context + horizon, covariates); statics (series, statics); scales float64 and keys uint64, which
    random numbers come of, (series,).
    """

    history: Floats
    covariates: Floats
    statics: Floats
    scales: NDArray[np.float64]
    keys: NDArray[np.uint64]

    @property
    def series(self) -> int:
        """How many there are."""
        return len(self.scales)


@dataclass(frozen=True)
class Network:
    """A trained network. A step's inputs are the targets `lags` (ascending) before it, its statics and its covariates.

    outputs (parameters, cells) and output_bias (parameters,) make the likelihood's raw parameters from the last layer;
    skip (lags,), where there is one, adds a weighted sum of the lagged targets to the first. With `residual`, each
    layer but the first adds its input to its output.
    """

    layers: Sequence[Layer]
    lags: Sequence[int]
    statics: int
    covariates: int
    context: int
    likelihood: str
    outputs: Floats
    output_bias: Floats
    skip: Floats | None
    residual: bool

    @property
    def history(self) -> int:
        """How many targets before the forecast it reads."""
        return self.context + self.lags[-1]

    def sample(self, known: Known, horizon: int, paths: int, first: int = 0) -> Floats:
        """Paths `first` and following of each series (series, paths, horizon), in units of the scales."""
        samples = np.zeros((known.series, paths, horizon), np.float32)
        if compiled := self._compiled:
            compiled.sample(
                history=known.history,
                covariates=known.covariates,
                statics=known.statics,
                scales=known.scales,
                keys=known.keys,
                first=first,
                samples=samples,
            )
            return samples
        for number in range(known.series):
            _Walk(self, known, number, horizon, first).fill(samples[number])
        return samples

    @cached_property
    def _compiled(self) -> forecast_core.Forecaster | None:
        if core.native is None:
            return None
        return core.native.Forecaster(
            layers=[(layer.input_weights, layer.hidden_weights, layer.bias) for layer in self.layers],
            lags=self.lags,
            statics=self.statics,
            covariates=self.covariates,
            context=self.context,
            likelihood=self.likelihood,
            outputs=self.outputs,
            output_bias=self.output_bias,
            skip=self.skip,
            residual=self.residual,
        )


class _Walk:
    """One series and the states of its paths."""

    def __init__(self, network: Network, known: Known, number: int, horizon: int, first: int) -> None:
        self._network = network
        self._history, self._covariates = known.history[number], known.covariates[number]
        self._statics, self._scale = known.statics[number], float(known.scales[number])
        self._key, self._horizon, self._first = int(known.keys[number]), horizon, first
        layer = network.layers[0]
        self._fixed = layer.add(len(network.lags), self._statics, layer.bias)
        self._states = [(np.zeros((1, each.cells), np.float32),) * 2 for each in network.layers]

    def fill(self, samples: Floats) -> None:
        """All paths (paths, horizon) of the series."""
        network, paths = self._network, len(samples)
        for step in range(network.context):
            self._advance(self._shared(step, 0)[0], np.zeros((1, 0), np.float32))
        self._states = [(hidden.repeat(paths, axis=0), cell.repeat(paths, axis=0)) for hidden, cell in self._states]
        keys = [(self._key + _PATH_STEP * (self._first + path + 1)) & (2**64 - 1) for path in range(paths)]
        for step in range(self._horizon):
            lags = [lag for lag in network.lags if lag <= step]
            own = samples[:, [step - lag for lag in lags]]
            sums, lagged = self._shared(network.context + step, len(lags))
            raw = self._raw(self._advance(sums, own), lagged, own).astype(np.float64).tolist()
            for path, parameters in enumerate(raw):
                samples[path, step] = _float32(draw(network.likelihood, parameters, self._scale, keys[path], step))

    def _shared(self, step: int, own: int) -> tuple[Floats, Floats]:
        """What all inputs but the first `own` lags give to the first layer, and the other lags' targets."""
        network, layer = self._network, self._network.layers[0]
        lagged = self._history[[network.lags[-1] + step - lag for lag in network.lags[own:]]]
        sums = layer.add(len(network.lags) + network.statics, self._covariates[step], self._fixed)
        return layer.add(own, lagged, sums), lagged

    def _advance(self, sums: Floats, own: Floats) -> Floats:
        """The last layer's output (paths, cells) after one more step of all layers."""
        given = own
        for number, layer in enumerate(self._network.layers):
            shared = np.broadcast_to(layer.bias if number else sums, (len(given), 4 * layer.cells))
            self._states[number] = layer.step(layer.add(0, given, shared), *self._states[number])
            hidden = self._states[number][0]
            given = hidden + given if number and self._network.residual else hidden
        return given

    def _raw(self, made: Floats, lagged: Floats, own: Floats) -> Floats:
        """The likelihood's raw parameters (paths, parameters)."""
        network = self._network
        raw = np.zeros((len(made), len(network.output_bias)), np.float32)
        for number, bias in enumerate(network.output_bias):
            added = np.full(len(made), bias, np.float32)
            if number == 0 and network.skip is not None:
                added = _chained(added, network.skip[own.shape[1] :], lagged)
                added = _chained(added, network.skip, own.T)
            raw[:, number] = _dot(made, network.outputs[number]) + added
        return raw


def _float32(number: float) -> np.float32:
    with np.errstate(over="ignore"):
        return np.float32(number)


def _chained(start: Floats, weights: Floats, numbers: Floats) -> Floats:
    for weight, number in zip(weights, numbers, strict=False):
        start = start + weight * number
    return start


def _dot(rows: Floats, weights: Floats) -> Floats:
    """The dot product of each row with the weights, by sixteen partial sums."""
    padding = -len(weights) % _LANES
    products = np.pad(rows * weights, ((0, 0), (0, padding))).reshape(len(rows), -1, _LANES)
    sums = np.zeros((len(rows), _LANES), np.float32)
    for group in range(products.shape[1]):
        sums = sums + products[:, group]
    while sums.shape[1] > 1:
        half = sums.shape[1] // 2
        sums = sums[:, :half] + sums[:, half:]
    return sums[:, 0]
