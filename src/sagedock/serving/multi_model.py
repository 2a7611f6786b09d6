"""POST /models/<name>/invoke: the invocations of a multi-model endpoint (contract.md 5.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import lru_cache
from urllib.parse import unquote

from sagedock.errors import NotLoaded
from sagedock.serving.answer import Answer
from sagedock.serving.lease import Lease
from sagedock.serving.repository import Repository

BEGIN, END = "/models/", "/invoke"


class MultiModelEndpoint:
    """Where the invocations of one worker process go; each path names its model, percent-coded as sent."""

    ready = True
    """Also while there is no model: models come later (contract F01)."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    def serves(self, path: str) -> bool:
        """Whether a POST to `path` is an invocation."""
        return path.endswith(END) and path.startswith(BEGIN) and path.count("/") == 3

    def at_once(self, path: str, size: int) -> Use | None:
        """The model of `path` where it is in memory and answers a body of `size` bytes in line."""
        name = _name(path)
        loaded = self._repository.at_hand(name)
        if loaded is None or size > loaded.model.in_line_bytes:
            return None
        use = self.use(name)
        if use.there:
            return use
        with use:
            return None

    def use(self, name: str) -> Use:
        """The model held for one invocation, or what is told where there is none."""
        try:
            return Use(self._repository.using(name))
        except NotLoaded as error:
            return Use(None, error)

    def when_ready(self, path: str, action: Callable[[Use], object]) -> None:
        """Run `action` once the model of `path` is in memory, or cannot come: now, or in the thread that brings it."""
        use = self.use(_name(path))
        if use.arrival is None:
            action(use)
        else:
            use.arrival.add_done_callback(lambda _: action(use))


class Use:
    """A model held from the arrival of an invocation to its end: who unloads it waits for the answer."""

    __slots__ = ("_lease", "_refusal", "arrival", "there")

    def __init__(self, lease: Lease | None, refusal: NotLoaded | None = None) -> None:
        self._lease = lease
        self._refusal = refusal
        self.there = lease is not None and lease.loaded is not None
        self.arrival = lease.arrival if lease is not None and not self.there else None

    def __enter__(self) -> Use:
        return self

    def __exit__(self, *_: object) -> None:
        if self._lease is not None:
            self._lease.release()

    def invoke(self, body: bytes, content_type: str | None, accept: str | None) -> Answer:
        """Answer the invocation; raises SagedockError, NotLoaded among others. Pieces of an answer keep the model."""
        lease = self._lease
        if lease is None:
            raise self._refusal or NotLoaded("no such model is loaded")
        answer = lease.__enter__().invoke(body, content_type, accept)
        return answer if answer.pieces is None else replace(answer, pieces=Pieces(answer.pieces, lease.again()))


class Pieces:
    """The pieces of an answer; the model stays in memory until the last is made, or none is wanted any more."""

    def __init__(self, pieces: Iterator[bytes], lease: Lease) -> None:
        self._pieces = pieces
        self._lease = lease

    def __iter__(self) -> Pieces:
        return self

    def __next__(self) -> bytes:
        with ExitStack() as end:
            end.callback(self.close)
            piece = next(self._pieces)
            end.pop_all()
        return piece

    def close(self) -> None:
        """The end, be it early; may come twice."""
        self._lease.release()


@lru_cache(maxsize=4096)
def _name(path: str) -> str:
    name = path[len(BEGIN) : -len(END)]
    return unquote(name) if "%" in name else name
