"""What the training flow offers to an algorithm while it trains."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from tqdm import tqdm

from sagedock.errors import Stopped


@dataclass
class JobContext:
    """The context of one training process; `sagedock.algorithm.Context` says what each member promises."""

    device: str
    model_directory: Path
    output_data: Path
    checkpoints: Path | None
    bar: tqdm | None = None  # type: ignore[type-arg]
    _stopping: bool = field(default=False, init=False)
    _exit_at_once: bool = field(default=True, init=False)

    def should_stop(self) -> bool:
        """True once SIGTERM arrived."""
        return self._stopping

    def stop_means_exit(self, immediately: bool) -> None:
        """Whether SIGTERM ends the job where it stands. Raises Stopped if it has arrived already and now means so."""
        self._exit_at_once = immediately
        if immediately and self._stopping:
            raise Stopped(_STOPPED)

    def emit(self, line: str) -> None:
        """Write one metric line to stdout and flush it."""
        if self.bar is not None:
            self.bar.clear()
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
        if self.bar is not None:
            self.bar.refresh()

    def progress(self, done: int, total: int) -> None:
        """Move the progress bar, if there is one."""
        if self.bar is not None:
            self.bar.total = total
            self.bar.update(done - self.bar.n)

    def on_sigterm(self, _signal: int, _frame: FrameType | None) -> None:
        """The signal handler: note the request, or end at once while there is nothing to save."""
        self._stopping = True
        if self._exit_at_once:
            raise Stopped(_STOPPED)


_STOPPED = "SIGTERM arrived before the first round was finished: there is no model to save; start the job again"


@contextmanager
def listening(context: JobContext) -> Iterator[None]:
    """Within, SIGTERM goes to `context`; afterwards to whoever had it before."""
    previous = signal.signal(signal.SIGTERM, context.on_sigterm)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def progress_bar(environment: Mapping[str, str]) -> tqdm | None:  # type: ignore[type-arg]
    """A bar on stderr, by SAGEDOCK_PROGRESS: auto (default) shows it in a terminal only; always; never.

    The images say never, because a container may have a terminal whose output is a log all the same.
    """
    wish = environment.get("SAGEDOCK_PROGRESS", "auto").lower()
    if wish == "never" or (wish != "always" and not sys.stderr.isatty()):
        return None
    return tqdm(desc="training", unit="round", file=sys.stderr, dynamic_ncols=True, leave=False)
