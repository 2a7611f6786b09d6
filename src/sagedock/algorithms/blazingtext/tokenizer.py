"""Lower-casing and tokenising (the hyperparameters _lower_case and _tokenise): the same in training and serving.

The rules, of which the built-in has none:

1. Lower-casing goes by the character: what Unicode maps to one other, so that no character depends on its neighbours.
2. Letters, marks, digits and `_` that stand together are a token, in every script that sets blanks between words.
3. Han characters and kana, whose scripts do not, are a token each; so are punctuation, symbols, emoji and whatever
   Unicode says nothing of.
4. Blanks, control and format characters and variation selectors end a token, but for the joiners, which belong to it.
5. What begins with __label__ after a blank stays as it is, and a line stays a line.
6. Text is UTF-8; bytes that are none are kept, and belong to the token they stand in.

Thai, Lao, Khmer and Burmese set no blanks either, and their phrases stay whole: cut them into words beforehand.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sagedock import core
from sagedock.algorithms.blazingtext.dictionary import LABEL_PREFIX
from sagedock.algorithms.blazingtext.vocabulary import LONGEST_TOKEN, too_long

SEPARATOR, INNER, ALONE = range(3)
"""What a character does: it ends a token, belongs to the token it stands in, or is one by itself."""

TABLE_SIZE = 0x20000
"""Characters beyond are ideographs but for a few: each a token, and none has another case."""
_SURROGATES = range(0xD800, 0xE000)  # never written, but for the bytes that Python smuggles through them
_JOINERS = "\u200c\u200d"
_VARIATIONS = range(0xFE00, 0xFE10)  # of emoji mostly: how one is drawn
_UNSPACED = ((0x3040, 0x3100), (0x31F0, 0x3200), (0x3400, 0x4DC0), (0x4E00, 0xA000), (0xF900, 0xFB00), (0xFF66, 0xFFA0))
"""Kana and Han characters, from one code point up to another."""
_BLANKS = re.compile(r"([ \t\r\v\f\0]+)")
_CUTS = (b"\n", b" ", b"\t")
_FACTS = ("lower_case", "tokenise")


@dataclass(frozen=True)
class Tokenizer:
    """What is done to a text before its tokens are looked up; nothing by default."""

    lower_case: bool = False
    tokenise: bool = False

    @classmethod
    def of_facts(cls, facts: Mapping[str, Any]) -> Tokenizer:
        """The one that the manifest of a model names."""
        found = facts.get("text")
        return cls(*(found.get(name) is True for name in _FACTS)) if isinstance(found, dict) else cls()

    @property
    def facts(self) -> dict[str, Any]:
        """What the manifest says of it; nothing where it does nothing."""
        return {"text": {"lower_case": self.lower_case, "tokenise": self.tokenise}} if self else {}

    def __bool__(self) -> bool:
        """Whether it does anything."""
        return self.lower_case or self.tokenise

    def rewrite(self, text: bytes) -> bytes:
        """Whole lines as they are looked up: with `tokenise`, tokens with one space between."""
        if not self:
            return text
        if self.native is not None:
            return self.native.rewrite(text)
        lines = text.decode("utf-8", "surrogateescape").split("\n")
        return "\n".join(map(self._line, lines)).encode("utf-8", "surrogateescape")

    def blocks(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """The same for a text in blocks cut anywhere. Raises UserError for a token of absurd length."""
        if not self:
            yield from blocks
            return
        tail = b""
        for block in blocks:
            text = tail + block
            end = 1 + max(map(text.rfind, _CUTS))
            tail = text[end:]
            if len(tail) > LONGEST_TOKEN:
                raise too_long(tail)
            if end:
                yield self.rewrite(text[:end]) + (b"" if text[end - 1 : end] == b"\n" else b" ")
        yield self.rewrite(tail)

    def _line(self, line: str) -> str:
        """A line as characters of Python, bytes that are no UTF-8 being surrogates."""
        if LABEL_PREFIX.decode() not in line:
            return self._words(line)
        label = LABEL_PREFIX.decode()
        parts = [part if part.startswith(label) else self._words(part) for part in _BLANKS.split(line)]
        return " ".join(filter(None, parts)) if self.tokenise else "".join(parts)

    def _words(self, text: str) -> str:
        written = text.translate(self._spelling)
        return " ".join(filter(None, written.split(" "))) if self.tokenise else written

    @cached_property
    def _spelling(self) -> _Spelling:
        return _Spelling(kinds(), self._letters, split=self.tokenise)

    @cached_property
    def native(self) -> core.Tokenizer | None:
        """The same in the compiled core, where there is one."""
        return (
            None
            if core.native is None
            else core.native.Tokenizer(kinds() << np.uint32(24) | self._letters, self.tokenise)
        )

    @property
    def _letters(self) -> NDArray[np.uint32]:
        return letters() if self.lower_case else np.arange(TABLE_SIZE, dtype=np.uint32)


class _Spelling(dict[int, str]):
    """What is written for each character, made as they come: what is set apart has spaces around it."""

    def __init__(self, kinds: NDArray[np.uint32], letters: NDArray[np.uint32], *, split: bool) -> None:
        super().__init__()
        self._kinds, self._letters, self._split = kinds, letters, split

    def __missing__(self, code: int) -> str:
        kind, written = ALONE, chr(code)
        if code < TABLE_SIZE:
            kind, written = int(self._kinds[code]), chr(self._letters[code])
        if self._split:
            written = {SEPARATOR: " ", INNER: written, ALONE: f" {written} "}[kind]
        self[code] = written
        return written


def _characters() -> str:
    """Every character up to the table's end, surrogates as NUL."""
    codes = np.arange(TABLE_SIZE, dtype="<u4")
    codes[_SURROGATES.start : _SURROGATES.stop] = 0
    return codes.tobytes().decode("utf-32-le")


@cache
def kinds() -> NDArray[np.uint32]:
    """What the character of each code point does (TABLE_SIZE,)."""
    groups = {"L": INNER, "M": INNER, "N": INNER, "P": ALONE, "S": ALONE, "Cn": ALONE, "Co": ALONE}
    names = list(map(unicodedata.category, _characters()))
    by_name = {name: groups.get(name, groups.get(name[0], SEPARATOR)) for name in set(names)}
    found = np.fromiter(map(by_name.__getitem__, names), np.uint32, TABLE_SIZE)
    for begin, end in _UNSPACED:
        found[begin:end] = ALONE
    found[_VARIATIONS.start : _VARIATIONS.stop] = SEPARATOR
    found[[*_SURROGATES, ord("_"), *map(ord, _JOINERS)]] = INNER
    return found


@cache
def letters() -> NDArray[np.uint32]:
    """The small letter of each code point (TABLE_SIZE,); of the one character that has two, the first."""
    # alone, a capital sigma has its usual small letter; in the row of all characters it would end a word
    small = _characters().replace("\u0130", "I").replace("\u03a3", "\u03c3").lower()
    found = np.frombuffer(small.encode("utf-32-le"), np.uint32).copy()
    found[_SURROGATES.start : _SURROGATES.stop] = _SURROGATES
    return found
