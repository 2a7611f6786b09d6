"""Shingles: the last points of a series side by side, as one row of the forest.

The row of a point holds it and the size - 1 points before it, the oldest first, each with all of its columns. Points
that have too few before them share the row of the first that has enough, which they are part of: so every point of a
series has a score, and no score needs points that a series lacks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, groupby

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from sagedock.errors import UserError
from sagedock.formats.table import Floats, Part, RecordIdentity, Table

_BLOCK = 1 << 22  # numbers of shingles that are made at once, many times those of their points


def shingled(points: Floats, size: int) -> Floats:
    """(rows - size + 1, size * columns) the shingles of points (rows, columns), none when there are fewer than size."""
    if size == 1:
        return points
    if len(points) < size:
        return np.empty((0, size * points.shape[1]), np.float32)
    windows = sliding_window_view(points, size, axis=0)  # (rows - size + 1, columns, size)
    return np.ascontiguousarray(windows.transpose(0, 2, 1)).reshape(len(windows), -1)


class Shingler:
    """Shingles of points that come by in pieces: the last of one piece go on in the next."""

    def __init__(self, size: int, columns: int) -> None:
        self.size = size
        self._last = np.empty((0, columns), np.float32)

    @property
    def last(self) -> Floats:
        """The points, at most size - 1, that the next shingles begin with."""
        return self._last

    def add(self, points: Floats) -> Floats:
        """The shingles that end in these points."""
        joined = np.concatenate([self._last, points])
        self._last = joined[max(0, len(joined) - self.size + 1) :].copy()
        return shingled(joined, self.size)


@dataclass(frozen=True)
class Series:
    """Points of one series in order (rows, columns), those from `begin` up to `end` to be answered."""

    points: Floats
    size: int
    begin: int
    end: int
    identities: Sequence[RecordIdentity] | None = None

    @classmethod
    def of(cls, table: Table, size: int) -> Series:
        """The series that the rows of a request are; raises UserError when they are fewer than a shingle."""
        if table.rows < size:
            raise UserError(
                f"got a series of {table.rows} points, and the model scores them by shingles of {size}: send {size} "
                "points of one series or more, in order",
            )
        return cls(table.dense, size, 0, table.rows, table.identities)

    @property
    def rows(self) -> int:
        return self.end - self.begin

    def part(self, begin: int, end: int) -> Series:
        """The points from `begin` up to `end`, with what comes before them."""
        return replace(
            self,
            begin=self.begin + begin,
            end=min(self.begin + end, self.end),
            identities=None if self.identities is None else self.identities[begin:end],
        )

    def answered(self, answer: Callable[[Floats], Floats]) -> Floats:
        """What `answer` makes of the shingle of each point, some shingles at a time: (rows, ...)."""
        ends = np.maximum(np.arange(self.begin, self.end), self.size - 1)
        answers = np.concatenate([answer(shingles) for shingles in self._blocks(int(ends[0]), int(ends[-1]) + 1)])
        spread: Floats = answers[ends - ends[0]]
        return spread

    def _blocks(self, first: int, last: int) -> Iterator[Floats]:
        """The shingles that end in the points from `first` up to `last`."""
        rows = max(1, _BLOCK // (self.size * self.points.shape[1]))
        for begin in range(first, last, rows):
            yield shingled(self.points[begin - self.size + 1 : min(begin + rows, last)], self.size)


def lag_names(names: Sequence[str], size: int) -> list[str]:
    """What the columns of a shingle are called, given those of a point."""
    lags = [f"{lag} before" for lag in range(size - 1, 0, -1)]
    return [*(f"{name}, {lag}" for lag in lags for name in names), *names]


def shingled_parts(parts: Iterable[Part], size: int) -> Iterator[Part]:
    """Parts of series, one for each source, with the shingle of each point in its place.

    Raises UserError for a source of fewer points than a shingle.
    """
    return iter(parts) if size == 1 else chain.from_iterable(map(partial(_one_series, size), _by_source(parts)))


def _by_source(parts: Iterable[Part]) -> Iterator[Iterator[Part]]:
    return (group for _, group in groupby(parts, key=lambda part: part.source))


def _one_series(size: int, parts: Iterator[Part]) -> Iterator[Part]:
    begin = _begun(size, parts)
    shingler = Shingler(size, begin.table.columns)
    shingles = shingler.add(begin.table.dense)
    first = np.repeat(shingles[:1], size - 1, axis=0)
    yield _replaced(begin, np.concatenate([first, shingles]))
    for part in parts:
        yield _replaced(part, shingler.add(part.table.dense))


def _begun(size: int, parts: Iterator[Part]) -> Part:
    """The first parts of a series as one, long enough for a shingle."""
    found = next(parts)
    while found.table.rows < size:
        more = next(parts, None)
        if more is None:
            raise UserError(
                f"{found.source}: a series of {found.table.rows} points is shorter than a shingle of {size} points "
                "(_shingle_size): give a longer one, or leave it out",
                field="_shingle_size",
            )
        found = replace(found, table=_joined(found.table, more.table))
    return found


def _joined(first: Table, second: Table) -> Table:
    labels = [table.labels for table in (first, second) if table.labels is not None]
    features = np.concatenate([first.dense, second.dense])
    return Table(features, labels=np.concatenate(labels) if labels else None)


def _replaced(part: Part, rows: Floats) -> Part:
    return replace(part, table=replace(part.table, features=rows))
