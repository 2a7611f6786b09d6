"""Fixtures for tests in real containers: the engine, the images, and the churn job."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.errors import DockerException, ImageNotFound

from tests.images.container import Engine
from tests.platform import Job

ROOT = Path(__file__).parents[2]
CHURN = ROOT / "containers" / "churn"

MakeJob = Callable[..., Job]


@pytest.fixture(scope="session")
def client() -> Iterator[docker.DockerClient]:
    """A connection to the engine of this machine."""
    try:
        client = docker.from_env(timeout=300)
        client.ping()
    except DockerException as error:
        pytest.skip(f"no Docker engine answers: {error}")
    yield client
    client.close()


@pytest.fixture(scope="session")
def cpu(client: docker.DockerClient) -> Engine:
    """The CPU image that `scripts/build cpu` makes."""
    return _engine(client, "sagedock:cpu")


@pytest.fixture(scope="session")
def gpu(client: docker.DockerClient) -> Engine:
    """The GPU image that `scripts/build gpu` makes."""
    return _engine(client, "sagedock:gpu")


@pytest.fixture(scope="session")
def cpu_without_torch(client: docker.DockerClient) -> Engine:
    """The CPU image that `scripts/build cpu --without-torch` makes."""
    return _engine(client, "sagedock:cpu-without-torch")


def _engine(client: docker.DockerClient, image: str) -> Engine:
    try:
        client.images.get(image)
    except ImageNotFound:
        pytest.skip(f"there is no image {image}: scripts/build {_arguments(image)} makes it")
    return Engine(client, image)


def _arguments(image: str) -> str:
    """What scripts/build is given to make it: cpu, or cpu --without-torch."""
    return image.rpartition(":")[2].replace("-without", " --without")


@pytest.fixture(scope="session")
def channels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The churn data prepared: train, validation, feature-names, and test with the customers held back."""
    directory = tmp_path_factory.mktemp("churn")
    subprocess.run([sys.executable, str(CHURN / "prepare.py"), str(directory)], check=True, capture_output=True)
    return directory


@pytest.fixture(scope="session")
def held_back(channels: Path) -> bytes:
    """Customers that no training saw, as the body of a request."""
    return (channels / "test" / "features.csv").read_bytes()


@pytest.fixture(scope="session")
def churn_job(channels: Path) -> MakeJob:
    """A maker of the churn job of containers/churn below a directory; arguments change its hyperparameters."""
    document = json.loads((CHURN / "training-job.json").read_text())

    def make(base: Path, **changed: Any) -> Job:
        hyperparameters: Mapping[str, Any] = {**document["HyperParameters"], **changed}
        job = Job(base, {name: value for name, value in hyperparameters.items() if value is not None})
        for channel in document["InputDataConfig"]:
            name = channel["ChannelName"]
            files = {file.name: file.read_bytes() for file in (channels / name).iterdir()}
            facts = {"ContentType": channel["ContentType"]} if channel.get("ContentType") else {}
            job.add_channel(name, files, **facts)
        return job

    return make


@pytest.fixture(scope="session")
def trained(cpu: Engine, churn_job: MakeJob, tmp_path_factory: pytest.TempPathFactory) -> Job:
    """The churn job, trained in a container with no network and nothing writable but /opt/ml and /tmp."""
    job = churn_job(tmp_path_factory.mktemp("trained") / "ml")
    run = cpu.run("train", job.base, network_mode="none", read_only=True, tmpfs={"/tmp": ""})
    assert run.code == 0, run.log
    (job.base / "train.log").write_text(run.log)
    return job
