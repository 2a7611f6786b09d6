"""The words of a vocabulary as they stand in texts: each token is prepared once, then it is looked up."""

from __future__ import annotations

import threading
from array import array
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sagedock.topics import tokens
from sagedock.topics.counting import Counted, counted, joined
from sagedock.topics.documents import Documents
from sagedock.topics.preparation import Preparation
from sagedock.topics.tokens import NO_WORD, NumbersOfFew

_AT_ONCE = 1 << 20
_FEW = 8
"""Texts of a request that are counted one by one."""


class Lexicon:
    """From texts to counts in the numbers of a vocabulary that there is. Any number of threads may use one."""

    def __init__(
        self, words: Sequence[str], preparation: Preparation, keys: Sequence[str] | None = None, *, much: bool = False
    ) -> None:
        """`keys` are those of `words`, where they are known; a word whose key an earlier one has is never found.

        `much` is for the text of a channel, which is counted faster, but slowly where it comes in small parts.
        """
        self.size = len(words)
        self._preparation = preparation
        found = [_key(word, preparation) for word in words] if keys is None else keys
        self._known = {key: number for number, key in reversed(list(enumerate(found))) if key is not None}
        numbers = tokens.of_channel if much else tokens.of_requests
        self._numbers = numbers(self._number, lower_case=preparation.lower_case)
        self._lock = threading.Lock()

    def documents(self, texts: Iterable[str]) -> Documents:
        """One document for each text, empty where it has no word of the vocabulary."""
        texts = list(texts)
        if len(texts) <= _FEW and isinstance(self._numbers, NumbersOfFew):
            return self._of_few(texts, self._numbers)
        lines = (f"{text.replace(chr(10), ' ')}\n" for text in texts)
        return joined(self.counted(block) for block in _together(lines)).of_size(self.size)

    def counted(self, block: str) -> Counted:
        """The documents of a block, a line each, all of which end with a line feed."""
        with self._lock:
            return counted(self._numbers.of(block))

    def _of_few(self, texts: Sequence[str], numbers: NumbersOfFew) -> Documents:
        """The same without NumPy's costs for each of its calls, which are most of what one text costs."""
        starts, words, counts = array("q", [0]), array("i"), array("f")
        for text in texts:
            with self._lock:
                found = numbers.tally(text)
            for number in sorted(found):
                words.append(number)
                counts.append(found[number])
            starts.append(len(words))
        return Documents(_viewed(starts, np.int64), _viewed(words, np.int32), _viewed(counts, np.float32), self.size)

    def _number(self, word: str) -> int:
        key = self._preparation.key(word)
        return NO_WORD if key is None else self._known.get(key, NO_WORD)


def _viewed(numbers: array[Any], kind: type[np.generic]) -> NDArray[Any]:
    return np.frombuffer(numbers, kind) if numbers else np.empty(0, kind)


def _key(word: str, preparation: Preparation) -> str | None:
    """The key of a word of the vocabulary; None where no text can hold it as one word."""
    cut = tokens.words(word, lower_case=preparation.lower_case)
    return preparation.key(cut[0]) if len(cut) == 1 else None


def _together(lines: Iterable[str]) -> Iterable[str]:
    """The lines in blocks of moderate size."""
    held: list[str] = []
    size = 0
    for line in lines:
        held.append(line)
        size += len(line)
        if size >= _AT_ONCE:
            yield "".join(held)
            held, size = [], 0
    if held:
        yield "".join(held)
