"""What the training flow offers to an algorithm while it trains."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sagedock.algorithm import Cluster
from sagedock.progress import Progress
from sagedock.training.stopping import Result, StopRequest


@dataclass(frozen=True)
class JobContext:
    """The context of one training process; `sagedock.algorithm.Context` says what each member promises."""

    environment: Mapping[str, str]
    device: str
    model_directory: Path
    output_data: Path
    checkpoints: Path | None
    cluster: Cluster
    stop: StopRequest
    bar: Progress

    def should_stop(self) -> bool:
        """True once SIGTERM arrived."""
        return self.stop.requested

    def something_to_save(self) -> None:
        """From now on SIGTERM is only noted. Raises Stopped if it arrived while there was nothing to save."""
        self.stop.wait_for_model()

    def unless_stopped(self, work: Callable[[], Result]) -> Result | None:
        """What `work` returns, or None once SIGTERM arrived."""
        return self.stop.unless_stopped(work)

    def emit(self, line: str) -> None:
        """Write one metric line to stdout and flush it."""
        self.bar.write(line)

    def progress(self, done: int, total: int) -> None:
        """Move the progress bar, if there is one."""
        self.bar.update(done, total)
