"""Frequencies: their spelling, and periods numbered as pandas numbers them."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagedock.algorithms.deepar import frequency
from sagedock.algorithms.deepar.frequency import UNITS, Frequency

moments = st.datetimes(datetime(1700, 1, 1), datetime(2250, 1, 1)).map(lambda moment: moment.replace(microsecond=0))
frequencies = st.builds(Frequency, st.integers(1, 40), st.sampled_from(UNITS))


def spelled(found: Frequency) -> str:
    """As pandas spells it since 2.2."""
    return f"{found.multiple}{ {'H': 'h'}.get(found.unit, found.unit) }"


@pytest.mark.parametrize("text", ["5min", "H", "2H", "1D", "W", "M", "10min"])
def test_a_frequency_is_a_multiple_of_a_unit(text: str) -> None:
    """deepar 1."""
    found = Frequency.parse(text)
    assert str(found) == text.removeprefix("1" if text == "1D" else "")
    assert Frequency.parse(str(found)) == found


@pytest.mark.parametrize("text", ["Q", "s", "0D", "hour", "", "h", "-1H", "2 H", "1.5H", "1234567H", "\u0662H"])
def test_other_spellings_are_refused_with_what_is_allowed(text: str) -> None:
    """deepar 1."""
    with pytest.raises(ValueError, match=r"M \(months\), W \(weeks\), D \(days\), H \(hours\), min \(minutes\)"):
        Frequency.parse(text)


@given(moments, frequencies, st.integers(0, 500))
def test_periods_are_numbered_as_pandas_does(moment: datetime, found: Frequency, steps: int) -> None:
    period = pandas.Period(moment, freq=spelled(found))
    assert found.ordinal(moment) == period.ordinal
    assert found.ordinals(np.array([moment], "datetime64[s]")).tolist() == [period.ordinal]
    assert found.text(period.ordinal) == str(period.start_time.floor("s"))
    assert found.steps(period.ordinal, steps + 1)[-1] == (period + steps).ordinal


@given(moments, frequencies)
def test_a_moment_fits_where_flooring_changes_nothing(moment: datetime, found: Frequency) -> None:
    period = pandas.Period(moment, freq=spelled(found))
    assert found.fits(moment) == (period.start_time == moment)
    begin = period.start_time.to_pydatetime()
    assert found.fits(begin)
    assert not found.fits(begin + timedelta(seconds=1))
    assert not found.fits(begin.replace(microsecond=1))


@given(moments)
def test_a_moment_is_read_as_it_is_written(moment: datetime) -> None:
    assert frequency.moment(moment.isoformat(sep=" ")) == moment
    assert frequency.moment(f" {moment.isoformat(sep='T')}.123 ") == moment
    assert frequency.moment(moment.date().isoformat()) == datetime(moment.year, moment.month, moment.day)


@pytest.mark.parametrize(
    "text",
    [
        "2020-01-01 00:00:00+01:00",
        "2020-01-01T00:00:00Z",
        "2020-01-01 00:00:00 UTC",
        "2020-02-30 00:00:00",
        "2020-13-01",
        "2020-01-01 24:00:00",
        "0000-01-01",
        "01/02/2020",
        "20200101",
        "10000-01-01",
        "",
    ],
)
def test_what_is_no_moment_is_refused(text: str) -> None:
    """deepar 7."""
    with pytest.raises(ValueError, match=r"expected YYYY-MM-DD HH:MM:SS without a time zone|no such moment"):
        frequency.moment(text)


def test_a_series_may_begin_in_the_last_year_and_go_on_beyond_it() -> None:
    hours = Frequency.parse("H")
    last = hours.ordinal(frequency.moment("9999-12-31 23:59:59"))
    assert hours.text(last) == "9999-12-31 23:00:00"
    assert hours.text(last + 1) == "10000-01-01 00:00:00"
