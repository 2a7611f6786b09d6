"""Counters of every worker in memory that all processes of the server share.

Each worker writes the row of its own slot only, so no lock is needed; whoever asks adds the rows up. A slot outlives
its worker: the next one goes on counting where it stopped.
"""

from __future__ import annotations

import mmap
from bisect import bisect_left
from dataclasses import dataclass

SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)
"""Upper bounds of the histogram of invocation times; what is above all of them has a last bucket of its own."""

_FIELDS = (
    "alive",
    "connections",
    "in_flight",
    "succeeded",
    "refused",
    "failed",
    "bytes_in",
    "bytes_out",
    "microseconds",
)
_BUCKETS = len(SECONDS) + 1
_WIDTH = len(_FIELDS) + _BUCKETS
_ALIVE, _CONNECTIONS, _IN_FLIGHT, _SUCCEEDED, _REFUSED, _FAILED, _BYTES_IN, _BYTES_OUT, _MICROSECONDS = range(
    len(_FIELDS)
)


@dataclass(frozen=True)
class Totals:
    """The sum over all workers: three gauges, then counters since the server started.

    `alive` are the workers. `succeeded`, `refused` and `failed` are invocations answered 2xx, 4xx and 5xx; `buckets`
    count them by time.
    """

    alive: int
    connections: int
    in_flight: int
    succeeded: int
    refused: int
    failed: int
    bytes_in: int
    bytes_out: int
    microseconds: int
    buckets: tuple[int, ...]

    @property
    def invocations(self) -> int:
        return self.succeeded + self.refused + self.failed


class Scoreboard:
    """Made before the workers are forked; `slots` is how many there may be at once."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._cells = memoryview(mmap.mmap(-1, max(slots, 1) * _WIDTH * 8)).cast("q")

    def slot(self, number: int) -> Slot:
        """The row of the worker in slot `number`."""
        return Slot(self._cells[number * _WIDTH : (number + 1) * _WIDTH])

    def fewest_connections(self) -> int:
        """Open connections of the worker that has fewest."""
        alive, connections = self._cells[_ALIVE::_WIDTH].tolist(), self._cells[_CONNECTIONS::_WIDTH].tolist()
        return min((count for count, lives in zip(connections, alive, strict=True) if lives), default=0)

    def free_slot(self) -> int:
        """The first slot without a worker. Raises ValueError when all are taken."""
        return self._cells[_ALIVE::_WIDTH].tolist().index(0)

    def totals(self) -> Totals:
        rows = [self._cells[number * _WIDTH : (number + 1) * _WIDTH].tolist() for number in range(self.slots)]
        sums = [sum(column) for column in zip(*rows, strict=True)]
        return Totals(**dict(zip(_FIELDS, sums, strict=False)), buckets=tuple(sums[len(_FIELDS) :]))


class Slot:
    """What one worker counts."""

    __slots__ = ("_cells",)

    def __init__(self, cells: memoryview) -> None:
        self._cells = cells

    def occupy(self) -> None:
        """A worker begins here, without connections."""
        self._cells[_ALIVE] = 1
        self._cells[_CONNECTIONS] = self._cells[_IN_FLIGHT] = 0

    def vacate(self) -> None:
        """The worker is gone, and its connections with it."""
        self._cells[_ALIVE] = self._cells[_CONNECTIONS] = self._cells[_IN_FLIGHT] = 0

    @property
    def connections(self) -> int:
        return self._cells[_CONNECTIONS]

    def connected(self, change: int) -> None:
        self._cells[_CONNECTIONS] += change

    def begun(self, size: int) -> None:
        """An invocation with a body of `size` bytes has arrived."""
        self._cells[_IN_FLIGHT] += 1
        self._cells[_BYTES_IN] += size

    def ended(self, status: int, size: int, seconds: float) -> None:
        """An invocation is answered with `status` and `size` bytes, `seconds` after it arrived."""
        cells = self._cells
        cells[_IN_FLIGHT] -= 1
        cells[_SUCCEEDED if status < 400 else _REFUSED if status < 500 else _FAILED] += 1
        cells[_BYTES_OUT] += size
        cells[_MICROSECONDS] += int(seconds * 1_000_000)
        cells[len(_FIELDS) + bisect_left(SECONDS, seconds)] += 1
