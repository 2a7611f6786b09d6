"""What the machine gives this container: processors and GPUs."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from sagedock.errors import PlatformError, UserError

DEVICES = ("auto", "cpu", "gpu")
_CGROUP_V2 = Path("/sys/fs/cgroup/cpu.max")
_CGROUP_V1 = (Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"), Path("/sys/fs/cgroup/cpu/cpu.cfs_period_us"))


def cpu_count() -> int:
    """Processors this container may use: the smaller of its affinity and its cgroup's quota, at least one."""
    allowed = len(os.sched_getaffinity(0))
    quota = _cgroup_quota()
    return max(1, min(allowed, int(quota))) if quota is not None else allowed


def _cgroup_quota() -> float | None:
    try:
        if _CGROUP_V2.exists():
            quota, period = _CGROUP_V2.read_text().split()
        else:
            quota, period = (file.read_text().strip() for file in _CGROUP_V1)
        return None if quota in {"max", "-1"} else float(quota) / float(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None


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
