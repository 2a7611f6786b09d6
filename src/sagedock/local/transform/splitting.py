"""From the bytes of an object to its records (API reference, TransformInput.SplitType)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import BinaryIO, cast

from sagedock.formats import recordio

PIECE = 1024 * 1024


def lines(stream: BinaryIO, longest: int) -> Iterator[bytes]:
    """Each line with its end, split at newline bytes; blank lines at the end of the object are no records.

    Of a line above `longest` bytes the first `longest` + 1 come, without its end, and the rest is passed over.
    """
    blank: list[bytes] = []
    for line in iter(partial(stream.readline, longest + 1), b""):
        if line in {b"\n", b"\r\n"}:
            blank.append(line)
            continue
        if blank:
            yield from blank
            blank = []
        yield line
        if len(line) > longest and line[-1] != 0x0A:
            _pass_line(stream)


def _pass_line(stream: BinaryIO) -> None:
    for rest in iter(partial(stream.readline, PIECE), b""):
        if rest[-1] == 0x0A:
            return


def framed(stream: BinaryIO, name: str, *, padded: bool) -> Iterator[bytes]:
    """Each RecordIO record in its frames; unless `padded` without the zeros that fill up its last four bytes."""
    copy = _Copy(stream)
    for _ in recordio.read(cast("BinaryIO", copy), name):
        frames = copy.taken()
        yield frames if padded else frames[: _end(frames)]


def _end(frames: bytes) -> int:
    """Where the last payload ends: behind it come at most three zeros."""
    position = end = 0
    while position < len(frames):
        length = int.from_bytes(frames[position + 4 : position + 8], "little") & (1 << 29) - 1
        end = min(position + 8 + length, len(frames))
        position = end + -length % 4
    return end


class _Copy:
    """A stream that remembers what was read from it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._pieces: list[bytes] = []

    def read(self, size: int) -> bytes:
        piece = self._stream.read(size)
        self._pieces.append(piece)
        return piece

    def taken(self) -> bytes:
        """What was read since the last call."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


def pieces(stream: BinaryIO) -> Iterator[bytes]:
    """The object as it is, a piece at a time."""
    return iter(partial(stream.read, PIECE), b"")


def whole(stream: BinaryIO, longest: int | None) -> Iterator[bytes]:
    """The object as one record, cut behind `longest` + 1 bytes; an empty object holds none."""
    content = stream.read() if longest is None else stream.read(longest + 1)
    if content:
        yield content
