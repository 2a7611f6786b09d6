"""What the machine gives this container: processors, memory and GPUs."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from sagedock.contracts.cgroup import ControlGroup
from sagedock.errors import PlatformError, UserError

DEVICES = ("auto", "cpu", "gpu")


def cpus(group: ControlGroup | None = None) -> float:
    """Processors' worth of time this container may use: the smaller of its affinity and its quota (1.5 is one)."""
    allowed = float(len(os.sched_getaffinity(0)))
    return min(allowed, (group or ControlGroup()).cpus() or allowed)


def cpu_count(group: ControlGroup | None = None) -> int:
    """Whole processors this container may use, at least one; never the host's number."""
    return max(1, int(cpus(group)))


def memory_limit(group: ControlGroup | None = None) -> int:
    """Bytes of memory this container may use: the smaller of the machine's memory and the control group's limit."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = (group or ControlGroup()).memory_bytes()
    return machine if limit is None else min(machine, limit)


def resident_memory() -> int:
    """Bytes of this process that are in memory now (proc(5), statm)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def return_memory() -> None:
    """Give what was freed back to the machine (malloc_trim(3)); a C library without that does it by itself."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def gpu_count() -> int:
    """GPUs that `nvidia-smi --list-gpus` names; none where there is no driver."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return 0
    try:
        listed = subprocess.run([program, "--list-gpus"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines()) if listed.returncode == 0 else 0


def device(environment: Mapping[str, str]) -> str:
    """'cpu' or 'gpu', by SAGEDOCK_DEVICE: auto (default) takes a GPU when there is one.

    Raises UserError for another value and PlatformError when a GPU is asked for and none is visible.
    """
    asked = (environment.get("SAGEDOCK_DEVICE") or "auto").strip().lower()
    if asked not in DEVICES:
        raise UserError(f"SAGEDOCK_DEVICE is {asked!r}; allowed are {', '.join(DEVICES)}", field="SAGEDOCK_DEVICE")
    if asked == "cpu":
        return "cpu"
    if gpu_count() > 0:
        return "gpu"
    if asked == "gpu":
        raise PlatformError(
            "SAGEDOCK_DEVICE is gpu, but no GPU is visible in this container: choose a GPU instance type, start "
            "Docker with --gpus all, or set SAGEDOCK_DEVICE=auto to fall back to the CPU"
        )
    return "cpu"
