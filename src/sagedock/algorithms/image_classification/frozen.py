"""A frozen backbone (_frozen_backbone): each picture goes through it once, and later epochs learn from what came out.

Features are 32-bit floats, 2 KB a picture for 18 and 34 layers and 8 KB from 50 on. As many as fit stay in memory; more
go to a file without a name, which the operating system keeps in what memory is free.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sagedock.contracts import machine
from sagedock.contracts.files import explain

Floats = NDArray[np.float32]


class Batch(Protocol):
    """Prepared pictures, as the input pipeline gives them."""

    @property
    def pictures(self) -> NDArray[np.uint8]:
        """(n, C, H, W)."""

    @property
    def labels(self) -> NDArray[Any]:
        """(n,) or (n, classes)."""

    @property
    def places(self) -> Sequence[str]:
        """Where each comes from."""


@dataclass(frozen=True)
class Cached:
    """The features of a channel's pictures (n, width), their labels, and where each comes from."""

    vectors: Floats
    labels: NDArray[Any]
    places: Sequence[str]

    def batches(
        self, size: int, random: np.random.Generator | None = None
    ) -> Iterator[tuple[Floats, NDArray[Any], list[str]]]:
        """Features, labels and places, `size` at a time; in a random order where there is a `random`."""
        rows = len(self.places)
        order = np.arange(rows) if random is None else random.permutation(rows)
        for begin in range(0, rows, size):
            chosen = order[begin : begin + size]
            yield self.vectors[chosen], self.labels[chosen], [self.places[number] for number in chosen]


def cached(
    features: Callable[[NDArray[np.uint8]], Floats],
    batches: Iterable[Batch],
    directory: Path | None = None,
    memory: int | None = None,
) -> Cached:
    """What `features` makes of each batch. Above `memory` bytes (a quarter of what is free) they go to a file in
    `directory`; raises PlatformError where the disk refuses.
    """
    free = max(0, machine.memory_limit() - machine.resident_memory())
    with _Rows(free // 4 if memory is None else memory, directory) as rows:
        labels, places = [], list[str]()
        for batch in batches:
            rows.add(features(batch.pictures))
            labels.append(batch.labels)
            places += batch.places
        return Cached(rows.whole(), np.concatenate(labels), places)


@dataclass
class _Rows:
    """Blocks of rows as they come, in memory at first."""

    memory: int
    directory: Path | None
    _blocks: list[Floats] = field(default_factory=list)
    _bytes: int = 0
    _width: int = 0
    _file: IO[bytes] | None = None

    def __enter__(self) -> _Rows:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()  # what is mapped stays

    def add(self, block: Floats) -> None:
        self._bytes += block.nbytes
        self._width = block.shape[1]
        self._blocks.append(block)
        if self._bytes <= self.memory:
            return
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(dir=self.directory)  # noqa: SIM115 - closed at the block's end
            for each in self._blocks:
                self._file.write(np.ascontiguousarray(each).data)
        except OSError as error:
            raise explain(error, self.directory or Path(tempfile.gettempdir())) from error
        self._blocks.clear()

    def whole(self) -> Floats:
        if self._file is None:
            return np.concatenate(self._blocks)
        self._file.flush()
        return np.memmap(self._file, np.float32, "r", shape=(self._bytes // 4 // self._width, self._width))
