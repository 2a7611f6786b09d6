"""Windows: where they are drawn, and what they hold."""

from datetime import datetime

import numpy as np
import pytest

from sagedock.algorithms.deepar import calendar
from sagedock.algorithms.deepar.frequency import Frequency
from sagedock.algorithms.deepar.parameters import Architecture
from sagedock.algorithms.deepar.series import Series, SeriesList
from sagedock.algorithms.deepar.windows import Passes, Windows

FREQUENCY = Frequency.parse("2H")
BUILT = Architecture("2H", 4, 3, "gaussian", 5, 1, (1, 2, 6), (3,), 2, 2, 4)
LENGTHS = (9, 2, 3, 30, 0)


def made(frequency: Frequency, lengths: tuple[int, ...]) -> SeriesList:
    random = np.random.default_rng(3)
    series = []
    for number, length in enumerate(lengths):
        target = random.normal(5, 2, length).astype(np.float32)
        target[random.random(length) < 0.2] = np.nan
        start = frequency.ordinal(datetime(2020, 1, 1 + number % 28, 5))
        features = random.normal(size=(2, length)).astype(np.float32)
        series.append(Series(frequency, start, target, np.asarray([number % 3], np.int32), features))
    return SeriesList.of(series)


@pytest.fixture(scope="module")
def windows() -> Windows:
    return Windows(made(FREQUENCY, LENGTHS), BUILT)


def test_passes_are_those_of_the_log() -> None:
    """deepar 11."""
    assert Passes.of(200, 32) == Passes(2, 0.8)
    assert Passes.of(14, 64).count == 46
    assert Passes.of(14, 64).probability == pytest.approx(0.9937888, abs=1e-7)
    assert Passes.of(370, 64).count == 2
    assert Passes.of(320, 32) == Passes.of(5000, 32) == Passes(1, 1.0)


@pytest.mark.parametrize(("series", "batch"), [(200, 32), (14, 64), (320, 32), (400, 32)])
def test_an_epoch_has_about_as_many_windows_as_the_passes_say(series: int, batch: int) -> None:
    """deepar 11: within 10 B +- 4 sqrt(10 B), and of many series about as many as there are."""
    windows = Windows(made(FREQUENCY, (5,) * series), BUILT)
    drawn = windows.draw(Passes.of(series, batch), np.random.default_rng(0))
    expected = max(10 * batch, series)
    assert abs(len(drawn) - expected) <= 4 * expected**0.5
    assert sum(len(part) for part in drawn.batches(batch)) == len(drawn)


def test_windows_begin_anywhere_in_series_that_are_long_enough(windows: Windows) -> None:
    """deepar 32: a series shorter than prediction_length is left out."""
    drawn = windows.draw(Passes(400, 1.0), np.random.default_rng(1))
    for number, length in enumerate(LENGTHS):
        begins = drawn.begins[drawn.series == number]
        assert set(begins) == set(range(length - BUILT.prediction_length + 1))
        if length >= BUILT.prediction_length:
            assert abs(len(begins) - 400) <= 4 * 400**0.5
    again = windows.draw(Passes(400, 1.0), np.random.default_rng(1))
    np.testing.assert_array_equal(again.begins, drawn.begins)


def test_a_window_holds_what_stands_around_its_begin(windows: Windows) -> None:
    """Every window there is, beside what a loop over its points makes of it."""
    drawn = windows.draw(Passes(200, 1.0), np.random.default_rng(2))
    found = windows.gather(drawn)
    longest, steps = max(BUILT.lags), BUILT.context_length + BUILT.prediction_length
    assert found.values.shape == found.observed.shape == (len(drawn), longest + steps)
    assert found.covariates.shape == (steps, len(drawn), BUILT.covariates)
    for row, (number, begin) in enumerate(zip(drawn.series, drawn.begins, strict=True)):
        series = windows.series[int(number)]
        periods = FREQUENCY.steps(series.start, len(series))
        features = calendar.features(FREQUENCY, periods)
        assert found.cat[row].tolist() == series.cat.tolist()
        for place in range(longest + steps):
            point = begin - BUILT.context_length - longest + place
            known = point >= 0 and np.isfinite(series.target[point])
            assert found.observed[row, place] == known
            assert found.values[row, place] == (series.target[point] if known else 0)
            if place >= longest:
                expected = np.zeros(BUILT.covariates)
                if point >= 0:
                    age = np.log10(2 + point)
                    expected = np.concatenate([series.dynamic_feat[:, point], features[:, point], [age]])
                np.testing.assert_allclose(found.covariates[place - longest, row], expected, rtol=1e-6)


def test_the_last_window_ends_with_its_series(windows: Windows) -> None:
    last = windows.last(windows.eligible)
    assert last.series.tolist() == [0, 2, 3]
    assert last.begins.tolist() == [6, 0, 27]
