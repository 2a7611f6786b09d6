"""The progress bar that a person at a terminal sees while objects are transformed, and the line at the end."""

from __future__ import annotations

import time
from collections.abc import Mapping

from tqdm import tqdm

from sagedock.progress import wanted

_FORMAT = "{desc}: {percentage:3.0f}%|{bar}| {postfix} [{elapsed}<{remaining}]"


class Progress:
    """Bytes read of all objects move the bar and give the time left; beside it are rows per second."""

    def __init__(self, total: int, *, shown: bool) -> None:
        self.records = self.rejected = 0
        self._began = time.monotonic()
        self._bar = tqdm(
            total=total, desc="transforming", bar_format=_FORMAT, dynamic_ncols=True, leave=False, disable=not shown
        )

    @classmethod
    def by(cls, environment: Mapping[str, str], total: int) -> Progress:
        return cls(total, shown=wanted(environment))

    def advance(self, size: int, records: int, rejected: int = 0) -> None:
        """`size` more bytes are read, `records` answered and `rejected` left out."""
        self.records += records
        self.rejected += rejected
        self._bar.set_postfix_str(f"{self._rate():,.0f} rows/s", refresh=False)
        self._bar.update(size)

    def close(self) -> None:
        self._bar.refresh()
        self._bar.close()

    def summary(self, finished: int, objects: int) -> str:
        """What was done, in one line."""
        left_out = f", {self.rejected:,} rejected" if self.rejected else ""
        seconds = time.monotonic() - self._began
        return (
            f"transformed {finished:,} of {objects:,} objects: {self.records:,} records{left_out} "
            f"in {seconds:.1f} s, {self._rate():,.0f} rows per second"
        )

    def _rate(self) -> float:
        return self.records / max(time.monotonic() - self._began, 1e-3)
