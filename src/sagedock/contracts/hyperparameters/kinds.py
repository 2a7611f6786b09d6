"""Kinds of hyperparameter values: how a text is read, which values are allowed, and how both are told to a reader.

Values arrive as text, however the caller spelled them: bare, quoted as JSON once or twice, integers as floats
(contract 1.3.1). A kind raises `ParseError` for a text that is no such value and `RangeError` for a value that is not
allowed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

LARGEST_INTEGER = 2**31 - 1
LARGEST_REAL = 3.4028234663852886e38
"""The libraries behind hyperparameters keep them in 32 bits."""

_BOOLEANS: Mapping[str, bool] = {
    "true": True,
    "1": True,
    "yes": True,
    "false": False,
    "0": False,
    "no": False,
}
_BRACKETS = {"[": "]", "(": ")"}
_SHOWN = 60


class ParseError(ValueError):
    """The text is no value of this kind; the message says what was expected."""


class RangeError(ValueError):
    """The value is of this kind but not allowed; the message is what follows the hyperparameter's name."""


class Kind(Protocol):
    """What a declared hyperparameter needs of its values' kind."""

    @property
    def type_text(self) -> str:
        """The kind's name in tables, for example 'integer'."""

    @property
    def range_text(self) -> str:
        """The allowed values, for tables and errors."""

    def parse(self, text: str) -> Any:
        """The value that `text` (unwrapped) spells; raises ParseError or RangeError."""


def shown(text: str, limit: int = _SHOWN) -> str:
    """`text` on one line, printable, and cut to `limit` characters, for use in a message."""
    line = " ".join(text.split())
    line = "".join(character if character.isprintable() else "?" for character in line)
    return line if len(line) <= limit else f"{line[: limit - 3]}..."


def unquoted(text: str, levels: int = 2) -> str:
    """`text` without surrounding blanks and without up to `levels` layers of JSON string quotes."""
    text = text.strip()
    for _ in range(levels):
        if len(text) < 2 or text[0] != '"' or text[-1] != '"':
            break
        try:
            inner = json.loads(text)
        except (ValueError, RecursionError):
            if '"' in text[1:-1]:
                break
            inner = text[1:-1]
        text = inner.strip()
    return text


@dataclass(frozen=True)
class Interval:
    """The numbers from `low` to `high`; None leaves a side without limit."""

    low: float | None = None
    high: float | None = None
    low_open: bool = False
    high_open: bool = False

    def __contains__(self, value: float) -> bool:
        above = self.low is None or (value > self.low if self.low_open else value >= self.low)
        below = self.high is None or (value < self.high if self.high_open else value <= self.high)
        return above and below

    def __str__(self) -> str:
        left = "(-inf" if self.low is None else f"{'(' if self.low_open else '['}{self.low}"
        right = "inf)" if self.high is None else f"{self.high}{')' if self.high_open else ']'}"
        return f"{left}, {right}"


@dataclass(frozen=True)
class Integer:
    """A whole number of 32 bits, also spelled as an integral float ("10.0", "1e3")."""

    interval: Interval = Interval()

    type_text = "integer"

    @property
    def range_text(self) -> str:
        return str(self.interval)

    def parse(self, text: str) -> int:
        value = _integer(text)
        if value not in self.interval:
            raise RangeError(f"{shown(text)} is not in {self.range_text}")
        if abs(value) > LARGEST_INTEGER:
            raise RangeError(f"{shown(text)} is not in the integers of 32 bits")
        return value


def _integer(text: str) -> int:
    try:
        return int(_plain(text))
    except ValueError:
        value = _number(text, "an integer")
    if not value.is_integer():
        raise ParseError("expected an integer")
    return int(value)


def _number(text: str, expected: str) -> float:
    try:
        return float(_plain(text))
    except ValueError:
        raise ParseError(f"expected {expected}") from None


def _plain(text: str) -> str:
    """`text`, unless it is a spelling of a number that only Python knows."""
    if "_" in text or not text.isascii():
        raise ValueError(text)
    return text


@dataclass(frozen=True)
class Real:
    """A decimal number, plain or in scientific notation; never NaN, and infinite only where `infinite` allows it."""

    interval: Interval = Interval()
    infinite: bool = False

    type_text = "float"

    @property
    def range_text(self) -> str:
        return str(self.interval)

    def parse(self, text: str) -> float:
        value = _number(text, "a number")
        if math.isnan(value) or value not in self.interval:
            raise RangeError(f"{shown(text)} is not in {self.range_text}")
        if abs(value) > LARGEST_REAL and not (self.infinite and math.isinf(value)):
            raise RangeError(f"{shown(text)} is not in the finite numbers of single precision")
        return value


@dataclass(frozen=True)
class Boolean:
    """true, false, 1, 0, yes or no in any case."""

    type_text = "boolean"
    range_text = "true, false"

    def parse(self, text: str) -> bool:
        try:
            return _BOOLEANS[text.lower()]
        except KeyError:
            raise ParseError("expected true or false") from None


@dataclass(frozen=True)
class Categorical:
    """One of a few names, spelled exactly or, with `any_case`, in any case; the value is as it stands in `choices`."""

    choices: tuple[str, ...]
    any_case: bool = False

    type_text = "categorical"

    @property
    def range_text(self) -> str:
        return f"{{{', '.join(self.choices)}}}"

    def parse(self, text: str) -> str:
        found = next((choice for choice in self.choices if self._same(choice, text)), None)
        if found is None:
            raise RangeError(f"{shown(text)} is not in {self.range_text}")
        return found

    def _same(self, choice: str, text: str) -> bool:
        return choice == text or (self.any_case and choice.lower() == text.lower())


@dataclass(frozen=True)
class Text:
    """Any text, free or checked elsewhere."""

    type_text = "text"
    range_text = "any"

    def parse(self, text: str) -> str:
        return text


@dataclass(frozen=True)
class ListOf:
    """One or more values of `item`, as JSON, in brackets or parentheses, or joined by commas; the value is a tuple."""

    item: Kind

    @property
    def type_text(self) -> str:
        return f"list of {self.item.type_text}"

    @property
    def range_text(self) -> str:
        return self.item.range_text

    def parse(self, text: str) -> tuple[Any, ...]:
        values = []
        for piece in _pieces(text):
            try:
                values.append(self.item.parse(piece))
            except RangeError:
                raise RangeError(f"value {shown(piece)} not in range {self.range_text}") from None
        return tuple(values)


def _pieces(text: str) -> list[str]:
    """The items of a flat list, trimmed and without quotes of either sort."""
    if text[:1] in _BRACKETS and text[-1:] == _BRACKETS[text[0]]:
        text = text[1:-1].strip().removesuffix(",")
    pieces = [_bare(piece) for piece in text.split(",")]
    if "" in pieces:
        raise ParseError("expected a list of values joined by commas, none of them empty")
    return pieces


def _bare(piece: str) -> str:
    piece = unquoted(piece)
    if len(piece) > 1 and piece[0] == piece[-1] == "'":
        return piece[1:-1].strip()
    return piece


@dataclass(frozen=True)
class NestedList:
    """A list of lists of `item` as JSON; the value is a tuple of tuples.

    With `shape` there are exactly so many rows and so many items in each; without it every row has one item or more.
    """

    item: Kind
    shape: tuple[int, int] | None = None

    @property
    def type_text(self) -> str:
        return f"list of lists of {self.item.type_text}"

    @property
    def range_text(self) -> str:
        size = "" if self.shape is None else f"{self.shape[0]} rows of {self.shape[1]}, "
        return f"{size}items in {self.item.range_text}"

    def parse(self, text: str) -> tuple[tuple[Any, ...], ...]:
        try:
            rows = json.loads(text)
        except (ValueError, RecursionError):
            raise ParseError("expected a list of lists, such as [[1, 2], [3, 4]]") from None
        self._check_shape(rows)
        return tuple(tuple(self._entry(entry) for entry in row) for row in rows)

    def _check_shape(self, rows: object) -> None:
        if not isinstance(rows, list) or not rows or not all(isinstance(row, list) and row for row in rows):
            raise ParseError("expected a list of lists, such as [[1, 2], [3, 4]]")
        if self.shape is not None and [len(row) for row in rows] != [self.shape[1]] * self.shape[0]:
            raise ParseError(f"expected {self.shape[0]} rows of {self.shape[1]} values")

    def _entry(self, entry: object) -> Any:
        if isinstance(entry, bool) or not isinstance(entry, int | float):
            raise ParseError("expected numbers in the lists")
        try:
            return self.item.parse(spelled(entry))
        except RangeError:
            raise RangeError(f"value {shown(spelled(entry))} not in range {self.item.range_text}") from None


def spelled(value: object) -> str:
    """The text of a JSON value: what the parser sees of a number, boolean or list given without quotes."""
    if isinstance(value, str):
        return unquoted(value)
    try:
        return json.dumps(value)
    except (ValueError, RecursionError, TypeError):
        return type(value).__name__


def is_absent(value: object) -> bool:
    """Whether a value means 'not given': null, None or nothing at all, as software development kits spell it."""
    return value is None or (isinstance(value, str) and unquoted(value) in {"", "null", "None"})
