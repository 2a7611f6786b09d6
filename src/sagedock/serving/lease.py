"""One model of a multi-model endpoint, and its use by one invocation."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sagedock.errors import AlgorithmError

if TYPE_CHECKING:  # the algorithms' libraries are imported with the first model
    from sagedock.serving.loading import Loaded


@dataclass(eq=False, slots=True)
class Entry:
    """One model, guarded by the lock of its repository.

    `counted` bytes are its share of the budget, `size` is what it took when it was last in memory, `tries` is told by
    `sagedock.serving.registry.Record`. `loaded` is None while the model is away, `arrival` is there while it comes
    back, and `idle` is there while somebody waits until none of the `running` invocations is left.
    """

    name: str
    url: str
    size: int = 0
    tries: int = 0
    counted: int = 0
    running: int = 0
    loaded: Loaded | None = None
    arrival: Future[Loaded] | None = None
    idle: threading.Event | None = None


class Lease:
    """The use of one model by one invocation; while it lasts, the model stays in memory.

    As a context manager it waits for a model that is away, and raises what kept it from coming back. Who must not wait
    looks at `loaded`: when it is None, `arrival` gives the model once it is back. In any case `release` must follow; it
    may come twice.
    """

    __slots__ = ("_entry", "_lock", "arrival", "loaded")

    def __init__(self, entry: Entry, lock: threading.Lock) -> None:
        """To be made under the lock, after the entry has counted this use."""
        self._entry: Entry | None = entry
        self._lock = lock
        self.loaded = entry.loaded
        self.arrival = entry.arrival

    def release(self) -> None:
        """The invocation is over, its answer and all pieces of the answer made."""
        entry = self._entry
        if entry is None:
            return
        self._entry = self.loaded = self.arrival = None
        with self._lock:
            entry.running -= 1
            if entry.idle is not None and not entry.running:
                entry.idle.set()

    def again(self) -> Lease:
        """One more lease of the model, for what is left to do after this one's release."""
        entry = self._entry
        if entry is None:
            raise AlgorithmError("a lease was used after its release")
        with self._lock:
            entry.running += 1
            return Lease(entry, self._lock)

    def __enter__(self) -> Loaded:
        return self.loaded or self._awaited()

    def __exit__(self, *_: object) -> None:
        self.release()

    def _awaited(self) -> Loaded:
        if self.arrival is None:
            raise AlgorithmError("a lease was used after its release")
        with ExitStack() as undo:
            undo.callback(self.release)
            self.loaded = self.arrival.result()
            undo.pop_all()
        return self.loaded
