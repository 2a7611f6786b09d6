"""The model of one worker process while it loads, when it is ready, and when it is broken."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from sagedock.errors import ModelError, SagedockError
from sagedock.serving.answer import Answer

if TYPE_CHECKING:  # the model's libraries are imported by the loading thread, after the first /ping can be answered
    from sagedock.serving.loading import Loaded

_log = logging.getLogger(__name__)


class Endpoint:
    """Loads in a thread of its own; `slots` bounds how many inferences run at once."""

    def __init__(self, load: Callable[[], Loaded], slots: int, *, speaks: bool = True) -> None:
        """`speaks` is False for a worker whose siblings tell the log of the same failure."""
        self._load = load
        self._slots = threading.BoundedSemaphore(slots)
        self._finished = threading.Event()
        self._loaded: Loaded | None = None
        self._failure: ModelError | None = None
        self._speaks = speaks

    def start(self) -> None:
        """Begin to load, in the background."""
        threading.Thread(target=self._run, name="model-loading", daemon=True).start()

    @property
    def ready(self) -> bool:
        """Whether the model is loaded and has answered its warm-up record."""
        return self._loaded is not None

    def invoke(self, body: bytes, content_type: str | None, accept: str | None) -> Answer:
        """Answer one request, after the model has loaded and a slot is free; raises SagedockError."""
        self._finished.wait()
        if self._loaded is None:
            raise self._failure or ModelError("the model did not load; the log says why")
        with self._slots:
            return self._loaded.invoke(body, content_type, accept)

    def _run(self) -> None:
        """An unforeseen error is left to the thread's hook, which writes its traceback to the log."""
        try:
            self._loaded = self._load()
        except SagedockError as error:  # whatever is wrong with the model, the client's request is not
            self._failure = ModelError(str(error))
            if self._speaks:
                _log.error("cannot serve: %s", error)
        finally:
            self._finished.set()
