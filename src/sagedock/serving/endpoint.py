"""The model of one worker process while it loads, when it is ready, and when it is broken."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from sagedock.errors import ModelError, SagedockError
from sagedock.serving.answer import Answer

if TYPE_CHECKING:
    from sagedock.serving.loading import Loaded

PATH = "/invocations"

_log = logging.getLogger(__name__)


class Endpoint:
    """Loads in a thread of its own; who comes before it has loaded waits for it."""

    def __init__(self, load: Callable[[], Loaded], *, speaks: bool = True) -> None:
        """`speaks` is False for a worker whose siblings tell the log of the same failure."""
        self._load = load
        self._lock = threading.Lock()
        self._waiting: list[Callable[[Turn], object]] | None = []
        self._loaded: Loaded | None = None
        self._in_line_bytes = -1
        self._keeps_order = False
        self._turns = 0
        self._failure: ModelError | None = None
        self._speaks = speaks

    def start(self) -> None:
        """Begin to load, in the background."""
        threading.Thread(target=self._run, name="model-loading", daemon=True).start()

    @property
    def ready(self) -> bool:
        """Whether the model is loaded and has answered its warm-up record."""
        return self._loaded is not None

    def serves(self, path: str) -> bool:
        return path == PATH

    def at_once(self, _path: str, size: int) -> Endpoint | None:
        """The model where it is there and answers a body of `size` bytes in line.

        One that learns does so unless somebody who came before waits for a thread.
        """
        if size > self._in_line_bytes or (self._keeps_order and self._turns):
            return None
        return self

    def when_ready(self, _path: str, action: Callable[[Turn], object]) -> None:
        """Run `action` once loading has ended, well or not: now, or in the thread that loads."""
        with self._lock:
            self._turns += 1
            if self._waiting is not None:
                self._waiting.append(action)
                return
        action(Turn(self))

    def turn_is_over(self) -> None:
        """One of those that waited for a thread has its answer."""
        with self._lock:
            self._turns -= 1

    def __enter__(self) -> Endpoint:
        """The one model is held as long as the process lives."""
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is let go."""

    def invoke(self, body: bytes, content_type: str | None, accept: str | None) -> Answer:
        """Answer one request, after loading has ended; raises SagedockError."""
        if self._loaded is None:
            raise self._failure or ModelError("the model did not load; the log says why")
        return self._loaded.invoke(body, content_type, accept)

    def _run(self) -> None:
        """An unforeseen error is left to the thread's hook, which writes its traceback to the log."""
        try:
            loaded = self._load()
            self._loaded = loaded
            self._keeps_order = bool(getattr(loaded.model, "learns", False))
            self._in_line_bytes = loaded.model.in_line_bytes  # not before: who answers in line finds the model there
        except SagedockError as error:  # whatever is wrong with the model, the client's request is not
            self._failure = ModelError(str(error))
            if self._speaks:
                _log.error("cannot serve: %s", error)
        finally:
            with self._lock:  # until all are on their way: who comes now comes behind them
                waiting, self._waiting = self._waiting, None
                for action in waiting or ():
                    action(Turn(self))


class Turn:
    """The model for one invocation that has waited for a thread, until the end of the block."""

    __slots__ = ("_endpoint",)

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def __enter__(self) -> Turn:
        return self

    def __exit__(self, *_: object) -> None:
        self._endpoint.turn_is_over()

    def invoke(self, body: bytes, content_type: str | None, accept: str | None) -> Answer:
        """Answer the invocation; raises SagedockError."""
        return self._endpoint.invoke(body, content_type, accept)
