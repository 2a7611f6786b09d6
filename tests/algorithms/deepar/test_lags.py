"""Lags: the specification's table (deepar, section 6.4), and what holds for any frequency."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagedock.algorithms.deepar.frequency import UNITS, Frequency
from sagedock.algorithms.deepar.lags import LONGEST, lags

TABLE = {
    "M": (16, "1-7, 11-13, 23-25, 35-37"),
    "W": (18, "1-8, 12, 51-53, 103-105, 155-157"),
    "D": (30, "1-8, 13-15, 20-22, 27-31, 56, 84, 363-365, 727-729, 1091-1093"),
    "H": (
        40,
        "1-7, 23-25, 47-49, 71-73, 95-97, 119-121, 143-145, 167-169, 335-337, 503-505, 671-673, 719-721",
    ),
    "2H": (
        42,
        "1-7, 11-13, 23-25, 35-37, 47-49, 59-61, 71-73, 83-85, 167-169, 251-253, 335-337, 359-361, 672, 1008",
    ),
    "min": (22, "1-7, 58-62, 118-122, 178-182"),
    "5min": (34, "1-7, 10-14, 22-26, 34-38, 287-289, 575-577, 863-865, 1151-1153"),
    "10min": (
        39,
        "1-8, 10-14, 16-20, 143-145, 287-289, 431-433, 575-577, 719-721, 863-865, 1007-1009",
    ),
    "15min": (35, "1-14, 95-97, 191-193, 287-289, 383-385, 479-481, 575-577, 671-673"),
    "30min": (35, "1-8, 47-49, 95-97, 143-145, 191-193, 239-241, 287-289, 335-337, 671-673, 1007-1009"),
}


def numbers(text: str) -> list[int]:
    spans = [[int(end) for end in span.split("-")] for span in text.split(", ")]
    return [number for span in spans for number in range(span[0], span[-1] + 1)]


@pytest.mark.parametrize("text", TABLE)
def test_the_lags_of_a_frequency_are_those_of_the_table(text: str) -> None:
    count, listed = TABLE[text]
    found = lags(Frequency.parse(text))
    assert list(found) == numbers(listed)
    assert len(found) == count


@given(st.integers(1, 999_999), st.sampled_from(UNITS))
def test_lags_ascend_from_one_to_the_longest(multiple: int, unit: str) -> None:
    found = lags(Frequency(multiple, unit))
    assert found[:7] == (1, 2, 3, 4, 5, 6, 7)
    assert sorted(set(found)) == list(found)
    assert found[-1] <= LONGEST
