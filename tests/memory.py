"""Resident memory of this process, in programs that tests start to measure what something takes."""

from __future__ import annotations

from pathlib import Path


def kilobytes(name: str) -> int:
    """VmRSS, that of now, or VmHWM, the highest, of this program alone: ru_maxrss begins with its parent's."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(f"{name}:"))
