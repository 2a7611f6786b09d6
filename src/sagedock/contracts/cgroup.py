"""The limits that Linux control groups set this process, in version 1 and 2 (cgroups(7), Linux admin guide)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ControlGroup:
    """Where the limits stand: `root` is the file system of control groups, `membership` names this process's groups.

    A limit of any group above holds too, so the smallest on the way up to the root counts. In a container the path that
    `membership` names is often the host's and absent; the root is then the container's own group.
    """

    root: Path = Path("/sys/fs/cgroup")
    membership: Path = Path("/proc/self/cgroup")

    def cpus(self) -> float | None:
        """Processors' worth of time in each period, with a fraction; None without a limit."""
        quotas = [*self._quotas_v2(), *self._quotas_v1()]
        return min(quotas, default=None)

    def memory_bytes(self) -> int | None:
        """Memory before the kernel ends a process of the group; None without a limit."""
        files = (
            *(group / "memory.max" for group in self._groups("")),
            *(group / "memory.limit_in_bytes" for group in self._groups("memory")),
        )
        return min((int(limit) for file in files for limit in _numbers(file)[:1]), default=None)

    def _quotas_v2(self) -> Iterator[float]:
        for group in self._groups(""):
            found = _numbers(group / "cpu.max")
            if len(found) == 2 and min(found) > 0:
                yield found[0] / found[1]

    def _quotas_v1(self) -> Iterator[float]:
        for group in self._groups("cpu"):
            found = [*_numbers(group / "cpu.cfs_quota_us"), *_numbers(group / "cpu.cfs_period_us")]
            if len(found) == 2 and min(found) > 0:  # -1 is no limit
                yield found[0] / found[1]

    def _groups(self, controller: str) -> Iterator[Path]:
        """The directories of this process's group and those above it, of a version 1 controller or ('') version 2."""
        top = self.root / controller
        group = top / self._path(controller).lstrip("/")
        yield from (directory for directory in (group, *group.parents) if directory.is_relative_to(top))

    def _path(self, controller: str) -> str:
        try:
            lines = self.membership.read_text().splitlines()
        except OSError:
            return "/"
        for line in lines:
            _, names, path = (*line.split(":", 2), "", "")[:3]
            if controller in names.split(",") and ".." not in path:
                return path
        return "/"


def _numbers(file: Path) -> list[float]:
    """The numbers that `file` holds; none when it is absent, or says max."""
    try:
        return [float(word) for word in file.read_text().split()]
    except (OSError, ValueError):
        return []
