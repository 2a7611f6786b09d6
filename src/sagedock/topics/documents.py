"""Documents as sparse counts of words: what a channel or a request holds, and all that a topic model sees of a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]
Starts = NDArray[np.int64]

MOST = 2**24
"""The highest count: up to here every whole number is a 32-bit float."""


@dataclass(frozen=True)
class Documents:
    """Document d holds `counts[i]` times the word `words[i]`, for i from `starts[d]` up to `starts[d + 1]`.

    `words` are below `vocabulary_size`, ascend within a document and do not repeat; `counts` are whole numbers from 1.
    A document may be empty.
    """

    starts: Starts
    words: Ints
    counts: Floats
    vocabulary_size: int

    @classmethod
    def of_dense(cls, matrix: Floats) -> Documents:
        """Those whose counts are the rows of `matrix` (documents, vocabulary_size)."""
        rows, columns = matrix.shape
        places = np.flatnonzero(matrix)
        starts = np.searchsorted(places, np.arange(rows + 1, dtype=np.int64) * columns)
        words = (places % columns).astype(np.int32) if rows > 1 else places.astype(np.int32)
        return cls(starts.astype(np.int64), words, matrix.ravel()[places], columns)

    @classmethod
    def of_rows(cls, rows: Sequence[tuple[Any, Any]], vocabulary_size: int) -> Documents:
        """Those of (words, counts) in any order, a word that is named twice counting twice and zeros not at all."""
        settled = [_settled(np.asarray(words, np.int64), np.asarray(counts, np.float32)) for words, counts in rows]
        starts = np.zeros(len(rows) + 1, np.int64)
        np.cumsum([len(words) for words, _ in settled], out=starts[1:])
        if not settled:
            return cls(starts, np.empty(0, np.int32), np.empty(0, np.float32), vocabulary_size)
        words = np.concatenate([words for words, _ in settled]).astype(np.int32)
        return cls(starts, words, np.concatenate([counts for _, counts in settled]), vocabulary_size)

    @classmethod
    def joined(cls, parts: Sequence[Documents]) -> Documents:
        """All documents of `parts`, of which there is one at least, in their order."""
        starts = np.zeros(sum(part.rows for part in parts) + 1, np.int64)
        np.cumsum(np.concatenate([np.diff(part.starts) for part in parts]), out=starts[1:])
        words = np.concatenate([part.words for part in parts])
        return cls(starts, words, np.concatenate([part.counts for part in parts]), parts[0].vocabulary_size)

    @property
    def rows(self) -> int:
        """How many documents there are."""
        return len(self.starts) - 1

    @cached_property
    def lengths(self) -> Floats:
        """(rows,) tokens of each document; 0 for an empty one."""
        sums = np.zeros(len(self.counts) + 1)
        np.cumsum(self.counts, dtype=np.float64, out=sums[1:])
        return np.diff(sums[self.starts]).astype(np.float32)

    @property
    def tokens(self) -> int:
        """Tokens of all documents."""
        return int(self.counts.sum(dtype=np.float64))

    def part(self, begin: int, end: int) -> Documents:
        """Those from `begin` (counted from 0) up to `end`, which may lie behind the last; views, no copies."""
        starts = self.starts[begin : min(end, self.rows) + 1]
        entries = slice(starts[0], starts[-1])
        return Documents(starts - starts[0], self.words[entries], self.counts[entries], self.vocabulary_size)

    def take(self, rows: NDArray[Any]) -> Documents:
        """Those at the places `rows`, counted from 0, in that order; copies."""
        begins, sizes = self.starts[:-1][rows], np.diff(self.starts)[rows]
        starts = np.zeros(len(rows) + 1, np.int64)
        np.cumsum(sizes, out=starts[1:])
        entries = np.arange(starts[-1]) + np.repeat(begins - starts[:-1], sizes)
        return Documents(starts, self.words[entries], self.counts[entries], self.vocabulary_size)

    def dense(self) -> Floats:
        """(rows, vocabulary_size): for some documents at a time, and for tests."""
        matrix = np.zeros((self.rows, self.vocabulary_size), np.float32)
        matrix[np.repeat(np.arange(self.rows), np.diff(self.starts)), self.words] = self.counts
        return matrix


def _settled(words: NDArray[np.int64], counts: Floats) -> tuple[NDArray[np.int64], Floats]:
    """The same words in ascending order, each once, without those that do not occur."""
    if len(words) and not (words[1:] > words[:-1]).all():
        words, places = np.unique(words, return_inverse=True)
        counts = np.bincount(places, counts, len(words)).astype(np.float32)
    if not counts.all():
        words, counts = words[counts != 0], counts[counts != 0]
    return words, counts
