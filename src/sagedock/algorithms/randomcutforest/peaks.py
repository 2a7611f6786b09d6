"""The highest scores among rows that come by in parts, each peak once however many of its neighbours are high too."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from sagedock.formats.table import Floats


@dataclass(frozen=True)
class Peak:
    """A row (columns,), or what is known of it in its place, by its number, counted from 0, and its score."""

    number: int
    score: float
    row: Floats


@dataclass
class Peaks:
    """The `most` highest rows that lie at least `apart` rows from a higher one.

    Neighbouring shingles hold the same points: an anomaly lifts the scores of as many rows as a shingle is long.
    """

    most: int
    apart: int = 1
    found: list[Peak] = field(default_factory=list)
    _begin: int = 0

    def add(self, rows: Floats, scores: Floats) -> None:
        """The next rows (rows, columns) and their scores (rows,)."""
        left = scores.astype(np.float64)
        peaks = list(self.found)
        for _ in range(min(self.most, len(left))):
            at = int(left.argmax())
            if not np.isfinite(left[at]):
                break
            peaks.append(Peak(self._begin + at, float(scores[at]), rows[at].copy()))
            left[max(0, at - self.apart + 1) : at + self.apart] = -np.inf
        self._begin += len(scores)
        self.found = self._highest(peaks)

    def _highest(self, peaks: list[Peak]) -> list[Peak]:
        kept: list[Peak] = []
        for peak in sorted(peaks, key=lambda peak: (-peak.score, peak.number)):
            if all(abs(peak.number - other.number) >= self.apart for other in kept):
                kept.append(peak)
        return kept[: self.most]


def shingle_size(rows: Floats) -> int:
    """The columns of rows (rows, columns) that are shingles, each the one before moved on by a point; else 1."""
    moved = rows.shape[1] > 1 and len(rows) > 2 and np.array_equal(rows[1:, :-1], rows[:-1, 1:])
    return rows.shape[1] if moved else 1
