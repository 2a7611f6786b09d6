"""The models of a multi-model endpoint: loaded, unloaded and found by name, within a budget of memory.

Knows no HTTP. A model that is listed is in memory, or away: put out to make room for another, or not yet restored
after the worker process was replaced. A model that is away comes back for its next invocation.
"""

from __future__ import annotations

import json
import logging
import threading
from bisect import bisect_left, bisect_right, insort
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sagedock.contracts import machine
from sagedock.contracts.capacity import artefact_bytes
from sagedock.contracts.hosting import MEBIBYTE, HostingSettings
from sagedock.errors import AlreadyLoaded, ModelError, NotLoaded, UserError
from sagedock.serving import paging
from sagedock.serving.lease import Entry, Lease
from sagedock.serving.location import located
from sagedock.serving.refusals import not_loaded, require_name, scarcity_told, too_large, unusable_told
from sagedock.serving.registry import Record, Registry

if TYPE_CHECKING:  # the algorithms' libraries are imported with the first model
    from sagedock.serving.loading import Loaded

SMALLEST_MODEL = 64 * 1024
"""Bytes that a model counts at least: what stands around even the smallest one."""
RETURNED_BYTES = 1 * MEBIBYTE
"""So much freed memory is worth the milliseconds that returning it to the machine takes."""
RETURNS_AT_ONCE = 8
"""Threads in which models come back; they are started when they are needed."""
MOST_TRIES = 3
"""A model that was being restored so often when the process ended is not restored again."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Description:
    """What a client is told of a model, both as they were given when it was loaded."""

    name: str
    url: str


class Repository:
    """Every method may be called from any thread, and none but `load`, `unload` and `close` waits for anything.

    One lock guards what it holds, and is never held while a model is read, freed or used.
    """

    def __init__(
        self, root: Path, budget: int, read: Callable[[Path], Loaded], registry: Registry, *, evicts: bool = False
    ) -> None:
        """Models lie below `root` and may take `budget` bytes together; `evicts` makes room by itself."""
        self.root = root
        self.budget = budget
        self._read_directory = read
        self._registry = registry
        self._evicts = evicts
        self._lock = threading.Lock()
        self._models: dict[str, Entry] = {}
        self._names: list[str] = []
        self._claimed: set[str] = set()
        self._present: OrderedDict[str, Entry] = OrderedDict()
        """The models in memory; with eviction, the one that was used least recently comes first."""
        self._used = 0
        self._loose = 0
        """Bytes that were freed and not yet returned to the machine."""
        self._saving = threading.Lock()
        self._returns = ThreadPoolExecutor(RETURNS_AT_ONCE, thread_name_prefix="model-return")

    @classmethod
    def of(cls, settings: HostingSettings, root: Path, registry: Path | None, algorithm: str | None) -> Repository:
        """The repository of one server; `algorithm` reads directories without a manifest (SAGEDOCK_ALGORITHM)."""

        def read(directory: Path) -> Loaded:
            from sagedock.serving.loading import load

            return load(directory, algorithm, settings)

        budget, evicts = settings.model_memory_bytes, settings.eviction == "lru"
        return cls(root, budget, read, Registry(registry), evicts=evicts)

    @property
    def used(self) -> int:
        """Bytes of the budget that are taken."""
        return self._used

    def load(self, name: str, url: str) -> None:
        """Read the model in the directory `url`; when this returns, `name` answers.

        Raises UserError for a name or url that cannot be, and for a model that cannot be used; NotFound for a url where
        nothing is; AlreadyLoaded; InsufficientResources.
        """
        require_name(name)
        directory = located(url, self.root)
        with self._claim(name), unusable_told(url):
            entry = Entry(name, url)
            self._bring(entry, directory)
            with self._lock:
                self._models[name] = entry
                insort(self._names, name)
        self._save()
        _log.info("%s", json.dumps({"event": "model_loaded", "model": name, "url": url, "bytes": entry.size}))

    def unload(self, name: str) -> None:
        """Forget the model, wait for its running invocations, and free it. Raises NotLoaded."""
        with self._lock:
            entry = self._found(name)
            del self._models[name], self._names[bisect_left(self._names, name)]
            self._claimed.add(name)
            idle, arrival = threading.Event(), entry.arrival
            entry.idle = idle
            if not entry.running:
                idle.set()
        try:
            self._save()
            if arrival is not None:
                wait([arrival])
            idle.wait()
            self._put_out(entry)
        finally:
            self._claimed.discard(name)
        _log.info("%s", json.dumps({"event": "model_unloaded", "model": name}))

    def get(self, name: str) -> Description:
        """Raises NotLoaded."""
        with self._lock:
            return Description(name, self._found(name).url)

    def list(self, token: str | None = None, limit: str | None = None) -> tuple[Sequence[Description], str | None]:
        """A page of the models in the order of their names, and the token of the next page, None on the last.

        Raises UserError for a token or limit that cannot be.
        """
        size = paging.page_size(limit)
        name = paging.name_before(token) if token is not None else ""
        with self._lock:
            begin = bisect_right(self._names, name)
            names = self._names[begin : begin + size]
            page = [Description(name, self._models[name].url) for name in names]
            more = begin + size < len(self._names)
        return page, paging.token_after(names[-1]) if more else None

    def using(self, name: str) -> Lease:
        """A lease of the model, to be released; it comes at once, the model perhaps later. Raises NotLoaded."""
        with self._lock:
            entry = self._models.get(name)
            if entry is None:
                raise not_loaded(name)
            entry.running += 1
            if entry.loaded is None:
                self._call_back(entry)
            elif self._evicts:
                self._present.move_to_end(name)
            return Lease(entry, self._lock)

    def at_hand(self, name: str) -> Loaded | None:
        """The model as far as it is in memory at this moment; only a lease keeps it there."""
        entry = self._models.get(name)
        return None if entry is None else entry.loaded

    def restore(self) -> None:
        """List the models of the worker before this one, and read them again in the background."""
        entries = []
        for record in self._registry.read():
            if record.tries >= MOST_TRIES:
                _dropped(record.name, f"the worker process ended {record.tries} times while it was being restored")
                continue
            entry = Entry(record.name, record.url, record.size, record.tries)
            if not self._evicts:  # it had its share, and keeps it
                entry.counted = record.size
                self._used += record.size
            self._models[record.name] = entry
            entries.append(entry)
        self._names = sorted(self._models)
        if entries:
            threading.Thread(target=self._restore, args=(entries,), name="model-restoration", daemon=True).start()

    def close(self) -> None:
        """Wait for models that come back, and end their threads."""
        self._returns.shutdown()

    def _found(self, name: str) -> Entry:
        """Under the lock."""
        entry = self._models.get(name)
        if entry is None:
            raise not_loaded(name)
        return entry

    @contextmanager
    def _claim(self, name: str) -> Iterator[None]:
        """The name is this thread's while the block runs. Raises AlreadyLoaded when it is somebody's."""
        with self._lock:
            if name in self._models:
                raise AlreadyLoaded(f"a model {name!r} is loaded already: unload it first", field="model_name")
            if name in self._claimed:
                raise AlreadyLoaded(f"the model {name!r} is being loaded or unloaded: ask again", field="model_name")
            self._claimed.add(name)
        try:
            yield
        finally:
            self._claimed.discard(name)

    def _bring(self, entry: Entry, directory: Path) -> Loaded:
        """Read a model into memory, within the budget; what it counted is given back when that fails."""
        with ExitStack() as undo:
            undo.callback(self._put_out, entry)
            self._reserve(entry, max(artefact_bytes(directory), entry.size))
            with scarcity_told(entry.name):
                loaded = self._read_directory(directory)
            self._reserve(entry, memory_of(loaded, directory))
            undo.pop_all()
        with self._lock:
            entry.loaded, entry.size = loaded, entry.counted
            self._present[entry.name] = entry
        return loaded

    def _reserve(self, entry: Entry, wanted: int) -> None:
        """Let `entry` count `wanted` bytes, whatever it counted; other models are put out for it where that is allowed.

        Raises InsufficientResources, and then nothing was put out.
        """
        wanted = max(wanted, SMALLEST_MODEL)
        with self._lock:
            missing = self._used - entry.counted + wanted - self.budget
            idle = self._idle(missing) if self._evicts and missing > 0 else []
            if missing > 0 and not idle:
                raise too_large(entry.name, wanted, self._used - entry.counted, self.budget)
            freed = [self._take_out(other) for other in idle]
            self._used += wanted - entry.counted
            entry.counted = wanted
        if freed:
            freed.clear()
            machine.return_memory()
            _log.info("%s", json.dumps({"event": "models_put_out", "models": [other.name for other in idle]}))

    def _idle(self, missing: int) -> Sequence[Entry]:
        """The models that were used least recently and together count `missing` bytes or more; none when all do not."""
        chosen = []
        for entry in self._present.values():
            if not entry.running:
                chosen.append(entry)
                missing -= entry.counted
                if missing <= 0:
                    return chosen
        return []

    def _put_out(self, entry: Entry) -> None:
        """Free what a model takes, outside the lock."""
        with self._lock:
            freed = entry.counted
            loaded = self._take_out(entry)
            self._loose += freed
            returns = self._loose >= RETURNED_BYTES
            self._loose = 0 if returns else self._loose
        del loaded
        if returns:
            machine.return_memory()

    def _take_out(self, entry: Entry) -> Loaded | None:
        """Under the lock; the model goes to the caller, who lets go of it outside."""
        loaded, entry.loaded = entry.loaded, None
        self._present.pop(entry.name, None)
        self._used -= entry.counted
        entry.counted = 0
        return loaded

    def _call_back(self, entry: Entry) -> Future[Loaded]:
        """Under the lock: have a model that is away read again, once, whoever asks."""
        if entry.arrival is None:
            entry.arrival = self._returns.submit(self._come_back, entry)
        return entry.arrival

    def _come_back(self, entry: Entry) -> Loaded:
        """Raises NotLoaded for a model that can no longer be used, which is forgotten, and InsufficientResources."""
        entry.tries += 1
        self._save()
        try:
            return self._bring(entry, located(entry.url, self.root))
        except (ModelError, UserError) as error:
            self._drop(entry, str(error))
            raise NotLoaded(f"the model {entry.name!r} could not be read again: {error}") from error
        finally:
            with self._lock:
                entry.tries, entry.arrival = 0, None
            self._save()

    def _drop(self, entry: Entry, reason: str) -> None:
        with self._lock:
            if self._models.get(entry.name) is entry:
                del self._models[entry.name], self._names[bisect_left(self._names, entry.name)]
        _dropped(entry.name, reason)

    def _restore(self, entries: Sequence[Entry]) -> None:
        """One after the other; with eviction only while there is room, since none of them was asked for."""
        for entry in entries:
            with self._lock:
                room = not self._evicts or self._used + entry.size <= self.budget
                wanted = self._models.get(entry.name) is entry and entry.loaded is None and room
                arrival = self._call_back(entry) if wanted else None
            if arrival is not None:
                wait([arrival])
                error = arrival.exception()
                if error is not None and not isinstance(error, NotLoaded):
                    _log.error("the model %r was not restored: %s", entry.name, error, exc_info=error)

    def _save(self) -> None:
        """Write the registry; a disk that refuses costs the restoration, not the service."""
        with self._saving:
            with self._lock:
                entries = list(self._models.values())
            try:
                self._registry.write(Record(entry.name, entry.url, entry.size, entry.tries) for entry in entries)
            except OSError as error:
                _log.warning("cannot note which models are loaded: %s; a new worker will not restore them", error)


def memory_of(loaded: Loaded, directory: Path) -> int:
    """Bytes that a model takes in memory; those of its files where it does not know."""
    return loaded.model.memory_bytes or artefact_bytes(directory)


def _dropped(name: str, reason: str) -> None:
    _log.error("%s", json.dumps({"event": "model_dropped", "model": name, "message": reason[:600]}))
