"""Numbered words counted by document: the step that texts to learn from and texts to ask about have in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sagedock.topics.documents import Documents
from sagedock.topics.tokens import ENDED

_WORD_BITS = 32
_AT_ONCE = 1 << 22


@dataclass(frozen=True)
class Counted:
    """Documents one after the other; `words` ascend within one and do not repeat."""

    lengths: NDArray[np.int64]
    """(documents,) how many different words each has."""
    words: NDArray[np.int32]
    counts: NDArray[np.float32]

    @property
    def starts(self) -> NDArray[np.int64]:
        """(documents + 1,): where each begins in `words`."""
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(self.lengths)])

    def of_size(self, vocabulary_size: int) -> Documents:
        """The same with the vocabulary's size."""
        return Documents(self.starts, self.words, self.counts, vocabulary_size)

    def renumbered(self, final: NDArray[np.int32]) -> Counted:
        """With the words `final[word]`, different ones for different words, without those below 0."""
        parts = [self._renumbered(begin, end, final) for begin, end in self._pieces()]
        return joined(parts)

    def at_least(self, tokens: int) -> tuple[Counted, NDArray[np.bool_]]:
        """The documents of so many tokens, and which those are."""
        sums = np.concatenate([np.zeros(1), np.cumsum(self.counts, dtype=np.float64)])
        kept = np.diff(sums[self.starts]) >= tokens
        entries = np.repeat(kept, self.lengths)
        return Counted(self.lengths[kept], self.words[entries], self.counts[entries]), kept

    def _pieces(self) -> Iterator[tuple[int, int]]:
        """Documents of moderate size together, each from one up to another; one piece at least."""
        starts, begin = self.starts, 0
        while True:
            end = max(begin + 1, int(np.searchsorted(starts, starts[begin] + _AT_ONCE)))
            yield begin, min(end, len(self.lengths))
            if end >= len(self.lengths):
                return
            begin = end

    def _renumbered(self, begin: int, end: int, final: NDArray[np.int32]) -> Counted:
        lengths, starts = self.lengths[begin:end], self.starts
        entries = slice(starts[begin], starts[min(end, len(starts) - 1)])
        words = final[self.words[entries]]
        kept = words >= 0
        document = np.repeat(np.arange(len(lengths)), lengths)[kept]
        cells = document << _WORD_BITS | words[kept]
        order = np.argsort(cells, kind="stable")
        found = np.bincount(document, minlength=len(lengths))
        return Counted(found, words[kept][order], self.counts[entries][kept][order])


def counted(numbers: NDArray[np.int64]) -> Counted:
    """The documents of a block, given its words by number and ENDED behind each document."""
    ended = numbers == ENDED
    document = np.cumsum(ended) - ended
    kept = numbers >= 0
    cells = document[kept] << _WORD_BITS | numbers[kept]
    cells.sort()
    first = np.flatnonzero(np.diff(cells, prepend=-1))
    counts = np.diff(first, append=len(cells)).astype(np.float32)
    cells = cells[first]
    lengths = np.bincount(cells >> _WORD_BITS, minlength=int(ended.sum()))
    return Counted(lengths, (cells & ((1 << _WORD_BITS) - 1)).astype(np.int32), counts)


def joined(parts: Iterable[Counted]) -> Counted:
    """The documents of all parts in order."""
    found = list(parts)
    return Counted(
        np.concatenate([np.zeros(0, np.int64), *(part.lengths for part in found)]),
        np.concatenate([np.zeros(0, np.int32), *(part.words for part in found)]),
        np.concatenate([np.zeros(0, np.float32), *(part.counts for part in found)]),
    )
