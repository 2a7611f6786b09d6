"""A model file that nobody can open until the test says so."""

from __future__ import annotations

import fcntl
import os
import signal
from pathlib import Path
from types import TracebackType


class HeldModel:
    """A lease on `file` (fcntl(2), F_SETLEASE): whoever opens it waits until `release`, or 45 s (lease-break-time)."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.descriptor = os.open(file, os.O_RDWR)

    def __enter__(self) -> HeldModel:
        self.earlier = signal.signal(signal.SIGIO, signal.SIG_IGN)  # the kernel's word that somebody waits
        fcntl.fcntl(self.descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        return self

    def release(self) -> None:
        """Let everybody read the model."""
        fcntl.fcntl(self.descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self.descriptor)
        signal.signal(signal.SIGIO, self.earlier)
