"""Reading long text in blocks of whole lines, and numbers into a matrix that grows where it stands."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from sagedock import core
from sagedock.errors import UserError

BLOCK_BYTES = 1 << 21
LONGEST_LINE = 1 << 28
LEAST_BYTES = 1 << 26
"""Above 32 MiB the C library always maps memory of its own, which it then moves without copying. What is not yet
written to costs nothing."""


@dataclass(frozen=True)
class Block:
    """Whole lines of a source; `line` is the physical number, from 1, of the first."""

    text: bytes
    line: int

    @property
    def lines(self) -> int:
        """How many lines there are."""
        return len(self._ends) if core.native is None else core.native.count_lines(self.text)

    @property
    def has_blank_line(self) -> bool:
        """Whether a line holds nothing but its end."""
        lengths = np.diff(self._ends, prepend=-1)
        return bool((lengths == 1).any()) or any(self.text[end - 1] == ord("\r") for end in self._ends[lengths == 2])

    @cached_property
    def _ends(self) -> NDArray[np.int64]:
        """Where the lines end; NumPy finds newlines several times as fast as the methods of bytes."""
        return np.flatnonzero(np.frombuffer(self.text, dtype=np.uint8) == ord("\n"))


def blocks(stream: BinaryIO, name: str, size: int = BLOCK_BYTES) -> Iterator[Block]:
    """The lines of `stream`, about `size` bytes at a time, without blank lines at the end or UTF-8's mark.

    Reads once, to the end, and never seeks. Raises UserError for a line that is too long to be a record.
    """
    line = 1
    kept = b""
    while read := stream.read(size):
        text = kept + read
        if line == 1:
            text = text.removeprefix(b"\xef\xbb\xbf")
        content = len(text.rstrip(b"\r\n"))
        end = (text.find(b"\n", content) if content else -1) + 1 or text.rfind(b"\n", 0, content) + 1
        if not end:
            if len(text) > LONGEST_LINE:
                raise UserError(f"{name}, line {line}: longer than {LONGEST_LINE >> 20} MiB: this is no text table")
            kept = text
            continue
        block = Block(text[:end], line)
        yield block
        line += block.lines
        kept = text[end:]
    if kept.strip(b"\r\n \t"):
        yield Block(kept.rstrip(b"\r\n") + b"\n", line)


class GrowingArray:
    """An array whose first dimension grows by moving no more than it must, so that it is never held twice."""

    def __init__(self, columns: int | None = None, dtype: Any = np.float32) -> None:
        self._array: NDArray[Any] = np.empty((0,) if columns is None else (0, columns), dtype=dtype)
        self._used = 0

    def __len__(self) -> int:
        return self._used

    def room(self, rows: int) -> NDArray[Any]:
        """The next `rows` rows, to be filled in by the caller."""
        start, self._used = self._used, self._used + rows
        if not start:
            self._begin(self._used)
        elif self._used > len(self._array):
            self._resize(self._used + self._used // 8)
        return self._array[start : self._used]

    def give_back(self, rows: int) -> None:
        """Take back the last `rows` rows of room, which were not filled."""
        self._used -= rows

    def append(self, values: NDArray[Any]) -> None:
        """Add `values` at the end."""
        self.room(len(values))[...] = values

    def finished(self) -> NDArray[Any]:
        """The array, cut to what is used; nothing may be added afterwards."""
        self._resize(self._used)
        return self._array

    def _begin(self, rows: int) -> None:
        columns = self._array.shape[1:]
        row = max(self._array.itemsize * math.prod(columns), 1)
        self._array = np.empty((max(rows, LEAST_BYTES // row), *columns), self._array.dtype)

    def _resize(self, rows: int) -> None:
        # refcheck would count the views that `room` handed out and that their users have dropped
        self._array.resize((rows, *self._array.shape[1:]), refcheck=False)
