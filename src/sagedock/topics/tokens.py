"""Texts cut into words: runs of letters, digits and the marks that letters carry.

A text is cut twice: into pieces at whatever of ASCII belongs to no word, which is fast, and then, once for each
different piece, at all other characters.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from functools import cache, partial
from itertools import chain
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sagedock import core, text_core
from sagedock.errors import AlgorithmError

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
_NO_LABEL = b"\x01"  # no piece begins with it
_NO_LIMIT = 1 << 62
_ASCII = 128
_MARKS_LIE_IN = (range(0x300, 0x20000), range(0xE0100, 0xE01F0))


def words(text: str, *, lower_case: bool) -> list[str]:
    """The words of `text`, each written as Unicode's normal form C does, those of all lines."""
    pieces = text.encode().translate(_table(lower_case)).split()
    return list(chain.from_iterable(_words(piece, lower_case) for piece in pieces))


class Numbers(Protocol):
    """The numbers of the words of texts, each different piece of a text asked about once."""

    def of(self, block: str) -> NDArray[np.int64]:
        """The numbers of the words of lines, all of which end with a line feed, and ENDED behind those of each.

        Words that do not count may be left out, or stand there as NO_WORD.
        """

    def forget(self) -> None:
        """Ask about every piece again, since numbers may have changed."""


def of_channel(number: Callable[[str], int], *, lower_case: bool, remembered: int = REMEMBERED) -> Numbers:
    """For much text: in the compiled core where there is one."""
    pieces = _Pieces(number, lower_case)
    return NumbersOfFew(pieces, remembered) if core.native is None else NumbersOfMany(core.native, pieces, remembered)


def of_requests(number: Callable[[str], int], *, lower_case: bool, remembered: int = REMEMBERED) -> Numbers:
    """For texts of requests, of which each brings some new words.

    `number` gives a number from 0 on or NO_WORD, the same each time.
    """
    return NumbersOfFew(_Pieces(number, lower_case), remembered)


class _Pieces:
    """Asks about the words of a piece."""

    def __init__(self, number: Callable[[str], int], lower_case: bool) -> None:
        self._number = number
        self._lower_case = lower_case
        self.several: list[list[int]] = []
        """The numbers of pieces that hold several words."""

    def cut(self, block: str) -> bytes:
        """The pieces of a block with spaces between, and its line feeds."""
        return block.encode().translate(_table(self._lower_case))

    def ask(self, piece: bytes) -> int:
        """Its word's number, or one that stands for several."""
        numbers = [self._number(word) for word in _words(piece, self._lower_case)]
        numbers = [number for number in numbers if number != NO_WORD]
        if len(numbers) < 2:
            return numbers[0] if numbers else NO_WORD
        self.several.append(numbers)
        return _SEVERAL + 1 - len(self.several)

    def spread(self, found: NDArray[np.int64]) -> NDArray[np.int64]:
        """With several numbers where there is one for several."""
        several = found <= _SEVERAL
        if not several.any():
            return found
        lists = [self.several[_SEVERAL - number] for number in found[several].tolist()]
        sizes = np.ones(len(found), np.int64)
        sizes[several] = [len(numbers) for numbers in lists]
        spread = np.repeat(found, sizes)
        spread[np.repeat(several, sizes)] = list(chain.from_iterable(lists))
        return spread


class NumbersOfFew(dict[bytes, int]):
    """Pieces in a dictionary."""

    def __init__(self, pieces: _Pieces, remembered: int) -> None:
        super().__init__({_END: ENDED})
        self._pieces = pieces
        self._remembered = remembered

    def of(self, block: str) -> NDArray[np.int64]:
        if max(len(self), len(self._pieces.several)) > self._remembered:
            self.forget()
        found = self._pieces.cut(block).replace(b"\n", _SPACED_END).split()
        return self._pieces.spread(np.fromiter(map(self.__getitem__, found), np.int64, len(found)))

    def tally(self, text: str) -> Counter[int]:
        """How often the number of each word that counts stands in one text, which is faster so than by arrays."""
        several = self._pieces.several
        if max(len(self), len(several)) > self._remembered:
            self.forget()
        found = Counter(map(self.__getitem__, self._pieces.cut(text).split()))
        for number in [number for number in found if number <= _SEVERAL]:
            times = found.pop(number)
            for each in several[_SEVERAL - number]:
                found[each] += times
        found.pop(NO_WORD, None)
        return found

    def forget(self) -> None:
        self.clear()
        self._pieces.several.clear()
        self[_END] = ENDED

    def __missing__(self, piece: bytes) -> int:
        found = self._pieces.ask(piece)
        if len(piece) <= _LONGEST_REMEMBERED:
            self[piece] = found
        return found


class NumbersOfMany:
    """Pieces numbered by compiled code, which was made for word vectors, and then asked about."""

    _known: NDArray[np.int64]

    def __init__(self, native: text_core.TextCore, pieces: _Pieces, remembered: int) -> None:
        self._new = partial(native.Vocabulary, _NO_LABEL, _NO_LIMIT, _NO_LIMIT)
        self._pieces = pieces
        self._remembered = remembered
        self.forget()

    def of(self, block: str) -> NDArray[np.int64]:
        if len(self._known) > self._remembered:
            self.forget()
        numbers = self._read.feed(self._pieces.cut(block))
        if numbers is None:
            raise AlgorithmError("a piece of text is longer than any limit")
        if len(numbers) and int(numbers.max()) >= len(self._known):
            new = self._read.tokens[len(self._known) :]
            self._known = np.append(self._known, np.fromiter(map(self._pieces.ask, new), np.int64, len(new)))
        return self._pieces.spread(self._known[numbers])

    def forget(self) -> None:
        self._read = self._new()
        self._known = np.array([ENDED], np.int64)  # by number of a piece, of which the first is a line feed
        self._pieces.several.clear()


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
