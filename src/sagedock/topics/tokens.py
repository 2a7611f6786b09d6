"""Texts cut into words: runs of letters, digits and the marks that letters carry.

A text is cut twice: into pieces at whatever of ASCII belongs to no word, which is fast, and then, once for each
different piece, at all other characters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import cache
from itertools import chain

import numpy as np
from numpy.typing import NDArray

ENDED = -2
"""The number of the end of a line."""
NO_WORD = -1
"""That of a word that does not count."""
LONGEST_WORD = 64
"""Characters. What is longer, such as encoded data, counts as no word."""
REMEMBERED = 500_000
"""Pieces at most of which it is kept what they are: texts may hold any number of different ones."""
_LONGEST_REMEMBERED = 4 * LONGEST_WORD
_END = b"\x01"
_SPACED_END = b" \x01 "
_SEVERAL = -3
_ASCII = 128
_MARKS_LIE_IN = (range(0x300, 0x20000), range(0xE0100, 0xE01F0))


def words(text: str, *, lower_case: bool) -> list[str]:
    """The words of `text`, each written as Unicode's normal form C does, those of all lines."""
    pieces = text.encode().translate(_table(lower_case)).split()
    return list(chain.from_iterable(_words(piece, lower_case) for piece in pieces))


class Numbers(dict[bytes, int]):
    """The numbers that `number` gives to the words of texts, each piece of a text asked about once."""

    def __init__(self, number: Callable[[str], int], *, lower_case: bool, remembered: int = REMEMBERED) -> None:
        """`number` gives a number from 0 on or NO_WORD, the same each time."""
        super().__init__({_END: ENDED})
        self._number = number
        self._lower_case = lower_case
        self._remembered = remembered
        self._several: list[list[int]] = []  # of pieces that hold several words

    def of(self, block: str) -> NDArray[np.int64]:
        """The numbers of the words of lines, all of which end with a line feed, and ENDED behind those of each."""
        if max(len(self), len(self._several)) > self._remembered:
            self.forget()
        pieces = block.encode().translate(_table(self._lower_case)).replace(b"\n", _SPACED_END).split()
        return self._spread(np.fromiter(map(self.__getitem__, pieces), np.int64, len(pieces)))

    def forget(self) -> None:
        """Ask about every piece again, since numbers may have changed."""
        self.clear()
        self._several.clear()
        self[_END] = ENDED

    def __missing__(self, piece: bytes) -> int:
        numbers = [self._number(word) for word in _words(piece, self._lower_case)]
        numbers = [number for number in numbers if number != NO_WORD]
        if len(numbers) > 1:
            self._several.append(numbers)
            found = _SEVERAL + 1 - len(self._several)
        else:
            found = numbers[0] if numbers else NO_WORD
        if len(piece) <= _LONGEST_REMEMBERED:
            self[piece] = found
        return found

    def _spread(self, found: NDArray[np.int64]) -> NDArray[np.int64]:
        """With several numbers where there is one for several."""
        several = found <= _SEVERAL
        if not several.any():
            return found
        lists = [self._several[_SEVERAL - number] for number in found[several].tolist()]
        sizes = np.ones(len(found), np.int64)
        sizes[several] = [len(numbers) for numbers in lists]
        spread = np.repeat(found, sizes)
        spread[np.repeat(several, sizes)] = list(chain.from_iterable(lists))
        return spread


def _words(piece: bytes, lower_case: bool) -> list[str]:
    """The words of a piece without spaces, whose letters of ASCII are in lower case already if so."""
    text = piece.decode()
    if text.isascii():
        return [text]
    return _pattern().findall(unicodedata.normalize("NFC", text.lower() if lower_case else text))


@cache
def _table(lower_case: bool) -> bytes:
    """For each byte itself where it belongs to a word or ends a line, else a space."""
    kept = bytes(range(_ASCII)).decode()
    kept = "".join(each if each.isalnum() or each == "\n" else " " for each in kept)
    return (kept.lower() if lower_case else kept).encode() + bytes(range(_ASCII, 256))


@cache
def _pattern() -> re.Pattern[str]:
    characters = map(chr, chain(*_MARKS_LIE_IN))
    marks = "".join(character for character in characters if unicodedata.category(character).startswith("M"))
    return re.compile(rf"\w[\w{marks}]*")
