"""Every algorithm in the CPU images: trained and served with no network, and nothing writable but /opt/ml and /tmp."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sagedock import algorithms
from sagedock.algorithm import Algorithm
from tests.contract.samples import SAMPLES
from tests.images.container import Engine, wait_until
from tests.platform import Job

pytestmark = pytest.mark.docker

SHUT: Mapping[str, Any] = {"network_mode": "none", "read_only": True, "tmpfs": {"/tmp": ""}, "shm_size": "64m"}
PING = "import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:8080/ping').status)"
ASK = """
import pathlib, sys, urllib.request
body = pathlib.Path("/opt/ml/request").read_bytes()
asked = urllib.request.Request("http://127.0.0.1:8080/invocations", body, {"Content-Type": sys.argv[1]})
print(urllib.request.urlopen(asked).read().decode())
"""


@pytest.fixture(scope="module", params=algorithms.names())
def algorithm(request: pytest.FixtureRequest) -> Algorithm:
    """Each algorithm in turn."""
    return algorithms.find(request.param)


def job(base: Path, algorithm: Algorithm) -> Job:
    """The job of the contract's sample, and beside its folders the body of a request."""
    sample = SAMPLES[algorithm.name]
    made = Job(base, {**sample.hyperparameters, "sagedock_algorithm": algorithm.name})
    for channel, files in sample.channels.items():
        made.add_channel(channel, files, ContentType=sample.content_type)
    (base / "request").write_bytes(sample.requests[asked_type(algorithm)])
    return made


def asked_type(algorithm: Algorithm) -> str:
    """The type of the request."""
    return next(iter(SAMPLES[algorithm.name].requests))


@pytest.fixture(scope="module")
def boxed(cpu: Engine, algorithm: Algorithm, tmp_path_factory: pytest.TempPathFactory) -> Job:
    """The job at its end, trained in a container."""
    made = job(tmp_path_factory.mktemp("boxed") / "ml", algorithm)
    run = cpu.run("train", made.base, **SHUT)
    assert (run.code, made.failure) == (0, ""), run.log
    return made


def answered(engine: Engine, made: Job, media_type: str) -> tuple[bytes, bytes]:
    """The first answer of a server, and which libraries its processes have in memory."""
    with engine.started("serve", made.base, **SHUT) as container:
        wait_until(lambda: container.exec_run(["python3", "-c", PING]).output.strip() == b"200", container)
        answer = container.exec_run(["python3", "-c", ASK, media_type])
        mapped = container.exec_run(["sh", "-c", "cat /proc/[0-9]*/maps"])
        left = container.exec_run(["find", "/tmp", "-type", "f", "!", "-name", "*.lock"])
    assert answer.exit_code == 0, answer.output.decode()
    assert left.output == b""
    return answer.output, mapped.output


def refused(engine: Engine, made: Job, algorithm: Algorithm) -> None:
    """The server says which packages it has not, and what to do; it is never healthy."""
    with engine.started("serve", made.base, **SHUT) as container:
        said = re.compile(rf"{algorithm.name} serves with [\w, ]+, not installed here")
        wait_until(lambda: said.search(container.logs().decode()) is not None, container)
        assert "--without-torch" in container.logs().decode()
        assert container.exec_run(["python3", "-c", PING]).exit_code == 1


def test_what_is_trained_with_torch_is_served_without(
    cpu: Engine, cpu_without_torch: Engine, algorithm: Algorithm, boxed: Job
) -> None:
    """Issues 6 and 7, docs 0033: both images answer the same, and no process that serves has torch in memory.

    Docs 0046: what serves with a package that the lean image has not, says so there. C15: 64 MB of shared memory do.
    """
    full, mapped = answered(cpu, boxed, asked_type(algorithm))
    assert b"libtorch" not in mapped
    assert b"/sagedock/_core" in mapped
    assert len(full) > 1
    if algorithm.serving_needs:
        refused(cpu_without_torch, boxed, algorithm)
        return
    lean, _ = answered(cpu_without_torch, boxed, asked_type(algorithm))
    assert full == lean


def test_an_image_without_torch_trains_what_needs_none(
    cpu_without_torch: Engine, algorithm: Algorithm, tmp_path: Path
) -> None:
    """Docs 0033: of the others it says why, and what to do."""
    made = job(tmp_path / "ml", algorithm)
    run = cpu_without_torch.run("train", made.base, **SHUT)
    if "torch" in algorithm.needs:
        assert run.code == 1
        assert f"{algorithm.name} trains with torch" in made.failure
        assert "--without-torch" in made.failure
    else:
        assert (run.code, made.failure) == (0, ""), run.log
