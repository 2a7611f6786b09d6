"""Containers with limits: workers and threads follow the container's processors and memory, not the machine's."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.images.container import Engine
from tests.platform import Job

pytestmark = pytest.mark.docker

MEBIBYTE = 1024 * 1024
ASK = """
import json, os
from sagedock.contracts import machine
from sagedock.contracts.hosting import HostingSettings
settings = HostingSettings.from_environment({"SAGEDOCK_DEVICE": "cpu"})
print(json.dumps([machine.cpus(), machine.memory_limit(), settings.workers, settings.threads]))
"""


def asked(engine: Engine, base: Path | None = None, **limits: Any) -> list[float]:
    """Processors, bytes of memory, workers and threads that a container with these limits sees."""
    run = engine.run(["-c", ASK], base, entrypoint=["python3"], network_mode="none", **limits)
    assert run.code == 0, run.log
    return json.loads(run.log)


@pytest.mark.parametrize(
    ("limits", "cpus", "memory"),
    [
        ({"nano_cpus": 1_500_000_000, "mem_limit": "256m"}, 1.5, 256 * MEBIBYTE),
        ({"nano_cpus": 500_000_000, "mem_limit": "512m"}, 0.5, 512 * MEBIBYTE),
        ({"cpuset_cpus": "0", "mem_limit": "1g"}, 1, 1024 * MEBIBYTE),
    ],
)
def test_a_container_sees_its_own_limits(cpu: Engine, limits: dict[str, Any], cpus: float, memory: int) -> None:
    """Issue 3 item 4: defaults from the control group, fractions rounded down, and one worker at least."""
    assert asked(cpu, **limits) == [cpus, memory, 1, 1]


def test_a_large_model_gets_fewer_workers_and_threads_instead(cpu: Engine, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    with (tmp_path / "model" / "xgboost-model").open("wb") as artefact:
        artefact.truncate(400 * MEBIBYTE)
    count = len(os.sched_getaffinity(0))
    assert asked(cpu, tmp_path, mem_limit="2g")[2:] == [1, count]


def test_a_small_container_serves_with_one_worker(cpu: Engine, trained: Job, held_back: bytes) -> None:
    with cpu.serving(trained.base, nano_cpus=1_500_000_000, mem_limit="256m") as served:
        assert served.invoke(held_back)
        assert "with 1 workers" in served.log
        status, body = served.request("GET", "/execution-parameters")
        assert (status, json.loads(body)["MaxConcurrentTransforms"]) == (200, 1)
        assert "WARNING" not in served.log
