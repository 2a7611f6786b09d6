"""Reading long text in blocks of whole lines, and numbers into a matrix that grows where it stands."""

from __future__ import annotations

import math
from codecs import BOM_UTF8
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sagedock import core
from sagedock.errors import UserError

BLOCK_BYTES = 1 << 21
LONGEST_LINE = 1 << 28
_NEAR = 64
"""Bytes at the end of a block among which there mostly is one that is no line end."""
LEAST_BYTES = 1 << 26
"""Above 32 MiB the C library always maps memory of its own, which it then moves without copying. What is not yet
written to costs nothing."""


@dataclass(frozen=True)
class Block:
    """Whole lines of a source; `line` is the physical number, from 1, of the first.

    `memory` holds them; that of `blocks` is used again for the next block, so that a block is done with by then.
    """

    memory: bytes | memoryview
    line: int

    @cached_property
    def text(self) -> bytes:
        """The lines as bytes, a copy."""
        return bytes(self.memory)

    @property
    def lines(self) -> int:
        """How many lines there are."""
        return len(self._ends) if core.native is None else core.native.count_lines(self.memory)

    @property
    def has_blank_line(self) -> bool:
        """Whether a line holds nothing but its end."""
        lengths = np.diff(self._ends, prepend=-1)
        return bool((lengths == 1).any()) or any(self.text[end - 1] == ord("\r") for end in self._ends[lengths == 2])

    @property
    def first_line(self) -> str:
        """The text of the first line, without its end."""
        end = self.text.find(b"\n")
        return self.text[: end if end >= 0 else None].decode("utf-8", "replace")

    @cached_property
    def _ends(self) -> NDArray[np.int64]:
        """Where the lines end; NumPy finds newlines several times as fast as the methods of bytes."""
        return np.flatnonzero(np.frombuffer(self.memory, dtype=np.uint8) == ord("\n"))


def blocks(stream: Any, name: str, size: int = BLOCK_BYTES) -> Iterator[Block]:
    """The lines of the binary `stream`, at most `size` bytes at a time unless a line is longer; blank lines at the end
    and UTF-8's mark are left out.

    Reads once, to the end, and never seeks. Raises UserError for a line that is too long to be a record.
    """
    line, used = 1, 0
    memory = bytearray(size)
    while read := stream.readinto(memoryview(memory)[used:]):
        used += read
        begin = len(BOM_UTF8) if line == 1 and memory.startswith(BOM_UTF8) else 0
        end = _end_of_lines(memory, begin, used)
        if end:
            block = Block(memoryview(memory)[begin:end], line)
            line += block.lines
            yield block
            memory[: used - end], used = memory[end:used], used - end
        if used - begin > LONGEST_LINE:
            raise UserError(f"{name}, line {line}: longer than {LONGEST_LINE >> 20} MiB: this is no text table")
        if used == len(memory):
            memory = memory + bytes(used)  # in place it would be a block's memory that moves
    kept = bytes(memory[:used])
    if line == 1:
        kept = kept.removeprefix(BOM_UTF8)
    if kept.strip(b"\r\n \t"):
        yield Block(kept.rstrip(b"\r\n") + b"\n", line)


def _end_of_lines(memory: bytearray, begin: int, used: int) -> int:
    """Where the last whole line ends that has a line with content at or behind its end, or 0.

    Blank lines at the end of a source are none of its records, so they wait for what follows them.
    """
    near = max(begin, used - _NEAR)
    content = near + len(memory[near:used].rstrip(b"\r\n"))
    if content == near:
        content = begin + len(memory[begin:used].rstrip(b"\r\n"))
    end = memory.find(b"\n", content, used) if content > begin else -1
    return end + 1 or memory.rfind(b"\n", begin, content) + 1


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
