"""How many processors and how much memory a container has, from given control group files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sagedock.contracts import machine
from sagedock.contracts.cgroup import ControlGroup

GIBIBYTE = 1024**3
UNLIMITED_V1 = 9223372036854771712
"""What version 1 says for no limit: the largest whole number of pages."""


def group(folder: Path, files: dict[str, str], membership: str = "0::/\n") -> ControlGroup:
    """A file system of control groups that holds `files`, seen by a process of these groups."""
    for name, text in files.items():
        file = folder / "cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (folder / "membership").write_text(membership)
    return ControlGroup(folder / "cgroup", folder / "membership")


@pytest.mark.parametrize(
    ("files", "cpus"),
    [
        ({"cpu.max": "150000 100000\n"}, 1.5),
        ({"cpu.max": "50000 100000\n"}, 0.5),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "150000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1.5),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "150000\n"}, None),
        ({"cpu.max": "\n"}, None),
        ({"cpu.max": "150000 0\n"}, None),
        ({"cpu.max": "many\n"}, None),
        ({}, None),
    ],
)
def test_the_quota_of_processor_time(tmp_path: Path, files: dict[str, str], cpus: float | None) -> None:
    assert group(tmp_path, files).cpus() == cpus


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({"memory.max": "268435456\n"}, 268435456),
        ({"memory.max": "max\n"}, None),
        ({"memory/memory.limit_in_bytes": "268435456\n"}, 268435456),
        ({}, None),
    ],
)
def test_the_limit_of_memory(tmp_path: Path, files: dict[str, str], limit: int | None) -> None:
    assert group(tmp_path, files).memory_bytes() == limit


def test_the_smallest_limit_on_the_way_up_counts(tmp_path: Path) -> None:
    """systemd puts the limit of a slice above the group of its services."""
    files = {
        "cpu.max": "max 100000",
        "a.slice/cpu.max": "120000 100000",
        "a.slice/b.service/cpu.max": "800000 100000",
        "a.slice/memory.max": str(2 * GIBIBYTE),
        "a.slice/b.service/memory.max": "max",
        "other/cpu.max": "1000 100000",
    }
    found = group(tmp_path, files, "0::/a.slice/b.service\n")
    assert (found.cpus(), found.memory_bytes()) == (1.2, 2 * GIBIBYTE)


def test_version_1_has_a_path_for_each_controller(tmp_path: Path) -> None:
    files = {
        "cpu/one/cpu.cfs_quota_us": "200000",
        "cpu/one/cpu.cfs_period_us": "100000",
        "memory/two/memory.limit_in_bytes": "1000000",
        "memory/memory.limit_in_bytes": str(UNLIMITED_V1),
    }
    found = group(tmp_path, files, "5:memory:/two\n4:cpuacct,cpu:/one\n0::/\n")
    assert (found.cpus(), found.memory_bytes()) == (2.0, 1000000)


@pytest.mark.parametrize("path", ["/docker/0123456789ab", "/../../elsewhere"])
def test_in_a_container_the_root_is_its_own_group(tmp_path: Path, path: str) -> None:
    """Without a name space the path is the host's, and absent here; with one it may point outside."""
    files = {"memory/memory.limit_in_bytes": "268435456", "cpu.max": "150000 100000"}
    found = group(tmp_path, files, f"4:memory:{path}\n0::{path}\n")
    assert (found.cpus(), found.memory_bytes()) == (1.5, 268435456)


def test_what_the_machine_has_bounds_what_the_group_says(tmp_path: Path) -> None:
    files = {"cpu.max": "102400000 100000", "memory.max": str(UNLIMITED_V1)}
    found = group(tmp_path, files)
    assert machine.cpus(found) == machine.cpu_count(found) == len(os.sched_getaffinity(0))
    assert 0 < machine.memory_limit(found) < UNLIMITED_V1


def test_a_fraction_of_a_processor_is_one_and_the_rest_is_rounded_down(tmp_path: Path) -> None:
    half, more = tmp_path / "half", tmp_path / "more"
    assert machine.cpu_count(group(half, {"cpu.max": "50000 100000"})) == 1
    assert machine.cpu_count(group(more, {"cpu.max": "190000 100000"})) == 1
