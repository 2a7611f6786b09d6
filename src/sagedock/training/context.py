"""What the training flow offers to an algorithm while it trains."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from sagedock.training.stopping import StopRequest


@dataclass(frozen=True)
class JobContext:
    """The context of one training process; `sagedock.algorithm.Context` says what each member promises."""

    device: str
    model_directory: Path
    output_data: Path
    checkpoints: Path | None
    stop: StopRequest
    bar: tqdm | None = None

    def should_stop(self) -> bool:
        """True once SIGTERM arrived."""
        return self.stop.requested

    def something_to_save(self) -> None:
        """From now on SIGTERM is only noted. Raises Stopped if it arrived while there was nothing to save."""
        self.stop.wait_for_model()

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


def progress_bar(environment: Mapping[str, str]) -> tqdm | None:
    """A bar on stderr, by SAGEDOCK_PROGRESS: auto (default) shows it in a terminal only; always; never.

    The images say never, because a container may have a terminal whose output is a log all the same.
    """
    wish = environment.get("SAGEDOCK_PROGRESS", "auto").lower()
    if wish == "never" or (wish != "always" and not sys.stderr.isatty()):
        return None
    return tqdm(desc="training", unit="round", file=sys.stderr, dynamic_ncols=True, leave=False)
