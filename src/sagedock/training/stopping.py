"""SIGTERM during a training job: SageMaker stops a job by it and gives it 120 seconds."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from sagedock.errors import Stopped

_MESSAGE = "SIGTERM arrived before the first round was finished: there is no model to save; start the job again"


class StopRequest:
    """Whether somebody asked the job to stop, and whether it may end where it stands because nothing would be lost."""

    def __init__(self) -> None:
        self.requested = False
        self.immediately = True

    def receive(self, _signal: int, _frame: FrameType | None) -> None:
        """The signal handler. Raises Stopped while there is nothing to save."""
        self.requested = True
        if self.immediately:
            raise Stopped(_MESSAGE)

    def wait_for_model(self) -> None:
        """Only note requests from now on. Raises Stopped if one came while it would have ended the job."""
        if self.immediately and self.requested:
            raise Stopped(_MESSAGE)
        self.immediately = False


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
