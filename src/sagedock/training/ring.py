"""The sum of arrays over all hosts, by a ring: each host sends to the next and receives from the one before.

An array is cut into as many segments as there are hosts. In one round every segment goes once round the ring and is
added to on its way; in a second round the sums go round. So each host sends and receives twice the array whatever the
number of hosts, and each segment is added up in one order, which makes the result the same bits everywhere (Patarasuk
and Yuan 2009, "Bandwidth optimal all-reduce algorithms for clusters of workstations").
"""

from __future__ import annotations

import itertools
import select
from typing import TYPE_CHECKING

from sagedock.training.connection import Connection, Waits

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BLOCK_BYTES = 4 << 20
"""What travels between two additions: room for that much is taken beside the array."""


class Ring:
    """This host's place in the ring: `before` sends to it, and it sends to `after`."""

    def __init__(self, rank: int, size: int, before: Connection, after: Connection, waits: Waits) -> None:
        self._rank, self._size, self._waits = rank, size, waits
        self._before, self._after = before, after

    @property
    def connections(self) -> tuple[Connection, Connection]:
        """Both neighbours'."""
        return self._before, self._after

    def add_up(self, array: NDArray[np.float32], factor: float) -> None:
        """Replace the contents of a C-contiguous array by the sum over all hosts, each one's times its own factor."""
        array *= factor
        flat = array.reshape(-1)
        bounds = [len(flat) * part // self._size for part in range(self._size + 1)]
        segments = [flat[begin:end] for begin, end in itertools.pairwise(bounds)]
        for step in range(self._size - 1):
            self._pass(segments[self._at(-step)], segments[self._at(-step - 1)], add=True)
        for step in range(self._size - 1):
            self._pass(segments[self._at(1 - step)], segments[self._at(-step)], add=False)

    def _at(self, offset: int) -> int:
        return (self._rank + offset) % self._size

    def _pass(self, given: NDArray[np.float32], taken: NDArray[np.float32], *, add: bool) -> None:
        """Send a segment on while another comes in, which is added to the own one or replaces it."""
        import numpy as np

        length = BLOCK_BYTES // 4
        incoming = np.empty(min(length, len(taken)), np.float32)
        for begin in range(0, max(len(given), len(taken)), length):
            target = taken[begin : begin + length]
            arrived = incoming[: len(target)] if add else target
            self._swap(given[begin : begin + length].view(np.uint8).data, arrived.view(np.uint8).data)
            if add:
                target += arrived

    def _swap(self, going: memoryview, coming: memoryview) -> None:
        """Send all of one and fill the other at the same time, or two hosts would wait for each other."""
        while going or coming:
            sent = self._after.write_some(going) if going else None
            come = self._before.read_some(coming) if coming else None
            going, coming = going[sent or 0 :], coming[come or 0 :]
            if sent is None and come is None:
                wanted = [(self._after, select.POLLOUT)] if going else []
                wanted += [(self._before, select.POLLIN)] if coming else []
                self._waits.until(wanted, moving=True)
