"""Universal Binary JSON (UBJSON, draft 12) as XGBoost writes it; nothing in the bytes is believed.

Numeric arrays of one type become NumPy arrays that share the bytes (big-endian); everything else becomes what
`json.loads` would give.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

DEEPEST = 64
_FEW_CONTAINERS, _BYTES_A_CONTAINER = 1000, 16

_ARRAYS = {b"d": ">f4", b"D": ">f8", b"U": "u1", b"i": "i1", b"I": ">i2", b"l": ">i4", b"L": ">i8"}
_NUMBERS = {
    marker[0]: struct.Struct(code)
    for marker, code in (
        (b"d", ">f"),
        (b"D", ">d"),
        (b"U", ">B"),
        (b"i", ">b"),
        (b"I", ">h"),
        (b"l", ">i"),
        (b"L", ">q"),
    )
}
_LENGTHS = frozenset(b"UiIlL")
_CONSTANTS = {ord("T"): True, ord("F"): False, ord("Z"): None}
_STRING, _CHARACTER, _ARRAY, _OBJECT, _END_ARRAY, _END_OBJECT, _TYPE, _COUNT = b"SC[{]}$#"


def decode(content: bytes) -> Any:
    """The one value in `content`; raises ValueError saying what is wrong and at which byte."""
    reader = _Reader(content)
    try:
        value = reader.value(reader.byte(), 0)
    except (IndexError, struct.error):
        raise ValueError(f"it ends at byte {len(content)} in the middle of a value") from None
    if reader.place != len(content):
        raise ValueError(f"something follows the end of the model at byte {reader.place}")
    return value


def most_containers(size: int) -> int:
    """How many arrays and objects a model file of `size` bytes may hold, so as not to unfold to many times that."""
    return _FEW_CONTAINERS + size // _BYTES_A_CONTAINER


class _Reader:
    def __init__(self, content: bytes) -> None:
        self.content = content
        self.place = 0
        self.containers = most_containers(len(content))

    def byte(self) -> int:
        value = self.content[self.place]
        self.place += 1
        return value

    def value(self, marker: int, depth: int) -> Any:
        if marker in _NUMBERS:
            return self.number(marker)
        if marker == _STRING:
            return self.text(self.byte())
        if marker in _CONSTANTS:
            return _CONSTANTS[marker]
        if marker in {_ARRAY, _OBJECT}:
            self.enter(depth)
            return self.array(depth + 1) if marker == _ARRAY else self.object(depth + 1)
        if marker == _CHARACTER:
            return chr(self.byte())
        raise self.wrong(f"{bytes([marker])!r} begins no value")

    def number(self, marker: int) -> Any:
        form = _NUMBERS[marker]
        (value,) = form.unpack_from(self.content, self.place)
        self.place += form.size
        return value

    def length(self, marker: int) -> int:
        if marker not in _LENGTHS:
            raise self.wrong(f"{bytes([marker])!r} begins no length")
        length = int(self.number(marker))
        if not 0 <= length <= len(self.content) - self.place:
            raise self.wrong(f"a length of {length} is more than what is left of the file")
        return length

    def text(self, marker: int) -> str:
        length = self.length(marker)
        raw = self.content[self.place : self.place + length]
        self.place += length
        try:
            return raw.decode()
        except UnicodeDecodeError:
            raise self.wrong("a text is not UTF-8") from None

    def array(self, depth: int) -> Any:
        marker = self.byte()
        if marker == _TYPE:
            return self.numbers()
        if marker == _COUNT:
            return [self.value(self.byte(), depth) for _ in range(self.length(self.byte()))]
        items = []
        while marker != _END_ARRAY:
            items.append(self.value(marker, depth))
            marker = self.byte()
        return items

    def numbers(self) -> np.ndarray[Any, Any]:
        kind = self.content[self.place : self.place + 1]
        if kind not in _ARRAYS or self.content[self.place + 1 : self.place + 2] != b"#":
            raise self.wrong("an array is declared of a type that is no number, or without its length")
        self.place += 2
        dtype = np.dtype(_ARRAYS[kind])
        count = self.length(self.byte())
        if count * dtype.itemsize > len(self.content) - self.place:
            raise self.wrong(f"an array of {count} numbers is longer than what is left of the file")
        found = np.frombuffer(self.content, dtype, count, self.place)
        self.place += count * dtype.itemsize
        return found

    def object(self, depth: int) -> dict[str, Any]:
        marker = self.byte()
        found: dict[str, Any] = {}
        counted = marker == _COUNT
        left = self.length(self.byte()) if counted else -1
        while left if counted else marker != _END_OBJECT:
            name = self.text(self.byte() if counted else marker)
            if name in found:
                raise self.wrong(f"{name[:50]!r} stands twice in one object")
            found[name] = self.value(self.byte(), depth)
            left -= 1
            marker = marker if counted else self.byte()
        return found

    def enter(self, depth: int) -> None:
        self.containers -= 1
        if depth >= DEEPEST or self.containers < 0:
            raise self.wrong(f"it is nested deeper than {DEEPEST} levels, or holds little but brackets")

    def wrong(self, what: str) -> ValueError:
        return ValueError(f"{what}, before byte {self.place}")
