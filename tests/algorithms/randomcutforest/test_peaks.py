"""Which rows the report shows: the highest, each anomaly once."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

from sagedock.algorithms.randomcutforest.peaks import Peaks, shingle_size


def peaks_of(scores: np.ndarray, most: int, apart: int, cuts: list[int]) -> Peaks:
    rows = np.arange(len(scores), dtype=np.float32)[:, None]
    peaks = Peaks(most, apart)
    for begin, end in zip([0, *cuts], [*cuts, len(scores)], strict=True):
        peaks.add(rows[begin:end], scores[begin:end])
    return peaks


@given(
    st.lists(st.floats(0, 10, width=32), min_size=1, max_size=60),
    st.integers(1, 5),
    st.integers(1, 8),
    st.lists(st.integers(0, 60), max_size=4),
)
def test_peaks_are_the_highest_rows_and_lie_apart(values: list[float], most: int, apart: int, cuts: list[int]) -> None:
    scores = np.array(values, np.float32)
    found = peaks_of(scores, most, apart, sorted(min(cut, len(values)) for cut in cuts)).found
    assert 1 <= len(found) <= most
    assert found[0].score == scores.max()
    assert [peak.score for peak in found] == sorted((peak.score for peak in found), reverse=True)
    for peak in found:
        assert peak.score == scores[peak.number]
        assert peak.row[0] == peak.number
    numbers = sorted(peak.number for peak in found)
    assert all(after - before >= apart for before, after in pairwise(numbers))


def test_without_distance_they_are_the_top_whatever_the_parts() -> None:
    scores = np.random.default_rng(0).permutation(1000).astype(np.float32)
    for cuts in ([], [1, 500, 999], list(range(1, 1000, 7))):
        assert [peak.score for peak in peaks_of(scores, 10, 1, cuts).found] == list(range(999, 989, -1))


def test_shingles_are_told_from_rows() -> None:
    series = np.random.default_rng(1).normal(size=100).astype(np.float32)
    windows = sliding_window_view(series, 12)
    assert shingle_size(windows) == 12
    assert shingle_size(windows[::2]) == 1
    assert shingle_size(series[:, None]) == 1
    assert shingle_size(np.random.default_rng(2).normal(size=(50, 3)).astype(np.float32)) == 1
    assert shingle_size(windows[:1]) == 1
