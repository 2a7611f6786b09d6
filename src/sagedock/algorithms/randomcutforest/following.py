"""The test channel of a forest that goes on learning: each of its points is scored, then learnt, in order."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sagedock.algorithms.randomcutforest.detector import Detector
from sagedock.algorithms.randomcutforest.stream import Stream
from sagedock.algorithms.randomcutforest.trees import Floats
from sagedock.formats.table import Part


class Following:
    """A stream behind the rows of `detector`, and the `last` points (points, columns) that its series ends with.

    `begin` gives the stream of the train channel, which `last` is the end of at first.
    """

    def __init__(self, detector: Detector, begin: Callable[[], Stream], last: Floats) -> None:
        self._detector = detector
        self._begin = begin
        self._at_first = last
        self.forget()

    def forget(self) -> None:
        """Be as before anything was followed."""
        self.stream, self.last = self._begin(), self._at_first
        self._source: str | None = None

    def scores(self, part: Part) -> tuple[Floats, Floats]:
        """(rows,) the score of each row before it is learnt, and what each column adds to it (rows, columns).

        Parts are those of `sagedock.algorithms.randomcutforest.shingles.shingled_parts`: the first points of a source
        share the row of the first whole shingle, which is learnt once.
        """
        rows, size = part.table.dense, self._detector.shingle_size
        shared = size - 1 if part.source != self._source else 0
        own = self._detector.weighed(rows[shared:])
        shares = np.empty(own.shape, np.float32)
        scores = self.stream.follow(own, shares)
        self._source, self.last = part.source, rows[-1].reshape(size, -1)[1:].copy()
        spread = np.concatenate([np.zeros(shared, np.intp), np.arange(len(own))])
        return scores[spread], shares[spread]
