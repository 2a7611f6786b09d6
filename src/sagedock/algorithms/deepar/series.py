"""Series in memory: one, and many of them as a few arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.deepar.frequency import Frequency

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Series:
    """One series. `start` is the period of its first point, `target` (T,) has NaN where a value is missing.

    `cat` (C,) are its categories from 0. `dynamic_feat` (F, T + future) has, at inference, the values of the points to
    be forecast too.
    """

    frequency: Frequency
    start: int
    target: Floats
    cat: NDArray[np.int32]
    dynamic_feat: Floats

    def __len__(self) -> int:
        return len(self.target)

    @property
    def end(self) -> int:
        """The period that follows its last point, where its forecast begins."""
        return self.start + self.frequency.multiple * len(self.target)

    def cut(self, length: int) -> Series:
        """The first `length` points, with all of dynamic_feat: what follows them is the future then."""
        return Series(self.frequency, self.start, self.target[:length], self.cat, self.dynamic_feat)


@dataclass(frozen=True)
class SeriesList(Sequence[Series]):
    """N series as arrays, one after another; satisfies `sagedock.algorithm.Records`.

    `starts` (N,); `ends` (N + 1,) where in `target` (points,) each begins, and the last one ends; `cat` (N, C);
    `dynamic_feat` (points + N * future, F), each series followed by `future` points to be forecast.
    """

    frequency: Frequency
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    target: Floats
    cat: NDArray[np.int32]
    dynamic_feat: Floats
    future: int = 0

    @classmethod
    def of(cls, series: Sequence[Series], future: int = 0) -> SeriesList:
        """At least one series, all of one frequency and of as many categories and features."""
        first = series[0]
        return cls(
            first.frequency,
            np.asarray([each.start for each in series], np.int64),
            np.cumsum([0, *(len(each) for each in series)], dtype=np.int64),
            np.concatenate([each.target for each in series]),
            np.stack([each.cat for each in series]),
            np.concatenate([each.dynamic_feat.T for each in series]),
            future,
        )

    @property
    def rows(self) -> int:
        """How many series there are."""
        return len(self.starts)

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, number: int) -> Series:  # type: ignore[override] # slices are taken by `part`
        number = range(len(self))[number]
        begin, end = self.ends[number], self.ends[number + 1]
        before, behind = number * self.future, (number + 1) * self.future
        return Series(
            self.frequency,
            int(self.starts[number]),
            self.target[begin:end],
            self.cat[number],
            self.dynamic_feat[begin + before : end + behind].T,
        )

    def __iter__(self) -> Iterator[Series]:
        return (self[number] for number in range(len(self)))

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(N,) points of each."""
        return np.diff(self.ends)

    def part(self, begin: int, end: int) -> SeriesList:
        """Those from `begin` up to `end`, without copies of numbers."""
        end = min(end, len(self))
        first, last = self.ends[begin], self.ends[end]
        return SeriesList(
            self.frequency,
            self.starts[begin:end],
            self.ends[begin : end + 1] - first,
            self.target[first:last],
            self.cat[begin:end],
            self.dynamic_feat[first + begin * self.future : last + end * self.future],
            self.future,
        )

    def select(self, numbers: Sequence[int]) -> SeriesList:
        """The series of these numbers, at least one, copied."""
        return SeriesList.of([self[number] for number in numbers], self.future)
