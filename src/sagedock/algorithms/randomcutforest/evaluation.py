"""The test channel: scores of labelled rows, cut three standard deviations above their mean (developer guide, RCF)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.randomcutforest.peaks import Peak, Peaks, shingle_size
from sagedock.errors import UserError
from sagedock.formats.rows import first_missing
from sagedock.formats.table import Floats, Part

Scores = tuple[Floats, Floats | None]
DEVIATIONS = 3
SHOWN = 10
"""The highest rows, which the report explains."""


@dataclass(frozen=True)
class Evaluation:
    """Rows of the test channel by what they are and by what they were taken for; `cut_off` is a score."""

    cut_off: float
    mean: float
    deviation: float
    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int

    @property
    def rows(self) -> int:
        return self.true_positives + self.false_positives + self.false_negatives + self.true_negatives

    def figures(self) -> Mapping[str, float]:
        """accuracy, precision, recall and f1; a ratio of nothing to nothing is 0."""
        right, flagged = self.true_positives, self.true_positives + self.false_positives
        anomalies = right + self.false_negatives
        return {
            "accuracy": (right + self.true_negatives) / self.rows,
            "f1": 2 * right / (flagged + anomalies) if flagged + anomalies else 0.0,
            "precision": right / flagged if flagged else 0.0,
            "recall": right / anomalies if anomalies else 0.0,
        }


def three_sigma(scores: NDArray[np.float32]) -> tuple[float, float, float]:
    """The cut-off of scores, above which a row counts as anomalous, their mean and their (population) deviation."""
    mean, deviation = float(scores.mean(dtype=np.float64)), float(scores.std(dtype=np.float64))
    return mean + DEVIATIONS * deviation, mean, deviation


def evaluate(scores: NDArray[np.float32], labels: NDArray[np.float32]) -> Evaluation:
    """What the cut-off on `scores` makes of rows whose labels are 1 for an anomaly and 0 for a normal row."""
    cut_off, mean, deviation = three_sigma(scores)
    flagged, anomalous = scores > cut_off, labels == 1
    return Evaluation(
        cut_off=cut_off,
        mean=mean,
        deviation=deviation,
        true_positives=int((flagged & anomalous).sum()),
        false_positives=int((flagged & ~anomalous).sum()),
        false_negatives=int((~flagged & anomalous).sum()),
        true_negatives=int((~flagged & ~anomalous).sum()),
    )


@dataclass(frozen=True)
class ScoredRows:
    """Rows in order: scores and labels (rows,), the values of their last column (rows,), and the highest of them.

    These hold what each column adds to the score in the place of the row, where that was told with the score.
    """

    scores: Floats
    labels: Floats
    newest: Floats
    peaks: Sequence[Peak]


def scored(score: Callable[[Part], Scores], parts: Iterable[Part], size: int = 1) -> ScoredRows:
    """Score every row of the test channel, in order; `size` points make a row, and peaks lie as far from one another.

    `score` gives the scores of a part (rows,) and, if it likes, what each column adds to them (rows, columns).
    Raises UserError naming the row whose label is none of 0 and 1, or that lacks a value.
    """
    scores: list[Floats] = []
    labels: list[Floats] = []
    newest: list[Floats] = []
    peaks = Peaks(SHOWN, size)
    source = None
    for part in parts:
        require_values(part)
        rows = part.table.dense
        peaks.apart = max(peaks.apart, shingle_size(rows))
        labels.append(_labels(part))
        found, shares = score(part)
        scores.append(found)
        newest.append(_newest(rows, 1 if part.source == source else size))
        source = part.source
        peaks.add(rows if shares is None else shares, found)
    if not scores:
        raise UserError("the test channel holds no rows: give it some, or leave it out", field="test")
    return ScoredRows(np.concatenate(scores), np.concatenate(labels), np.concatenate(newest), peaks.found)


def _newest(rows: Floats, size: int) -> Floats:
    """(rows,) the last column of the points of rows, of which the first `size` share a row that holds them all."""
    first = rows[0].reshape(size, -1)[:-1, -1]
    return np.concatenate([first, rows[size - 1 :, -1]])


def require_values(part: Part) -> None:
    """Raise UserError naming the place of the first value that is missing: a forest cannot measure a distance to it."""
    missing = first_missing(part.table.dense)
    if missing is not None:
        row, column = missing
        raise UserError(
            f"{part.place(row - 1, column - 1)}: the value is missing (empty or NaN), and a random cut forest needs "
            "every one: fill it in, or leave the row out",
            field=f"column {column}",
        )


def _labels(part: Part) -> Floats:
    labels = part.table.labels
    if labels is None:
        raise UserError(
            f"{part.source}: the rows of the test channel have no labels: put 1 (anomaly) or 0 (normal) first in each "
            "row of text/csv;label_size=1, or under label in each record, or leave the channel out",
            field="label",
        )
    wrong = np.flatnonzero((labels != 0) & (labels != 1))
    if len(wrong):
        row = int(wrong[0])
        raise UserError(
            f"{part.place(row)}: label {labels[row]:g} is neither 0 (normal) nor 1 (anomaly): the label comes first in "
            "each row of the test channel",
            field="label",
        )
    return labels
