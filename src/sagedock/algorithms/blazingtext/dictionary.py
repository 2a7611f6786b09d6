"""The dictionary of a model: its words and labels in order, and which rows of the input matrix a text has.

Rows and ids are fastText's (blazingtext.md section 7.1). Row i is word i's; the n-grams' buckets follow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from sagedock import core, text_core
from sagedock.algorithms.blazingtext import ngrams as hashing
from sagedock.algorithms.blazingtext.ngrams import END_OF_LINE, Ngrams

LABEL_PREFIX = b"__label__"
_NUL_TO_SPACE = bytes.maketrans(b"\0", b" ")


def tokens_of(line: bytes) -> list[bytes]:
    """The tokens of a line: what stands between spaces, tabs, carriage returns, form feeds, NULs and the like."""
    return line.translate(_NUL_TO_SPACE).split()


@dataclass(frozen=True)
class Dictionary:
    """Words and labels, each by descending count."""

    words: Sequence[bytes]
    labels: Sequence[bytes]
    """With their prefix."""
    counts: NDArray[np.int64]
    """(words + labels,): how often each was read, the words' first."""
    tokens: int
    """How many tokens were read in all, those that are too rare, labels and ends of lines among them."""
    ngrams: Ngrams = field(default_factory=Ngrams)
    label_prefix: bytes = LABEL_PREFIX
    kept: Mapping[int, int] | None = None
    """Of a pruned model: which buckets there are, and their places behind the words. None where all are there."""

    def __post_init__(self) -> None:
        """Raises ValueError where the parts do not fit, which those of a model file need not."""
        if len(self.counts) != len(self.words) + len(self.labels):
            raise ValueError("as many counts as words and labels")
        places = {} if self.kept is None else self.kept
        if any(not 0 <= place < len(places) for place in places.values()):
            raise ValueError("a bucket's place lies outside those that were kept")

    @property
    def rows(self) -> int:
        """How many rows the input matrix has."""
        return len(self.words) + (self.ngrams.buckets if self.kept is None else len(self.kept))

    @cached_property
    def ids(self) -> Mapping[bytes, int]:
        """The id of each word, and behind the words of each label."""
        return {token: number for number, token in enumerate([*self.words, *self.labels])}

    @cached_property
    def native(self) -> text_core.Dictionary | None:
        """The same in the compiled core, where there is one."""
        if core.native is None:
            return None
        kept = None if self.kept is None else list(self.kept.items())
        prefix = self.label_prefix
        return core.native.Dictionary(self.words, self.labels, **asdict(self.ngrams), label_prefix=prefix, kept=kept)

    def find(self, token: bytes) -> int:
        """The id of a word, or len(words) + i for label i; -1 for what was not read or too rare."""
        return self.ids.get(token, -1)

    def subwords(self, word: bytes) -> list[int]:
        """The rows of a word: its own, if it has one, and those of its character n-grams."""
        number = self.find(word)
        own = [number] if 0 <= number < len(self.words) else []
        return own + self._behind_words(hashing.subwords(word, self.ngrams))

    def rows_of(self, tokens: Sequence[bytes]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """The rows of each of `tokens`, as `subwords` gives them, all in one array; and where each token's begin.

        The second, (tokens + 1,), ends with the length of the first.
        """
        if self.native is not None:
            return self.native.rows_of(tokens)
        found = [self.subwords(token) for token in tokens]
        starts = np.cumsum([0, *map(len, found)], dtype=np.int64)
        return np.fromiter(chain.from_iterable(found), np.int32, starts[-1]), starts

    def line_rows(self, text: bytes) -> NDArray[np.int32]:
        """The rows of a line of text: the first half of what `line` gives."""
        if self.native is not None:
            return self.native.rows(text)
        return np.array(self.line(text)[0], np.int32)

    def line(self, text: bytes) -> tuple[list[int], list[int]]:
        """The rows of a line of text and the numbers of its labels, as fastText reads a line that ends.

        Line feeds within count as spaces. A word that is not known has the rows of its n-grams only.
        """
        rows: list[int] = []
        labels: list[int] = []
        hashes: list[int] = []
        for token in [*tokens_of(text), END_OF_LINE]:
            number = self.find(token)
            if number >= len(self.words):
                labels.append(number - len(self.words))
            elif number >= 0 or not token.startswith(self.label_prefix):
                rows += self.subwords(token)
                hashes.append(hashing.fnv(token))
            if token == END_OF_LINE:
                break
        return rows + self._word_ngrams(hashes), labels

    def _word_ngrams(self, hashes: list[int]) -> list[int]:
        buckets = hashing.word_ngrams(np.array(hashes, dtype=np.uint32), self.ngrams)
        return self._behind_words(buckets[buckets >= 0].tolist())

    def _behind_words(self, buckets: list[int]) -> list[int]:
        if self.kept is not None:
            buckets = [self.kept[bucket] for bucket in buckets if bucket in self.kept]
        return [len(self.words) + bucket for bucket in buckets]
