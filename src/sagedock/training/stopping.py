"""SIGTERM during a training job: SageMaker stops a job by it and gives it 120 seconds."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

from sagedock.errors import Stopped

_MESSAGE = "SIGTERM arrived before the first round was finished: there is no model to save; start the job again"

Result = TypeVar("Result")


class StopRequest:
    """Whether somebody asked the job to stop, and whether it may end where it stands because nothing would be lost."""

    def __init__(self) -> None:
        self.requested = False
        self.immediately = True
        self._leaving = False

    def receive(self, _signal: int, _frame: FrameType | None) -> None:
        """The signal handler. Raises Stopped while there is nothing to save, and where `unless_stopped` is at work."""
        leaves, self._leaving = self._leaving, False
        self.requested = True
        if self.immediately or leaves:
            raise Stopped(_MESSAGE)

    def unless_stopped(self, work: Callable[[], Result]) -> Result | None:
        """What `work` returns; None where a request came before its end, which leaves it at once, even in a wait.

        Raises Stopped instead while there is nothing to save.
        """
        try:
            self._leaving = True
            self._require_none()
            found = work()
            self._leaving = False  # what comes from here on is only noted
        except Stopped:
            if self.immediately:
                raise
            return None
        finally:
            self._leaving = False
        return found

    def wait_for_model(self) -> None:
        """Only note requests from now on. Raises Stopped if one came while it would have ended the job."""
        if self.immediately:
            self._require_none()
        self.immediately = False

    def _require_none(self) -> None:
        if self.requested:
            raise Stopped(_MESSAGE)


@contextmanager
def listening() -> Iterator[StopRequest]:
    """Within, SIGTERM and SIGINT (Ctrl-C) are noted in the request; afterwards they go to whoever had them before."""
    request = StopRequest()
    previous = {number: signal.signal(number, request.receive) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield request
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
