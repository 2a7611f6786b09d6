"""Shingles of a series: what each holds, in one piece or many, and what the first points get."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagedock.algorithms.randomcutforest import shingles
from sagedock.algorithms.randomcutforest.forest import build
from sagedock.algorithms.randomcutforest.shingles import Series, Shingler, shingled, shingled_parts
from sagedock.errors import UserError
from sagedock.formats.table import Part, RecordIdentity, Table


def points(rows: int, columns: int) -> Any:
    return np.arange(rows * columns, dtype=np.float32).reshape(rows, columns)


def test_a_shingle_holds_its_point_and_those_before_it_the_oldest_first() -> None:
    assert shingled(points(4, 2), 3).tolist() == [[0, 1, 2, 3, 4, 5], [2, 3, 4, 5, 6, 7]]
    assert shingled(points(4, 2), 1).tolist() == points(4, 2).tolist()
    assert shingled(points(2, 3), 3).shape == (0, 9)


@given(st.integers(0, 30), st.integers(1, 3), st.integers(1, 8), st.lists(st.integers(0, 6)))
def test_pieces_make_the_shingles_of_the_whole(rows, columns, size, lengths):
    series, shingler, found = points(rows, columns), Shingler(size, columns), []
    for length in [*lengths, rows]:
        found.append(shingler.add(series[:length]))
        series = series[length:]
    assert np.concatenate(found).tolist() == shingled(points(rows, columns), size).tolist()
    assert shingler.last.tolist() == points(rows, columns)[max(0, rows - size + 1) :].tolist()


@given(st.integers(1, 8), st.integers(0, 30), st.integers(1, 3), st.lists(st.integers(0, 40), max_size=5))
def test_every_point_is_answered_by_its_shingle_and_the_first_ones_by_the_first(size, more, columns, cuts):
    rows = size + more
    series = Series.of(Table(points(rows, columns)), size)
    whole = series.answered(lambda shingles: shingles[:, -1])
    assert whole.tolist() == [points(rows, columns)[max(row, size - 1), -1] for row in range(rows)]
    edges = sorted({0, rows, *(cut for cut in cuts if cut < rows)})
    parts = [series.part(begin, end) for begin, end in pairwise(edges)]
    assert [part.rows for part in parts] == np.diff(edges).tolist()
    assert np.concatenate([part.answered(lambda each: each[:, -1]) for part in parts]).tolist() == whole.tolist()


def test_many_shingles_are_answered_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    forest = build(np.random.default_rng(0).normal(size=(4, 8, 6)).astype(np.float32), 1)
    series = Series.of(Table(np.random.default_rng(1).normal(size=(100, 2)).astype(np.float32)), 3)
    whole = series.answered(forest.scores)
    sizes = []
    monkeypatch.setattr(shingles, "_BLOCK", 60)
    assert series.answered(lambda each: [sizes.append(len(each)), forest.scores(each)][1]).tolist() == whole.tolist()
    assert sizes == [10] * 9 + [8]


def test_a_part_of_a_part_knows_what_came_before_it() -> None:
    identities = [RecordIdentity(uid=str(row)) for row in range(10)]
    series = Series.of(Table(points(10, 1), identities=identities), 4)
    part = series.part(3, 8).part(2, 99)
    assert part.answered(lambda shingles: shingles[:, 0]).tolist() == [2, 3, 4]
    assert [identity.uid for identity in part.identities or ()] == ["5", "6", "7"]


def test_a_series_shorter_than_a_shingle_is_refused() -> None:
    with pytest.raises(UserError, match=r"got a series of 3 points, .* shingles of 4: send 4 points"):
        Series.of(Table(points(3, 2)), 4)


def parts(*lengths: tuple[str, int]) -> list[Part]:
    """Parts of sources, of so many points each; labels are the numbers of points in the source."""
    made: list[Part] = []
    seen: dict[str, int] = {}
    for source, rows in lengths:
        begin = seen.get(source, 0)
        features = np.arange(begin, begin + rows, dtype=np.float32)[:, None]
        made.append(Part(Table(features, labels=features[:, 0]), source, "line", begin + 1))
        seen[source] = begin + rows
    return made


def test_parts_of_each_source_are_a_series_of_their_own() -> None:
    given = parts(("a", 1), ("a", 1), ("a", 2), ("a", 1), ("b", 4))
    found = list(shingled_parts(given, 3))
    rows = [row for part in found for row in part.table.dense.tolist()]
    of_a = [[0, 1, 2], [0, 1, 2], [0, 1, 2], [1, 2, 3], [2, 3, 4]]
    assert rows == [*of_a, [0, 1, 2], [0, 1, 2], [0, 1, 2], [1, 2, 3]]
    assert np.concatenate([part.table.labels for part in found]).tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 3]
    assert list(shingled_parts(given, 1)) == given


def test_a_source_shorter_than_a_shingle_is_named() -> None:
    with pytest.raises(UserError, match="b: a series of 2 points is shorter than a shingle of 3"):
        list(shingled_parts(parts(("a", 3), ("b", 2)), 3))
