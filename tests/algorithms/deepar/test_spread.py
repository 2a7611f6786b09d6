"""The spread of paths: found where it is wrong, and left where it is right."""

import math

import numpy as np
import pytest

from sagedock.algorithms.deepar.spread import LEAST, MOST, fitted, widened

HORIZON = 12
NINTH_TENTH = 1.2816  # of the normal distribution


def forecasts(wrong: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Normal paths of 400 windows of very different sizes whose truth is `wrong` (horizon,) times as far away."""
    random = np.random.default_rng(0)
    unit = random.lognormal(0, 3, (400, 1))
    middle = unit * random.normal(5, 1, (400, HORIZON))
    paths = middle[:, None] + unit[:, None] * random.normal(0, 1, (400, 100, HORIZON))
    truth = middle + unit * wrong * random.normal(0, 1, (400, HORIZON))
    return paths.astype(np.float32), truth.astype(np.float32)


@pytest.mark.parametrize("wrong", [0.7, 1.0, 2.0])
def test_a_spread_that_is_wrong_is_put_right(wrong: float) -> None:
    """Behind it, 80 % intervals cover 80 %."""
    paths, truth = forecasts(np.full(HORIZON, wrong))
    truth[::7, 3] = np.nan
    spread = fitted(paths, truth)
    np.testing.assert_allclose(spread, wrong, rtol=0.25)
    low, high = np.quantile(widened(paths, spread), (0.1, 0.9), axis=1)
    inside = ((truth >= low) & (truth <= high))[np.isfinite(truth)].mean()
    assert abs(inside - 0.8) < 0.03


def test_each_step_of_the_horizon_has_its_own_factor() -> None:
    growing = np.linspace(0.8, 3.0, HORIZON)
    spread = fitted(*forecasts(growing))
    assert len(spread) == HORIZON
    np.testing.assert_allclose(spread, growing, rtol=0.4)
    assert spread[-1] > 2 * spread[0]


def test_paths_keep_their_median_and_their_order() -> None:
    paths, _ = forecasts(np.ones(HORIZON))
    spread = np.linspace(0.5, 2, HORIZON).tolist()
    wider = widened(paths, spread)
    assert wider.dtype == np.float32
    np.testing.assert_allclose(np.median(wider, axis=1), np.median(paths, axis=1), rtol=1e-4)
    np.testing.assert_array_equal(np.argsort(wider[0, :, 0]), np.argsort(paths[0, :, 0]))
    np.testing.assert_allclose(np.std(wider, axis=1), np.std(paths, axis=1) * np.asarray(spread), rtol=1e-3)


@pytest.mark.parametrize("horizon", [1, 2, 3, 7, 100])
def test_any_horizon_has_a_factor_for_each_step(horizon: int) -> None:
    """Also where all paths are one: those that the truth leaves are as wide as can be, the others as narrow."""
    paths = np.zeros((3, 5, horizon), np.float32)
    assert fitted(paths, np.ones((3, horizon), np.float32)) == pytest.approx([MOST] * horizon)
    assert fitted(paths, np.zeros((3, horizon), np.float32)) == pytest.approx([LEAST] * horizon)


def test_where_nothing_is_known_of_the_truth_nothing_is_widened() -> None:
    paths, truth = forecasts(np.full(HORIZON, 2.0))
    assert fitted(paths, np.full_like(truth, np.nan)) == (1.0,) * HORIZON
    truth[:, 2:] = np.nan
    assert min(fitted(paths, truth)) > 1.5


def test_windows_whose_paths_are_lost_tell_nothing() -> None:
    """A factor that is no number would leave a model which no endpoint loads."""
    paths, truth = forecasts(np.full(HORIZON, 2.0))
    paths[::3, 5, 4:] = np.nan
    np.testing.assert_allclose(fitted(paths, truth), 2.0, rtol=0.25)
    paths[:, 5, 4:] = np.nan
    assert np.isfinite(fitted(paths, truth)).all()
    assert fitted(np.full_like(paths, np.nan), truth) == (1.0,) * HORIZON


@pytest.mark.parametrize("windows", [1, 2, 3, 5])
def test_few_windows_leave_what_is_right_about_as_it_is(windows: int) -> None:
    """A single value was enough for the factor of the first step, with which 80 % intervals covered 57 %."""
    random, covered = np.random.default_rng(2), []
    for _ in range(200):
        paths, truth = random.normal(size=(windows, 100, 24)), random.normal(size=(windows, 24))
        spread = fitted(paths.astype(np.float32), truth.astype(np.float32))
        covered.append([math.erf(NINTH_TENTH * factor / math.sqrt(2)) for factor in spread])
    assert np.mean(covered, axis=0).min() > 0.75
