"""Columns of numbers that grow in files and are read through memory maps, so that they take no memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sagedock.contracts.files import explain

_PART = 1 << 20


class Column:
    """Numbers appended to a file, and then mapped into memory."""

    def __init__(self, path: Path, dtype: type[np.generic]) -> None:
        self._path = path
        self._dtype = np.dtype(dtype)
        path.unlink(missing_ok=True)  # who has mapped an older one keeps it
        self._write("wb", b"")

    def append(self, values: NDArray[Any]) -> None:
        """Raises PlatformError when the disk is full."""
        self._write("ab", np.ascontiguousarray(values, dtype=self._dtype).data)

    def mapped(self) -> NDArray[Any]:
        """What was appended; the file has to stay where it is."""
        if not self._path.stat().st_size:
            return np.empty(0, self._dtype)
        return np.memmap(self._path, self._dtype, mode="r")

    def renumber(self, size: int) -> NDArray[np.int64]:
        """Give the values, all of them below `size`, numbers from 0 in their order; what was `found[n]` becomes n."""
        seen = np.zeros(size, bool)
        values = self.mapped()
        for part in _parts(len(values)):
            seen[values[part]] = True
        numbers = (np.cumsum(seen) - 1).astype(self._dtype)
        if len(values):
            writable = np.memmap(self._path, self._dtype, mode="r+")
            for part in _parts(len(values)):
                writable[part] = numbers[writable[part]]
            writable.flush()
        return np.flatnonzero(seen)

    def _write(self, mode: str, content: bytes | memoryview) -> None:
        try:
            with self._path.open(mode) as file:
                file.write(content)
        except OSError as error:
            raise explain(error, self._path) from error


def _parts(length: int) -> Iterator[slice]:
    return (slice(begin, begin + _PART) for begin in range(0, length, _PART))


class Starts:
    """Where lines begin, from their lengths."""

    def __init__(self, path: Path) -> None:
        self._column = Column(path, np.int64)
        self._column.append(np.zeros(1))
        self._end = 0

    def append(self, lengths: NDArray[np.int64]) -> None:
        """Raises PlatformError when the disk is full."""
        ends = self._end + np.cumsum(lengths, dtype=np.int64)
        self._column.append(ends)
        self._end = int(ends[-1]) if len(ends) else self._end

    def mapped(self) -> NDArray[np.int64]:
        """(lines + 1,), from 0 to the sum of all lengths."""
        return self._column.mapped()
