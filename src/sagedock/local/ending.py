"""How a training job ended here, told as SageMaker tells it: its reason, what the exit code means, what to do."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sagedock.contracts import exits
from sagedock.contracts.paths import Paths
from sagedock.local import artefacts

REASON_CHARACTERS = 1024
"""What SageMaker keeps of the failure file."""


@dataclass(frozen=True)
class Ending:
    """`lines` are the last of the log, told where there is no other reason; empty where they were just shown."""

    code: int
    out_of_memory: bool = False
    lines: Iterable[str] = ()
    stopped: str | None = None

    def tell(self, name: str, paths: Paths, output: Path) -> int:
        """Pack what was left, write what became of the job to stderr, and return the exit code."""
        if self.stopped is not None:
            sys.stderr.write(f"stopped: {self.stopped}\n")
        if self.code != 0:
            sys.stderr.write(self._failure(name, paths))
            return self.code if self.code > 0 else 128 - self.code
        for archive in artefacts.pack(paths, output):
            sys.stderr.write(f"packed  {archive}\n")
        sys.stderr.write(f"model   {paths.model}\nreport  {paths.output_data / 'report.html'}\n")
        return 0

    def _failure(self, name: str, paths: Paths) -> str:
        reason = _reason(paths)
        told = [f"training job {name} failed, {exits.meaning(self.code, out_of_memory=self.out_of_memory)}"]
        told += [f"reason  {reason}"] if reason else ["the container left no reason; the last lines of its log:"]
        told += [] if reason else [f"    {line}" for line in self.lines]
        return "\n".join(told) + "\n"


def _reason(paths: Paths) -> str:
    try:
        return paths.failure.read_text(encoding="utf-8", errors="replace")[:REASON_CHARACTERS].strip()
    except OSError:
        return ""
