"""Paths that a network draws in training, and that serving draws: the same distribution, from the same numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from sagedock.algorithms.deepar.forecaster import Forecaster
from sagedock.algorithms.deepar.frequency import Frequency
from sagedock.algorithms.deepar.network import Network, batch_of
from sagedock.algorithms.deepar.parameters import DEVIATION, LOCATED, PARAMETERS, Architecture
from sagedock.algorithms.deepar.paths import drawn, with_own_paths
from sagedock.algorithms.deepar.series import Series, SeriesList
from sagedock.algorithms.deepar.windows import Chosen, Windows

HOURLY = Frequency.parse("H")
PLAIN = Architecture("H", 10, 4, "gaussian", 7, 2, (1, 2, 3, 9), (2,), 3, 1, 4, default_scale=2.0)
SERIES, LENGTH = 3, 25


def series() -> SeriesList:
    random = np.random.default_rng(5)
    made = []
    for number in range(SERIES):
        target = random.poisson(5, LENGTH).astype(np.float32)
        target[number::7] = np.nan
        features = random.normal(size=(1, LENGTH)).astype(np.float32)
        made.append(Series(HOURLY, 438_000 + number, target, np.asarray([number % 2], np.int32), features))
    return SeriesList.of(made)


def network(built: Architecture) -> Network:
    made = Network.new(built, 4)
    with torch.no_grad():
        made.tensors["output.weight"].mul_(0.3)
        if built.skip:
            made.tensors["skip"][:] = torch.tensor([0.3, 0.1, 0.0, 0.4])
    return made


@pytest.mark.parametrize("likelihood", sorted(PARAMETERS))
@pytest.mark.parametrize("recipe", [False, True], ids=["built-in", "seasonal"])
def test_training_and_serving_draw_from_the_same_distribution(likelihood: str, recipe: bool) -> None:
    """deepar 30: means and quantiles of 3,000 paths of three series, one of which begins within its context."""
    built = replace(PLAIN, likelihood=likelihood, ahead=recipe)
    if recipe and likelihood in LOCATED:
        built = replace(built, skip=True, scaling=DEVIATION)
    known = series()
    if likelihood == "beta":
        known = replace(known, target=known.target / 20 + 0.01)
    made, begins = network(built), np.asarray([21, 21, 6])
    chosen = Chosen(np.repeat(np.arange(SERIES), 3000), np.repeat(begins, 3000))
    found = Windows(known, built).gather(chosen)
    batch = batch_of(found.values, found.observed, found.covariates, found.cat)
    ours = drawn(made, batch, torch.Generator().manual_seed(1)).reshape(SERIES, 3000, -1).numpy()
    cut = [known[number].cut(int(begin)) for number, begin in enumerate(begins)]
    served = Forecaster(made.parameters()).forecast(cut, 3000)
    spread = np.maximum(served.std(axis=1), 1e-6)
    tolerance = 0.01 if likelihood == "deterministic-l1" else 6 * spread / 3000**0.5 * 2**0.5
    assert (np.abs(ours.mean(axis=1) - served.mean(axis=1)) <= np.maximum(tolerance, 1e-3)).all()
    for level in (0.1, 0.5, 0.9):
        apart = np.abs(np.quantile(ours, level, axis=1) - np.quantile(served, level, axis=1))
        allowed = 0.2 * spread + (1 if likelihood == "negative-binomial" else 1e-3)
        assert (apart <= allowed).all()


def test_only_a_share_of_the_windows_sees_its_own_paths_and_no_context_changes() -> None:
    made = network(PLAIN)
    chosen = Chosen(np.repeat(np.arange(SERIES), 300), np.full(3 * 300, 21))
    found = Windows(series(), PLAIN).gather(chosen)
    batch = batch_of(found.values, found.observed, found.covariates, found.cat)
    seen = with_own_paths(made, batch, 0.25, torch.Generator().manual_seed(2))
    horizon = PLAIN.prediction_length
    np.testing.assert_array_equal(seen.values[:, :-horizon], batch.values[:, :-horizon])
    changed = (seen.values[:, -horizon:] != batch.values[:, -horizon:]).any(1).double().mean().item()
    assert abs(changed - 0.25) < 4 * (0.25 * 0.75 / 900) ** 0.5
    none = with_own_paths(made, batch, 0.0, torch.Generator().manual_seed(2))
    np.testing.assert_array_equal(none.values, batch.values)


def test_own_paths_stay_near_what_was_seen_before() -> None:
    """A network that says anything: no number beyond half the range around what the window holds."""
    made = network(PLAIN)
    with torch.no_grad():
        made.tensors["output.bias"][:] = torch.tensor([1e6, 5.0])
    chosen = Chosen(np.arange(SERIES), np.full(SERIES, 21))
    found = Windows(series(), PLAIN).gather(chosen)
    batch = batch_of(found.values, found.observed, found.covariates, found.cat)
    own = with_own_paths(made, batch, 1.0, torch.Generator().manual_seed(2)).values[:, -PLAIN.prediction_length :]
    past = batch.values[:, : -PLAIN.prediction_length]
    high = torch.where(batch.observed[:, : -PLAIN.prediction_length] > 0, past, -torch.inf).amax(1)
    assert torch.isfinite(own).all()
    assert (own.amax(1) <= 1.5 * high + 1e-3).all()
