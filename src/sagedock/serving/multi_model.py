"""POST /models/<name>/invoke: the invocations of a multi-model endpoint (contract.md 5.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
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

    def in_line(self, path: str) -> bool:
        """Whether the model of `path` is in memory and answers in microseconds."""
        loaded = self._repository.at_hand(_name(path))
        return loaded is not None and loaded.model.in_line

    def when_ready(self, path: str, action: Callable[[], object]) -> None:
        """Run `action` once the model of `path` is in memory, or cannot come: now, or in the thread that brings it."""
        try:
            lease = self._repository.using(_name(path))
        except NotLoaded:
            action()
            return

        def go_on(_: object = None) -> None:
            action()
            lease.release()

        if lease.loaded is None and lease.arrival is not None:
            lease.arrival.add_done_callback(go_on)
        else:
            go_on()

    def invoke(self, path: str, body: bytes, content_type: str | None, accept: str | None) -> Answer:
        """Answer one request; raises SagedockError, NotLoaded among others. Pieces of an answer keep the model."""
        with (lease := self._repository.using(_name(path))) as loaded:
            answer = loaded.invoke(body, content_type, accept)
            if answer.pieces is None:
                return answer
            return replace(answer, pieces=Pieces(answer.pieces, lease.again()))


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


def _name(path: str) -> str:
    name = path[len(BEGIN) : -len(END)]
    return unquote(name) if "%" in name else name
