"""The cut-off on scores, chosen so that rows like the training data exceed it at a given rate.

Rows that a forest was built of have other scores than new ones. So the sample is cut into FOLDS, and the rows of
each are scored by a forest built, with as many samples in a tree, of the others. Of n such scores the cut-off is number
(n + 1) (1 - rate) from the lowest, rounded up: a new row exceeds it with a probability of at most `rate`, as far as it
comes from where the sample comes from and the forests are alike (conformal prediction, Vovk et al., 2005).

Neighbouring shingles of a series hold the same points. Of these the folds are blocks of time, and forests know no
shingle that shares a point with those they score.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.randomcutforest.detector import Scorer
from sagedock.algorithms.randomcutforest.trees import Floats
from sagedock.errors import UserError

FOLDS = 10
NAME = "_false_alarm_rate"
_MANY = 1e12  # more rows than anybody counts one by one

Folds = Iterator[tuple[NDArray[np.bool_], NDArray[np.bool_]]]
"""Which rows are scored, and which a forest may know."""


@dataclass(frozen=True)
class Decision:
    """A cut-off, above which a score is an alarm, and the scores that it was chosen by (rows,), lowest first."""

    cut_off: float
    false_alarm_rate: float
    scores: Floats

    def described(self) -> dict[str, Any]:
        """What the manifest says of it."""
        return {
            "cut_off": self.cut_off,
            "false_alarm_rate": self.false_alarm_rate,
            "chosen_on": "training rows, scored by forests that do not know them",
            "rows": len(self.scores),
        }


def choose(rate: float, rows: Floats, folds: Folds, build: Callable[[Floats], Scorer], threads: int) -> Decision:
    """The cut-off for rows like these; `build` makes a forest of some of them.

    Raises UserError for shingles that no fold can do without.
    """
    scores = np.empty(len(rows), np.float32)
    for held_out, known in folds:
        if not known.any():
            raise UserError(
                f"no cut-off can be chosen by {len(rows)} shingles that share points with one another: give a longer "
                f"series, or leave {NAME} out",
                field=NAME,
            )
        scores[held_out] = build(rows[known]).scores(rows[held_out], threads)
    scores.sort()
    return Decision(float(scores[_rank(rate, len(scores)) - 1]), rate, scores)


def require_rows(rate: float, rows: int, *, at_most: bool = False) -> None:
    """Raise UserError when no score of so many rows, or `at_most` so many, is exceeded as rarely as `rate` asks."""
    if _rank(rate, rows) > rows:
        needed = 1 / rate - 1
        told = f"{math.ceil(needed - 1e-9)}" if needed < _MANY else f"{needed:.0e}"
        held, more = (f"{rows} at most", "") if at_most else (f"{rows}", ", or give more rows")
        raise UserError(
            f"{NAME} {rate:g} needs {told} sampled rows or more, and there are {held}: ask for a higher rate, or raise "
            f"num_trees or num_samples_per_tree{more}",
            field=NAME,
        )


def _rank(rate: float, rows: int) -> int:
    return math.ceil((rows + 1) * (1 - rate) - 1e-9)


def shuffled_folds(rows: int, seed: int) -> Folds:
    """Each row in one fold, whatever its place."""
    fold = np.random.default_rng([seed, 5]).permutation(rows) * FOLDS // rows
    for number in np.unique(fold):
        yield fold == number, fold != number


def blocked_folds(numbers: NDArray[np.int64], apart: int) -> Folds:
    """Each row in one block of rows that come one after the other by `numbers`; rows less than `apart` from a block are
    not known to its forest.
    """
    order = np.argsort(numbers, kind="stable")
    fold = np.empty(len(numbers), np.int64)
    fold[order] = np.arange(len(numbers)) * FOLDS // len(numbers)
    for number in np.unique(fold):
        block = fold == number
        first, last = numbers[block].min(), numbers[block].max()
        yield block, (numbers <= first - apart) | (numbers >= last + apart)
