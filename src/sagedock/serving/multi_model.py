"""POST /models/<name>/invoke: the invocations of a multi-model endpoint (contract.md 5.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from urllib.parse import unquote

from sagedock.errors import NotLoaded
from sagedock.serving.answer import Answer
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
        return loaded is not None and bool(getattr(loaded.model, "in_line", False))

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
        """Answer one request; raises SagedockError, NotLoaded among others."""
        with ExitStack() as held:
            loaded = held.enter_context(self._repository.using(_name(path)))
            answer = loaded.invoke(body, content_type, accept)
            if answer.pieces is None:
                return answer
            return replace(answer, pieces=_while_held(answer.pieces, held.pop_all()))


def _while_held(pieces: Iterator[bytes], held: ExitStack) -> Iterator[bytes]:
    """`pieces`; the model is in use until the last is made, or nobody wants more."""
    with held:
        yield from pieces


def _name(path: str) -> str:
    name = path[len(BEGIN) : -len(END)]
    return unquote(name) if "%" in name else name
