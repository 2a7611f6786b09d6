"""A binary file read from front to back: no size that it claims is believed before the file is known to be so long."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sagedock.errors import ModelError


@dataclass
class Cursor:
    """A place in `content`, the mapped bytes of `file`; every mistake is a ModelError naming the byte."""

    file: Path
    content: mmap.mmap
    position: int = field(default=0)

    @property
    def left(self) -> int:
        """How many bytes follow."""
        return len(self.content) - self.position

    def numbers(self, layout: struct.Struct, what: str) -> tuple[Any, ...]:
        """The numbers that stand here."""
        self._require(layout.size, what)
        found = layout.unpack_from(self.content, self.position)
        self.position += layout.size
        return found

    def flag(self, what: str) -> bool:
        """A byte that is 0 or 1."""
        (value,) = self.numbers(_BYTE, what)
        if value > 1:
            raise self.wrong(f"{what} is {value}, neither 0 nor 1")
        return bool(value)

    def array(self, dtype: Any, shape: tuple[int, ...], what: str) -> NDArray[Any]:
        """An array of this shape, in the mapped memory itself: read-only, and not always aligned."""
        kind = np.dtype(dtype)
        count = 1
        for length in shape:  # Python's whole numbers do not overflow
            if length < 0:
                raise self.wrong(f"{what} has {length} rows or columns")
            count *= length
        self._require(count * kind.itemsize, what)
        found = np.frombuffer(self.content, kind, count, self.position) if count else np.empty(0, kind)
        self.position += count * kind.itemsize
        return found.reshape(shape)

    def texts(self, count: int, tail: int, what: str) -> tuple[list[bytes], NDArray[np.uint8]]:
        """`count` texts, each ended by a zero byte and followed by `tail` bytes; the texts, and (count, tail) bytes."""
        if count < 0 or count * (tail + 1) > self.left:
            raise self.wrong(f"{count} {what} cannot stand in the {self.left} bytes that follow")
        texts: list[bytes] = []
        ends = np.empty(count, np.int64)
        find, position = self.content.find, self.position
        for number in range(count):
            end = find(b"\0", position)
            if end < 0 or end + 1 + tail > len(self.content):
                raise self.wrong(f"it ends within the {what}, after {number} of {count}")
            texts.append(self.content[position:end])
            ends[number] = end
            position = end + 1 + tail
        self.position = position
        content = np.frombuffer(self.content, np.uint8)
        return texts, content[ends[:, None] + np.arange(1, tail + 1)]

    def wrong(self, reason: str) -> ModelError:
        """The error to raise for what stands here."""
        return ModelError(
            f"{self.file} is damaged or no fastText model ({reason}, byte {self.position}): deploy the model's archive "
            "again, or save the model with fastText"
        )

    def _require(self, size: int, what: str) -> None:
        if size > self.left:
            raise self.wrong(f"it is truncated: {what} takes {size} bytes, and {self.left} are left")


_BYTE = struct.Struct("<B")


@contextmanager
def opened(file: Path) -> Iterator[Cursor]:
    """A cursor at the beginning of `file`; arrays taken by it keep the mapping alive. Raises ModelError and OSError."""
    with file.open("rb") as stream:
        try:
            content = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError as error:
            raise ModelError(f"{file} is empty: deploy the model's archive again") from error
    yield Cursor(file, content)
