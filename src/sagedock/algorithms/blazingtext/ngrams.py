"""Hashes and n-grams with fastText's numbers: the rows of the input matrix that words and texts have beside their own.

Source: Bojanowski et al., Enriching Word Vectors with Subword Information, 2017; blazingtext.md section 7.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

END_OF_LINE = b"</s>"
LONGEST = 100
"""Words or characters of the longest n-gram there may be: a text has as many n-grams as words, times this."""
_BASIS, _PRIME, _MASK = 2166136261, 16777619, 0xFFFFFFFF  # FNV-1a, 32 bit
_STEP = 116049371
_SIGNED = [byte if byte < 128 else byte | 0xFFFFFF00 for byte in range(256)]  # what fastText's int8_t makes of a byte


@dataclass(frozen=True)
class Ngrams:
    """Which n-grams there are. The defaults are none: words alone."""

    buckets: int = 0
    """How many rows the n-grams share, by their hash."""
    min_char: int = 0
    """Characters of the shortest n-gram in a word."""
    max_char: int = 0
    """And of the longest; 0 for none."""
    word_ngrams: int = 1
    """Words of the longest n-gram in a text; 1 for none."""

    def __post_init__(self) -> None:
        """Raises ValueError for n-grams without a bucket to fall into, and for absurdly long ones."""
        if not 0 <= self.buckets < 2**31 or (self.buckets == 0 and (self.max_char > 0 or self.word_ngrams > 1)):
            raise ValueError(f"{self.buckets} buckets for n-grams")
        if max(self.word_ngrams, self.max_char) > LONGEST:
            raise ValueError(f"n-grams of {self.word_ngrams} words and {self.max_char} characters, {LONGEST} at most")


def fnv(token: bytes, state: int = _BASIS) -> int:
    """FNV-1a of 32 bits, bytes from 128 extended with their sign as fastText does."""
    for byte in token:
        state = ((state ^ _SIGNED[byte]) * _PRIME) & _MASK
    return state


def subwords(word: bytes, ngrams: Ngrams) -> list[int]:
    """The buckets of the character n-grams of `word`, in fastText's order; `</s>` has none.

    Characters are UTF-8 code points; a byte that continues none belongs to the character before it.
    """
    if ngrams.max_char <= 0 or word == END_OF_LINE:
        return []
    return [state % ngrams.buckets for state in _hashes(b"<%b>" % word, ngrams)]


def _hashes(marked: bytes, ngrams: Ngrams) -> Iterator[int]:
    starts = [place for place, byte in enumerate(marked) if byte & 0xC0 != 0x80]
    ends = [*starts[1:], len(marked)]
    for first in range(len(starts)):
        state = _BASIS
        for length, last in enumerate(range(first, min(first + ngrams.max_char, len(starts))), start=1):
            state = fnv(marked[starts[last] : ends[last]], state)
            at_the_edge = starts[first] == 0 or ends[last] == len(marked)
            if length >= ngrams.min_char and not (length == 1 and at_the_edge):
                yield state


def signed(hashes: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """Hashes as word n-grams take them: through 32 bits with a sign to 64 bits."""
    return hashes.astype(np.int32).astype(np.int64).astype(np.uint64)


def word_ngrams(hashes: NDArray[np.uint32], ngrams: Ngrams) -> NDArray[np.int64]:
    """The buckets of the n-grams that begin at each word, (words, word_ngrams - 1); -1 where the text has ended."""
    found = np.full((len(hashes), max(ngrams.word_ngrams - 1, 0)), -1, dtype=np.int64)
    following = signed(hashes)
    state = following.copy()
    for order in range(1, min(ngrams.word_ngrams, len(hashes))):
        state = state[:-1] * np.uint64(_STEP) + following[order:]
        found[: len(state), order - 1] = (state % np.uint64(ngrams.buckets)).astype(np.int64)
    return found
