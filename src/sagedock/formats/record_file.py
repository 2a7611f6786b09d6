"""RecordIO files read at will: where their records begin is known, and none of them is in memory."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sagedock.errors import UserError
from sagedock.formats import recordio


@dataclass(frozen=True)
class RecordFile:
    """A file of n records; `offsets` (n + 1,) are where each begins, and where the last one ends, in bytes."""

    path: Path
    offsets: NDArray[np.int64]

    @classmethod
    def indexed(cls, path: Path) -> RecordFile:
        """The file, of which the headers of all frames were read.

        Raises UserError naming file and byte for whatever is no RecordIO, and for a last record that is not whole.
        """
        offsets = array("q")
        descriptor = _opened(path)
        try:
            size = os.fstat(descriptor).st_size
            for begin in _records(descriptor, size, str(path)):
                offsets.append(begin)
        finally:
            os.close(descriptor)
        offsets.append(size)
        return cls(path, np.frombuffer(offsets, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def read(self, number: int) -> bytes:
        """The record of this number, from 0. Threads may read at once."""
        begin, end = int(self.offsets[number]), int(self.offsets[number + 1])
        return self._record(self._bytes(begin, end - begin), begin)

    def heads(self, size: int) -> Iterator[bytes]:
        """The first bytes of each record: `size`, or all where it is shorter."""
        descriptor = _opened(self.path)
        try:
            for begin, end in zip(self.offsets[:-1].tolist(), self.offsets[1:].tolist(), strict=True):
                head = os.pread(descriptor, recordio.HEADER_BYTES + size, begin)
                flag, length = recordio.part(head[: recordio.HEADER_BYTES], str(self.path), begin, inside=False)
                if flag != recordio.WHOLE:
                    yield self._record(os.pread(descriptor, end - begin, begin), begin)[:size]
                else:
                    yield head[recordio.HEADER_BYTES :][:length]
        finally:
            os.close(descriptor)

    def _bytes(self, begin: int, size: int) -> bytes:
        descriptor = _opened(self.path)
        try:
            return os.pread(descriptor, size, begin)
        finally:
            os.close(descriptor)

    def _record(self, frames: bytes, begin: int) -> bytes:
        found = next(recordio.read(BytesIO(frames), str(self.path), begin), None)
        if found is None:
            raise UserError(f"{self.path}, byte {begin}: the file became shorter while it was read")
        return found.payload


def _records(descriptor: int, size: int, name: str) -> Iterator[int]:
    """Where the records of a file of `size` bytes begin; the padding of the last one may be missing."""
    offset, inside = 0, False
    while offset < size:
        header = os.pread(descriptor, recordio.HEADER_BYTES, offset)
        flag, length = recordio.part(header, name, offset, inside=inside)
        end = offset + recordio.HEADER_BYTES + length
        if end > size:
            held = size - offset - recordio.HEADER_BYTES
            raise recordio.corrupt(name, offset, f"truncated: the payload has {held} of {length} bytes")
        if not inside:
            yield offset
        inside = flag in {recordio.FIRST, recordio.MIDDLE}
        offset = end + -length % 4
    if inside:
        raise recordio.corrupt(name, size, "truncated: the last part of a record is missing")


def _opened(path: Path) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise UserError(
            f"cannot read {path}: {error.strerror}: let this user read every file of the channel"
        ) from error
