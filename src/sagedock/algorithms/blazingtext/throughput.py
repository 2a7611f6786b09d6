"""The lines that tell how far training has come and how fast it is, in the shapes of the built-in's log."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

_FIRST_SHARE, _STEP = 0.02, 0.05
_MILLION = 1e6


class Progress(Protocol):
    """What a trainer tells while it trains; `total` and the learning rate are of the whole training."""

    @property
    def total(self) -> int:
        """Words of all epochs."""

    @property
    def learning_rate(self) -> float:
        """That of the next word."""

    @property
    def share(self) -> float:
        """How much of the training is done, 0 to 1."""


@dataclass
class Throughput:
    """Writes a line at 2 % of the training, every 5 % from there, and at its end.

    A job that resumes counts the words from where it began again.
    """

    emit: Callable[[str], None]
    hosts: int = 1
    """Several write the line without its signs, and count the words of all."""
    ending: str = "Training finished."
    _started: float = field(default_factory=time.monotonic)
    _next: float | None = None
    _first: float = 0.0
    _last: Progress | None = None

    def note(self, progress: Progress) -> None:
        """Remember how far training has come, and tell when it is time."""
        if self._next is None:
            self._first = progress.share
            self._next = _FIRST_SHARE
            while self._next <= self._first:
                self._next += _STEP
        self._last = progress
        if progress.share >= self._next:
            while self._next <= progress.share:
                self._next += _STEP
            if progress.share < 1:
                self._tell(progress)

    def finish(self) -> None:
        """The last lines."""
        if self._last is not None:
            self._tell(self._last)
        self.emit(self.ending)
        self.emit(f"Average throughput in Million words/sec: {self.rate:.2f}")
        self.emit(f"Total training time in seconds: {self.seconds:.2f}")

    @property
    def seconds(self) -> float:
        """How long training has taken."""
        return time.monotonic() - self._started

    @property
    def rate(self) -> float:
        """Million words a second so far."""
        if self._last is None:
            return 0.0
        return self.hosts * (self._last.share - self._first) * self._last.total / max(self.seconds, 1e-9) / _MILLION

    def _tell(self, progress: Progress) -> None:
        line = (
            f"Alpha: {progress.learning_rate:.4f}  Progress: {100 * progress.share:.2f}%  "
            f"Million Words/sec: {self.rate:.2f}"
        )
        self.emit(line if self.hosts > 1 else f"##### {line} #####")
