"""Two containers in one network, as SageMaker and its SDK's local mode start them for InstanceCount 2."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import pytest
from docker.models.containers import Container

from tests.images.container import Engine, ended, wait_until
from tests.platform import Job

pytestmark = pytest.mark.docker

HOSTS = ("algo-1-x7k2p", "algo-2-x7k2p")
MEMBERS = Path(__file__).parents[1] / "training"
"""The algorithm `average`, which a container runs beside those of the image."""


@pytest.fixture
def network(cpu: Engine) -> Iterator[str]:
    """A network of its own, without a way out (EnableNetworkIsolation)."""
    made = cpu.client.networks.create(f"sagedock-test-{uuid4().hex[:8]}", internal=True)
    yield made.name
    made.remove()


def start(cpu: Engine, network: str, base: Path, host: str, stack: ExitStack, *, endless: bool = False) -> Container:
    """One host that has started, found by its alias; /opt/ml/model is one directory for all (contract 7.1)."""
    job = Job(base / host, {"sagedock_algorithm": "average"})
    job.write_config("resourceconfig", {"current_host": host, "hosts": list(HOSTS), "network_interface_name": "eth0"})
    job.add_channel("train", {"part": "1\n2\n" if host == HOSTS[0] else "6\n"}, ContentType="text/csv")
    if endless:
        os.mkfifo(job.data / "train" / "pipe")
    (base / "model").mkdir(exist_ok=True)
    volumes = {str(job.base): {"bind": "/opt/ml", "mode": "rw"}, str(MEMBERS): {"bind": "/members", "mode": "ro"}}
    volumes[str(base / "model")] = {"bind": "/opt/ml/model", "mode": "rw"}
    endpoint = cpu.client.api.create_endpoint_config(aliases=[host])
    container = cpu.client.api.create_container(
        cpu.image,
        entrypoint=["python3", "/members/train.py"],
        hostname="ip-10-0-0-1",
        volumes=["/opt/ml", "/members"],
        host_config=cpu.client.api.create_host_config(binds=volumes, read_only=True, tmpfs={"/tmp": ""}),
        networking_config=cpu.client.api.create_networking_config({network: endpoint}),
    )
    running = cpu.client.containers.get(container["Id"])
    stack.callback(running.remove, force=True, v=True)
    running.start()
    return running


def test_two_containers_train_one_model(cpu: Engine, network: str, tmp_path: Path) -> None:
    """Contract H02, C09: found by alias, though the container's own host name says something else."""
    with ExitStack() as stack:
        both = [start(cpu, network, tmp_path, host, stack) for host in HOSTS]
        ends = [ended(container) for container in both]
    assert [(end.code, end.complaints) for end in ends] == [(0, [])] * 2, [end.log for end in ends]
    assert json.loads((tmp_path / "model" / "average.json").read_text()) == 3
    assert sorted(file.name for file in (tmp_path / "model").iterdir()) == ["average.json", "manifest.json"]


def test_a_container_that_starts_late_is_waited_for(cpu: Engine, network: str, tmp_path: Path) -> None:
    """Contract 1.11, H02: the name of rank 0 does not even resolve when rank 1 starts."""
    with ExitStack() as stack:
        second = start(cpu, network, tmp_path, HOSTS[1], stack)
        wait_until(lambda: b"looking for the others" in second.logs(), second)
        first = start(cpu, network, tmp_path, HOSTS[0], stack)
        assert [ended(container).code for container in (first, second)] == [0, 0]


def test_a_killed_container_ends_the_other(cpu: Engine, network: str, tmp_path: Path) -> None:
    """Contract C18: the other is killed while it reads a file that never ends; what is left names it."""
    with ExitStack() as stack:
        both = [start(cpu, network, tmp_path, host, stack, endless=host == HOSTS[1]) for host in HOSTS]
        for container in both:
            wait_until(lambda container=container: b"all 2 hosts have come" in container.logs(), container)
        both[1].kill()
        assert ended(both[0]).code == 1
    failure = (tmp_path / HOSTS[0] / "output" / "failure").read_text()
    assert failure.startswith(f"HostLost: host {HOSTS[1]} ended without a word: its process was killed")
    assert not list((tmp_path / "model").iterdir())
