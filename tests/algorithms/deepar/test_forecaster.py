"""What serving draws: by the same network, scales and covariates as training has them in torch, and always the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from sagedock.algorithms.deepar.forecaster import Forecaster
from sagedock.algorithms.deepar.frequency import Frequency
from sagedock.algorithms.deepar.network import Network, batch_of
from sagedock.algorithms.deepar.parameters import DEVIATION, PARAMETERS, Architecture, Parameters
from sagedock.algorithms.deepar.series import Series, SeriesList
from sagedock.algorithms.deepar.windows import Chosen, Windows

HORIZON = 6
BUILT = Architecture("H", 9, HORIZON, "student-t", 8, 2, (1, 2, 5, 24), (3,), 4, 1, 4, default_scale=2.5)


def parameters(likelihood: str = "student-t", **changes: Any) -> Parameters:
    return Network.new(replace(BUILT, likelihood=likelihood, **changes), seed=3).parameters()


def series(length: int, seed: int = 0, factor: float = 1.0, missing: float = 0.1) -> Series:
    chance = np.random.default_rng(seed)
    target = (chance.random(length) * factor).astype(np.float32)
    target[chance.random(length) < missing] = np.nan
    features = chance.normal(size=(1, length + HORIZON)).astype(np.float32)
    return Series(Frequency.parse("H"), 400_000 + seed, target, np.asarray([seed % 3], np.int32), features)


MANY = [series(length, seed) for seed, length in enumerate((0, 1, 4, 9, 20, 33, 60))]


@pytest.mark.parametrize("changes", [{}, {"scaling": DEVIATION, "skip": True}, {"residual": False, "layers": 3}])
@pytest.mark.parametrize("likelihood", ["deterministic-l1", "gaussian"])
def test_paths_follow_what_the_network_says_in_torch(likelihood: str, changes: dict[str, Any]) -> None:
    """Where the network is told a path, what it says of each step is what the step was, if it was sure of it."""
    made = parameters(likelihood, **changes)
    made.arrays["output.bias"][1:] = -40.0  # no deviation to speak of
    made.arrays["output.weight"][1:] = 0.0
    network = Network.of(made)
    for each in MANY:
        (path,) = Forecaster(made).forecast([each], 1)[0]
        told = SeriesList.of(
            [Series(each.frequency, each.start, np.concatenate([each.target, path]), each.cat, each.dynamic_feat)]
        )
        window = Windows(told, made.architecture).gather(Chosen(np.asarray([0]), np.asarray([len(each)])))
        with torch.no_grad():
            said, scaled = network.forward(batch_of(window.values, window.observed, window.covariates, window.cat))
        expected = said[-HORIZON:, 0, 0] * scaled.scale + scaled.centre
        np.testing.assert_allclose(path, expected, rtol=2e-5, atol=1e-5)


def test_forecasts_are_the_same_again_and_beside_others() -> None:
    forecaster = Forecaster(parameters(), seed=5)
    together = forecaster.forecast(MANY, 20)
    for number, each in enumerate(MANY):
        assert Forecaster(parameters(), seed=5).forecast([each], 20).tobytes() == together[number].tobytes()
    assert Forecaster(parameters(), seed=6).forecast(MANY, 20).tobytes() != together.tobytes()
    assert np.isfinite(together).all()
    assert len(np.unique(together[4])) == 20 * HORIZON


@pytest.mark.parametrize("changes", [{}, {"scaling": DEVIATION}])
def test_a_thousand_times_as_large_a_series_has_a_thousand_times_as_large_a_forecast(changes: dict[str, Any]) -> None:
    """deepar 24."""
    made = parameters(**changes)
    made.arrays["layer.0.input"][:, len(BUILT.lags) + 4] = 0.0  # the logarithm of the scale is told to the network, too
    forecaster = Forecaster(made)
    one = series(40)
    small, large = (replace(one, target=one.target * np.float32(factor), start=one.start) for factor in (1.0, 1000.0))
    first, second = (forecaster.forecast([each], 200) for each in (small, large))
    np.testing.assert_allclose(second, first * 1000, rtol=1e-3, atol=1e-2)


def test_what_each_likelihood_gives() -> None:
    """Counts, shares, and point forecasts whose paths are equal (deepar 25)."""
    counts = Forecaster(parameters("negative-binomial")).forecast([series(30, factor=50)], 50)
    assert (counts == np.round(counts)).all()
    assert counts.min() >= 0
    shares = Forecaster(parameters("beta")).forecast([series(30)], 50)
    assert shares.min() >= 0
    assert shares.max() <= 1
    points = Forecaster(parameters("deterministic-l1")).forecast([series(30)], 7)
    assert points.shape == (1, 7, HORIZON)
    assert (points == points[:, :1]).all()


@pytest.mark.parametrize("likelihood", PARAMETERS)
def test_nothing_known_has_a_forecast(likelihood: str) -> None:
    """An empty series, and one of which nothing was observed; they begin where they begin (deepar 21, 26)."""
    nothing = series(12, missing=2.0)
    found = Forecaster(parameters(likelihood)).forecast([MANY[0], nothing], 10)
    assert np.isfinite(found).all()
    assert Forecaster(parameters(likelihood)).forecast([], 10).shape == (0, 10, HORIZON)


def test_a_horizon_of_a_thousand_steps() -> None:
    made = Network.new(replace(BUILT, prediction_length=1000, dynamic_features=0), seed=3).parameters()
    one = replace(series(50), dynamic_feat=np.zeros((0, 50), np.float32))
    assert np.isfinite(Forecaster(made).forecast([one], 20)).all()
