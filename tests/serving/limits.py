"""Small worlds for a server under test: a memory limit of the kernel's, a disk that is full."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.serving.process import wait_until

CGROUPS = Path("/sys/fs/cgroup")


class MemoryGroup:
    """A cgroup with a memory limit, of version 1 or 2."""

    def __init__(self, limit_bytes: int) -> None:
        self.first = (CGROUPS / "memory").is_dir()
        self.path = (CGROUPS / "memory" if self.first else CGROUPS) / f"sagedock-test-{id(self)}"
        try:
            self.path.mkdir()
            (self.path / ("memory.limit_in_bytes" if self.first else "memory.max")).write_text(str(limit_bytes))
        except OSError as error:
            pytest.skip(f"no memory cgroup can be made here: {error}")

    def add(self, pid: int) -> None:
        (self.path / "cgroup.procs").write_text(str(pid))

    @property
    def kills(self) -> int:
        """How many processes the kernel has killed for want of memory."""
        text = (self.path / ("memory.oom_control" if self.first else "memory.events")).read_text()
        return int(dict(line.split() for line in text.splitlines())["oom_kill"])

    @property
    def peak_bytes(self) -> int:
        return int((self.path / ("memory.max_usage_in_bytes" if self.first else "memory.peak")).read_text())


@contextmanager
def memory_group(limit_bytes: int) -> Iterator[MemoryGroup]:
    """A group that is removed when the processes in it have ended."""
    group = MemoryGroup(limit_bytes)
    try:
        yield group
    finally:
        wait_until(lambda: not (group.path / "cgroup.procs").read_text(), "processes of the group live on")
        group.path.rmdir()


@contextmanager
def full_disk(place: Path) -> Iterator[Path]:
    """A file system of 64 kB, all of it taken."""
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(place)], check=False)
    if mounted.returncode != 0:
        pytest.skip("no file system can be mounted here")
    try:
        with pytest.raises(OSError, match="No space left"):
            (place / "filling").write_bytes(bytes(1 << 20))
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)
