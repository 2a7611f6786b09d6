"""RecordIO framing (dmlc-core's recordio.h), read as both dmlc and SageMaker's SDK write it, written as dmlc does.

A frame is a magic word, a word of three bits part flag and 29 bits length, the payload, and zeros to a multiple of
four bytes. dmlc's writer cuts a payload where it holds the magic word at a multiple of four, and drops that word.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO

from sagedock.contracts.channels import Source
from sagedock.errors import UserError

MAGIC = bytes.fromhex("0a23d7ce")
HEADER_BYTES = 8
_HEADER = struct.Struct("<4sI")
_LENGTH_BITS = 29
WHOLE, FIRST, MIDDLE, LAST = range(4)
"""What a frame holds of its record."""


@dataclass(frozen=True)
class Frame:
    """One record's payload, and where its (first) frame begins in the stream, in bytes."""

    offset: int
    payload: bytes


@dataclass
class Continued:
    """A stream of which some bytes were read already."""

    held: bytes
    stream: BinaryIO

    def read(self, size: int) -> bytes:
        found, self.held = self.held[:size], self.held[size:]
        return found if len(found) == size else found + self.stream.read(size - len(found))


def read(stream: BinaryIO, name: str, offset: int = 0) -> Iterator[Frame]:
    """The records of `stream`, to its end, without seeking. Raises UserError naming `name` and the byte offset.

    `offset` is where the stream stands.
    """
    begun = offset
    parts: list[bytes] = []
    while header := stream.read(HEADER_BYTES):
        flag, length = part(header, name, offset, inside=bool(parts))
        payload = stream.read(length)
        if len(payload) < length:
            raise corrupt(name, offset, f"truncated: the payload has {len(payload)} of {length} bytes")
        begun = begun if parts else offset
        parts += [MAGIC, payload] if parts else [payload]
        padding = -length % 4
        offset += HEADER_BYTES + length + len(stream.read(padding))  # the last padding of all may be missing
        if flag in {WHOLE, LAST}:
            yield Frame(begun, b"".join(parts))
            parts = []
    if parts:
        raise corrupt(name, offset, "truncated: the last part of a record is missing")


def frame(payload: bytes) -> bytes:
    """`payload` framed, in several parts where it holds the magic word. Raises UserError when it is too long."""
    if len(payload) >= 1 << _LENGTH_BITS:
        raise UserError(f"a RecordIO record holds less than 512 MiB, this one has {len(payload)} bytes")
    pieces = _pieces(payload)
    if len(pieces) == 1:
        return _framed(WHOLE, payload)
    flags = [FIRST, *[MIDDLE] * (len(pieces) - 2), LAST]
    return b"".join(map(_framed, flags, pieces))


def unwrapped(sources: Iterable[Source]) -> Iterator[Source]:
    """The objects that RecordWrapperType=RecordIO has wrapped in `sources`, one at a time in memory."""
    for source in sources:
        with source.open() as stream:
            for position, wrapped in enumerate(read(stream, source.name), start=1):
                yield Source(f"{source.name} (object {position})", open=partial(io.BytesIO, wrapped.payload))


def part(header: bytes, name: str, offset: int, *, inside: bool) -> tuple[int, int]:
    """What the header of a frame at `offset` says: what it holds of its record, and the payload's bytes.

    `inside` is whether it continues a record. Raises UserError naming `name` and the offset.
    """
    if len(header) < HEADER_BYTES:
        raise corrupt(name, offset, f"truncated: the header has {len(header)} of 8 bytes")
    magic, word = _HEADER.unpack(header)
    if magic != MAGIC:
        raise corrupt(
            name,
            offset,
            f"The Record IO header does not start with the magic number: found {magic.hex()} where {MAGIC.hex()} "
            "begins a record",
        )
    flag = word >> _LENGTH_BITS
    if flag > LAST:
        raise corrupt(name, offset, f"part flag {flag} does not exist")
    if (flag in {MIDDLE, LAST}) != inside:
        raise corrupt(name, offset, f"part flag {flag} is out of place")
    return flag, word & (1 << _LENGTH_BITS) - 1


def _pieces(payload: bytes) -> list[bytes]:
    """`payload` without the magic words at multiples of four, cut there."""
    pieces = []
    begin, position = 0, payload.find(MAGIC)
    while position >= 0:
        if position % 4 == 0:
            pieces.append(payload[begin:position])
            begin = position + 4
        position = payload.find(MAGIC, position + 4 if position % 4 == 0 else position + 1)
    return [*pieces, payload[begin:]]


def _framed(flag: int, payload: bytes) -> bytes:
    return _HEADER.pack(MAGIC, flag << _LENGTH_BITS | len(payload)) + payload + bytes(-len(payload) % 4)


def corrupt(name: str, offset: int, reason: str) -> UserError:
    """The error that what stands at `offset` is no frame, or no whole one."""
    return UserError(f"{name}, byte {offset}: not RecordIO, or damaged ({reason}): send the file again, whole")
