"""A linear autoregression on the lags, fitted to all series at once: where a skip connection begins."""

from __future__ import annotations

import numpy as np
import torch

from sagedock.algorithms.deepar.network import Network, batch_of
from sagedock.algorithms.deepar.windows import Chosen, Floats, Windows

WINDOWS = 1500
"""So many are looked at: their points are many times as many as lags."""
RIDGE = 1e-3
_AT_ONCE = 100
_EMBEDDING = 0.1


def fit(network: Network, windows: Windows, random: np.random.Generator) -> Floats:
    """(lags,) weights of the lagged values, by least squares with a small penalty on their size.

    Points whose lagged values are far out count less, or a few bursts would decide everything.
    """
    lags = len(network.architecture.lags)
    square, product = np.zeros((lags, lags)), np.zeros(lags)
    for chosen in _some(windows, random).batches(_AT_ONCE):
        inputs, targets = _points(network, windows, chosen)
        weighted = inputs / (1 + np.mean(inputs**2, axis=1, keepdims=True))
        square += weighted.T @ inputs
        product += weighted.T @ targets
    penalty = RIDGE * np.trace(square) / lags
    if not penalty > 0:
        return np.zeros(lags, np.float32)
    return np.asarray(np.linalg.solve(square + penalty * np.eye(lags), product), np.float32)


def start_from(network: Network, weights: Floats) -> None:
    """Let the skip connection have these weights, the rest of the network add nothing to them yet, and categories
    differ little.
    """
    with torch.no_grad():
        for place in range(len(network.architecture.cardinality)):
            network.tensors[f"embedding.{place}"].mul_(_EMBEDDING)
        network.tensors["skip"].copy_(torch.from_numpy(weights))
        network.tensors["output.weight"][0] = 0.0


def _some(windows: Windows, random: np.random.Generator) -> Chosen:
    series = random.choice(windows.eligible, WINDOWS)
    return windows.anywhere(series, random)


def _points(network: Network, windows: Windows, chosen: Chosen) -> tuple[Floats, Floats]:
    """The lagged values (points, lags) and the values (points,) of observed points, scaled.

    Those that 32-bit floats do not hold, of the largest targets, are left out: training says what is wrong with them.
    """
    found = windows.gather(chosen)
    batch = batch_of(found.values, found.observed, found.covariates, found.cat)
    with torch.no_grad():
        values = network.scaled(batch).of(batch.values, batch.observed)
        lagged = network.lagged(values).double()
    steps = len(lagged)
    targets = values[:, -steps:].t().double()
    told = (batch.observed[:, -steps:].t() > 0) & targets.isfinite() & lagged.isfinite().all(2)
    return lagged[told].numpy(), targets[told].numpy()
