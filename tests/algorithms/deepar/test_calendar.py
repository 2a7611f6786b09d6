"""Calendar features beside what pandas says of the same periods."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import numpy as np
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagedock.algorithms.deepar import calendar
from sagedock.algorithms.deepar.frequency import UNITS, Frequency

PANDAS: dict[str, Callable[[Any], Any]] = {
    "minute of hour": lambda index: index.minute / 59,
    "hour of day": lambda index: index.hour / 23,
    "day of week": lambda index: index.dayofweek / 6,
    "day of month": lambda index: (index.day - 1) / 30,
    "day of year": lambda index: (index.dayofyear - 1) / 365,
    "week of year": lambda index: (index.week - 1) / 52,
    "month of year": lambda index: (index.month - 1) / 11,
}


@given(
    st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1)),
    st.builds(Frequency, st.integers(1, 5), st.sampled_from(UNITS)),
)
def test_features_are_those_of_the_periods_of_pandas(moment: datetime, frequency: Frequency) -> None:
    spelled = f"{frequency.multiple}{frequency.unit.replace('H', 'h')}"
    index = pandas.period_range(pandas.Period(moment, freq=spelled), periods=150, freq=spelled)
    found = calendar.features(frequency, frequency.steps(frequency.ordinal(moment), 150))
    assert found.dtype == np.float32
    expected = [PANDAS[name](index) - 0.5 for name in calendar.names(frequency)]
    np.testing.assert_allclose(found, np.asarray(expected), atol=1e-6)
    assert found.min() >= -0.5
    assert found.max() <= 0.5


@pytest.mark.parametrize(("unit", "count"), [("min", 5), ("H", 4), ("D", 3), ("W", 2), ("M", 1)])
def test_a_frequency_has_the_features_of_the_developer_guide(unit: str, count: int) -> None:
    assert len(calendar.names(Frequency(1, unit))) == count
    several = calendar.features(Frequency(1, unit), np.arange(12).reshape(3, 4))
    assert several.shape == (count, 3, 4)


def test_age_is_the_logarithm_of_the_steps_passed() -> None:
    np.testing.assert_allclose(calendar.age(np.array([0, 8, 98])), [np.log10(2), 1, 2], rtol=1e-6)


def test_features_go_on_beyond_the_year_9999() -> None:
    days = Frequency.parse("D")
    first = days.ordinal(datetime(9999, 12, 31))
    found = calendar.features(days, days.steps(first, 2))
    np.testing.assert_allclose(found[2], [364 / 365 - 0.5, -0.5], atol=1e-6)
