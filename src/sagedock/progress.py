"""The progress bar that a person at a terminal sees while training runs, and a log never."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from tqdm import tqdm


class Progress:
    """A bar on stderr from the first round to the last; nothing at all unless `shown`."""

    def __init__(self, shown: bool) -> None:
        self._shown = shown
        self._bar: tqdm | None = None

    @classmethod
    def by(cls, environment: Mapping[str, str]) -> Progress:
        return cls(wanted(environment))

    def update(self, done: int, total: int, unit: str = "round") -> None:
        """Show `done` of `total` units; the bar goes with the last."""
        if not self._shown:
            return
        if self._bar is None:
            self._bar = tqdm(desc="training", total=total, unit=unit, dynamic_ncols=True, leave=False)
        self._bar.update(done - self._bar.n)
        if done >= total:
            self._bar.refresh()
            self.close()

    def close(self) -> None:
        """Take the bar away, at whatever round it is."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def write(self, line: str) -> None:
        """Write a line to stdout and flush it, the bar stepping aside."""
        if self._bar is not None:
            self._bar.clear()
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
        if self._bar is not None:
            self._bar.refresh()


def wanted(environment: Mapping[str, str]) -> bool:
    """By SAGEDOCK_PROGRESS: auto (default) shows a bar in a terminal only; always; never.

    The images say never, because a container may have a terminal whose output is a log all the same.
    """
    wish = environment.get("SAGEDOCK_PROGRESS", "auto").lower()
    return wish == "always" or (wish != "never" and sys.stderr.isatty())
