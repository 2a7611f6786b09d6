"""Sample paths of the compiled core: NumPy's to the bit on every instruction set, and of the right distributions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sagedock import core
from sagedock.algorithms.deepar.lstm import Layer, sigmoid, tanh
from sagedock.algorithms.deepar.parameters import PARAMETERS
from sagedock.algorithms.deepar.sampling import Known, Network
from tests.without_core import without_core

pytestmark = pytest.mark.usefixtures("native")

LAGS = (1, 2, 3, 7, 24)


def numbers(chance: np.random.Generator, *shape: int) -> Any:
    return chance.normal(scale=0.4, size=shape).astype(np.float32)


def network(likelihood: str, cells: int = 10, layers: int = 2, **changes: Any) -> Network:
    chance = np.random.default_rng(cells)
    covariates, statics, parameters = 3, 2, len(PARAMETERS[likelihood])
    width = len(LAGS) + covariates + statics
    made = Network(
        layers=[
            Layer(
                numbers(chance, 4 * cells, cells if i else width),
                numbers(chance, 4 * cells, cells),
                numbers(chance, 4 * cells),
            )
            for i in range(layers)
        ],
        lags=LAGS,
        statics=statics,
        covariates=covariates,
        context=5,
        likelihood=likelihood,
        outputs=numbers(chance, parameters, cells),
        output_bias=numbers(chance, parameters),
        skip=numbers(chance, len(LAGS)),
        residual=True,
    )
    return replace(made, **changes)


def known(of: Network, series: int, horizon: int, seed: int = 0) -> Known:
    chance = np.random.default_rng(seed)
    return Known(
        numbers(chance, series, of.history),
        numbers(chance, series, of.context + horizon, of.covariates),
        numbers(chance, series, of.statics),
        np.exp(numbers(chance, series)).astype(np.float64) * 20,
        chance.integers(2**64, size=series, dtype=np.uint64),
    )


@pytest.mark.parametrize("likelihood", PARAMETERS)
@pytest.mark.parametrize("cells", [1, 8, 16, 40])
def test_paths_are_numpys(each_native: core.Native, likelihood: str, cells: int) -> None:
    """Of every likelihood, for odd numbers of paths, with lags that reach into the forecast and lags that do not."""
    del each_native
    for changes in ({}, {"skip": None}, {"residual": False}):
        made = network(likelihood, cells, **changes)
        series = known(made, 2, 9)
        compiled = made.sample(series, 9, 7)
        with without_core():
            assert network(likelihood, cells, **changes).sample(series, 9, 7).tobytes() == compiled.tobytes()
        assert np.isfinite(compiled).all()


def test_a_series_and_a_path_do_not_depend_on_their_neighbours() -> None:
    made = network("student-t")
    series = known(made, 3, 12)
    whole = made.sample(series, 12, 10)
    alone = Known(*(getattr(series, name)[1:2] for name in Known.__dataclass_fields__))
    assert made.sample(alone, 12, 4, first=3).tobytes() == whole[1:2, 3:7].tobytes()


def test_one_layer_and_a_long_horizon() -> None:
    made = network("gaussian", layers=1)
    assert np.isfinite(made.sample(known(made, 1, 1000), 1000, 3)).all()


def test_numbers_that_are_none_make_answers_that_are_none() -> None:
    made = network("gaussian")
    series = known(made, 1, 3)
    series.history[0, -1] = np.nan
    assert np.isnan(made.sample(series, 3, 2)).all()


def test_the_activations() -> None:
    x = np.linspace(-90, 90, 20001, dtype=np.float32)
    exact = 1 / (1 + np.exp(-np.clip(x.astype(np.float64), -60, 60)))
    assert np.abs(sigmoid(x) - exact).max() < 2e-7
    assert np.abs(tanh(x) - np.tanh(x.astype(np.float64))).max() < 3e-7


def drawn(likelihood: str, raw: tuple[float, ...], scale: float, count: int = 20_000) -> Any:
    """Draws by the compiled core: a network whose outputs are their bias alone."""
    made = network(likelihood, cells=1, layers=1, skip=None)
    made = replace(made, outputs=np.zeros((len(raw), 1), np.float32), output_bias=np.float32(raw))
    series = known(made, 1, 1)
    series.scales[0] = scale
    return made.sample(series, 1, count)[0, :, 0].astype(np.float64)


def raw(width: float) -> float:
    """What softplus makes `width` of."""
    return float(np.log(np.expm1(width)))


CONTINUOUS = [
    ("gaussian", (0.5, raw(2.0)), stats.norm(0.5, 2)),
    ("student-t", (0.5, raw(2.0), raw(0.7)), stats.t(2.7, 0.5, 2)),
    ("student-t", (-3.0, raw(0.1), raw(40.0)), stats.t(42, -3, 0.1)),
    ("beta", (raw(0.3), raw(2.0)), stats.beta(0.3, 2.0)),
    ("beta", (raw(5.0), raw(1.5)), stats.beta(5.0, 1.5)),
]


@pytest.mark.parametrize(("likelihood", "parameters", "law"), CONTINUOUS)
def test_draws_of_continuous_likelihoods(likelihood: str, parameters: tuple[float, ...], law: Any) -> None:
    """By Kolmogorov and Smirnov's test; the draws are the same in every run (deepar 25)."""
    found = drawn(likelihood, parameters, 1.0)
    assert stats.kstest(found, law.cdf).pvalue > 0.001
    if likelihood == "beta":
        assert found.min() >= 0
        assert found.max() <= 1


@pytest.mark.parametrize(
    ("mean", "dispersion"), [(3.0, 0.5), (40.0, 0.02), (700.0, 1.5), (0.05, 2.0), (5000.0, 1.2e-7)]
)
def test_draws_of_counts(mean: float, dispersion: float) -> None:
    """They are whole and not negative, with the negative binomial's probabilities (deepar 25)."""
    scale = 8.0
    counts = (
        drawn("negative-binomial", (raw(mean / scale), raw(dispersion) if dispersion > 1e-6 else -60.0), scale) * scale
    )
    assert np.abs(counts - counts.round()).max() < 1e-3
    assert counts.min() >= 0
    shape = 1 / dispersion
    law = stats.nbinom(shape, shape / (shape + mean)) if dispersion > 1e-6 else stats.poisson(mean)
    edges = np.unique(law.ppf(np.linspace(0.05, 0.95, 12)))
    found = np.histogram(counts.round(), [-1, *edges + 0.5, np.inf])[0]
    expected = np.diff(law.cdf([-1, *edges, np.inf])) * len(counts)
    assert stats.chisquare(found, expected).pvalue > 0.001


RAW = st.floats(-1e30, 1e30) | st.floats(-100, 100) | st.sampled_from([np.nan, np.inf, -np.inf, 0.0])


@given(st.sampled_from(sorted(PARAMETERS)), st.lists(RAW, min_size=3, max_size=3), st.floats(1e-10, 1e10))
@settings(max_examples=300)
def test_any_parameters_are_drawn_as_python_draws(likelihood: str, parameters: list[float], scale: float) -> None:
    wanted = tuple(parameters[: len(PARAMETERS[likelihood])])
    made = drawn(likelihood, wanted, scale, 3)
    with without_core():
        assert drawn(likelihood, wanted, scale, 3).tobytes() == made.tobytes()


def test_arrays_that_do_not_fit_are_refused() -> None:
    made = network("gaussian")
    series = known(made, 2, 4)
    for name in Known.__dataclass_fields__:
        wrong = replace(series, **{name: getattr(series, name)[:1]})
        with pytest.raises(ValueError, match="do not fit"):
            made._compiled.sample(**vars(wrong), first=0, samples=np.zeros((2, 3, 4), np.float32))
    for changes in (
        {"lags": (0, 1, 2, 3, 4)},
        {"lags": (2, 1, 3, 4, 5)},
        {"context": 0},
        {"covariates": 4},
        {"layers": []},
    ):
        with pytest.raises(ValueError, match=r"lag|context|fit|width"):
            assert replace(made, **changes)._compiled
