"""Series one by one and as arrays: the same, however they are taken."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sagedock.algorithms.deepar.frequency import Frequency
from sagedock.algorithms.deepar.series import Series, SeriesList

HOURS = Frequency.parse("2H")


def several(lengths: list[int], future: int = 0) -> list[Series]:
    generator = np.random.default_rng(0)
    return [
        Series(
            HOURS,
            100 + number,
            generator.normal(size=length).astype(np.float32),
            np.array([number, number % 2], np.int32),
            generator.normal(size=(3, length + future)).astype(np.float32),
        )
        for number, length in enumerate(lengths)
    ]


def same(found: Series, expected: Series) -> bool:
    arrays = ("target", "cat", "dynamic_feat")
    equal = all(np.array_equal(getattr(found, name), getattr(expected, name)) for name in arrays)
    return equal and (found.start, found.frequency) == (expected.start, expected.frequency)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=8), st.integers(0, 3), st.data())
def test_parts_and_selections_hold_the_series_they_say(lengths: list[int], future: int, data: st.DataObject) -> None:
    expected = several(lengths, future)
    whole = SeriesList.of(expected, future)
    assert len(whole) == whole.rows == len(lengths)
    assert whole.lengths.tolist() == lengths
    begin = data.draw(st.integers(0, len(lengths)))
    end = data.draw(st.integers(begin, len(lengths) + 2))
    chosen = data.draw(st.lists(st.integers(0, len(lengths) - 1), min_size=1))
    for found, wanted in (
        (whole, expected),
        (whole.part(begin, end), expected[begin:end]),
        (whole.select(chosen), [expected[number] for number in chosen]),
        (whole.part(begin, end).part(0, 1), expected[begin:end][:1]),
    ):
        assert len(found) == len(wanted)
        assert all(map(same, found, wanted))


def test_a_forecast_begins_where_the_series_ends() -> None:
    (series,) = several([5])
    assert series.end == 100 + 5 * 2
    assert series.cut(3).end == 100 + 3 * 2
    assert series.cut(3).dynamic_feat.shape == (3, 5)
