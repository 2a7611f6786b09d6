"""What surrounds a container and must not matter: users, read-only mounts, ports, host names, full disks."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from docker.models.containers import Container

from tests.images.conftest import MakeJob
from tests.images.container import STOP_SECONDS, Engine, Served, ended, published, wait_until
from tests.platform import Job

pytestmark = pytest.mark.docker

SOMEBODY = 12345
LISTENING = "0A"
"""The state of a listening socket in /proc/net/tcp."""


@pytest.mark.parametrize("alone", ["false", "true"], ids=["with a parent", "one process"])
def test_serves_read_only_as_anybody(cpu: Engine, trained: Job, held_back: bytes, alone: str) -> None:
    """Contract D09, D10, C16, 3.9: root file system and model read-only, only /tmp writable, a user without a name."""
    with cpu.serving(
        volumes={str(trained.model): {"bind": "/opt/ml/model", "mode": "ro"}},
        read_only=True,
        tmpfs={"/tmp": ""},
        user=f"{SOMEBODY}:{SOMEBODY}",
        environment={"SAGEDOCK_SINGLE_PROCESS": alone},
    ) as served:
        assert served.invoke(held_back)
        assert "WARNING" not in served.log
        assert (len(served.container.top()["Processes"]) == 1) == (alone == "true")


def test_serves_with_no_network(cpu: Engine, trained: Job) -> None:
    """Requirement 22: nothing is fetched when the server starts. Asked from inside, since no port is published."""
    ask = "import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:8080/ping').status)"
    with cpu.started("serve", trained.base, network_mode="none") as container:
        wait_until(lambda: container.exec_run(["python3", "-c", ask]).output.strip() == b"200", container)


def test_trains_as_anybody(cpu: Engine, churn_job: MakeJob, tmp_path: Path) -> None:
    """Requirement 3: the same image as root and as a user of the machine, whose files the outputs are."""
    job = churn_job(tmp_path / "ml", num_round="2")
    os.chown(job.base, SOMEBODY, SOMEBODY)
    run = cpu.run("train", job.base, user=f"{SOMEBODY}:{SOMEBODY}", read_only=True, tmpfs={"/tmp": ""})
    assert (run.code, run.complaints) == (0, [])
    assert _owners(job) == {SOMEBODY}


def test_what_root_writes_belongs_to_the_caller(cpu: Engine, churn_job: MakeJob, tmp_path: Path) -> None:
    """Issue 2, item 9; contract C19, C08; requirement 2: the container runs as root, as SageMaker's local mode does."""
    job = churn_job(tmp_path / "ml", num_round="2")
    (job.base / "checkpoints").mkdir()
    for directory in (job.base, job.base / "checkpoints"):
        os.chown(directory, SOMEBODY, SOMEBODY)
    run = cpu.run("train", job.base)
    assert (run.code, run.complaints) == (0, [])
    assert _owners(job) == {SOMEBODY}
    for path in _written(job):
        assert not path.is_symlink()
        wanted = 0o777 if path.is_dir() else 0o666
        assert path.stat().st_mode & wanted == wanted, f"{path} has mode {path.stat().st_mode:o}"


def test_a_failure_belongs_to_the_caller(cpu: Engine, tmp_path: Path) -> None:
    """The failure file too, in an output directory that was not there (contract C04)."""
    os.chown(tmp_path, SOMEBODY, SOMEBODY)
    assert cpu.run("train", tmp_path).code == 1
    assert (tmp_path / "output" / "failure").stat().st_uid == SOMEBODY


def test_bind_to_port(cpu: Engine, trained: Job) -> None:
    """Contract D06, D07: the port asked for, not 8080, and no other listening socket outside the safe range."""
    environment = {"SAGEMAKER_BIND_TO_PORT": "9123", "SAGEMAKER_SAFE_PORT_RANGE": "20000-20010"}
    with cpu.serving(trained.base, port=9123, environment=environment) as served:
        served.wait(lambda: served.ping() == 200)
        assert _listening_ports(served) - set(range(20000, 20011)) == {9123}


def test_two_servers_in_one_network_namespace(cpu: Engine, trained: Job, held_back: bytes) -> None:
    """Contract D08: an inference pipeline, each container with its own port, over one read-only model directory."""
    ports = {f"{port}/tcp": ("127.0.0.1", None) for port in (9001, 9002)}
    volumes = {str(trained.model): {"bind": "/opt/ml/model", "mode": "ro"}}
    first = {"SAGEMAKER_BIND_TO_PORT": "9001", "SAGEMAKER_SAFE_PORT_RANGE": "20000-20010"}
    second = {"SAGEMAKER_BIND_TO_PORT": "9002", "SAGEMAKER_SAFE_PORT_RANGE": "20011-20020"}
    with (
        cpu.serving(port=9001, ports=ports, volumes=volumes, environment=first) as one,
        cpu.started(
            "serve", network_mode=f"container:{one.container.id}", volumes=volumes, environment=second
        ) as container,
    ):
        two = Served(container, published(one.container, 9002))
        assert one.invoke(held_back) == two.invoke(held_back)


@pytest.mark.parametrize("stopped_in", ["model", "output/data"])
def test_a_full_disk_fails_the_job(cpu: Engine, churn_job: MakeJob, tmp_path: Path, stopped_in: str) -> None:
    """Issue 2, bad input; requirement 27: a real file system of 8 KiB that runs full."""
    job = churn_job(tmp_path / "ml")
    run = cpu.run("train", job.base, tmpfs={f"/opt/ml/{stopped_in}": "size=8k"})
    assert run.code == 1
    assert "disk is full" in job.failure.splitlines()[0]
    assert "larger volume" in job.failure
    assert len(job.failure) < 1024
    assert "Traceback" not in run.log


def test_sigterm_while_training(cpu: Engine, churn_job: MakeJob, tmp_path: Path, held_back: bytes) -> None:
    """Contract C05: exit 0 before SIGKILL comes, with a model of the rounds done so far that serves."""
    job = churn_job(tmp_path / "ml", num_round="1000000")
    with cpu.started("train", job.base) as container:
        wait_until(lambda: b"[20]" in container.logs(), container)
        container.stop(timeout=STOP_SECONDS)
        stopped = ended(container)
    assert (stopped.code, job.failure) == (0, ""), stopped.log
    with cpu.serving(job.base) as served:
        assert len(served.invoke(held_back).split()) == len(held_back.splitlines())


def test_sigterm_before_training(cpu: Engine, churn_job: MakeJob, tmp_path: Path) -> None:
    """Contract C06: from the first moment that process 1 can hear it; no half-written model is left."""
    job = churn_job(tmp_path / "ml", num_round="1000000")
    with cpu.started("train", job.base) as container:
        container.reload()
        wait_until(lambda: _hears_sigterm(container), container)
        container.stop(timeout=STOP_SECONDS)
        stopped = ended(container)
    assert stopped.code in {0, 143}, stopped.log
    left = {path.name for path in job.model.rglob("*")} if job.model.exists() else set()
    assert left in (set(), {"xgboost-model", "manifest.json"})


def test_sigterm_while_serving(cpu: Engine, trained: Job) -> None:
    """Contract D25, D26: an idle server ends by itself, before SIGKILL comes."""
    with cpu.serving(trained.base) as served:
        served.wait(lambda: served.ping() == 200)
        stopped = served.stop()
    assert stopped.code in {0, 143}
    assert stopped.complaints == []


def test_a_studio_host_name(cpu: Engine, churn_job: MakeJob, tmp_path: Path) -> None:
    """Contract H07: SageMaker Studio runs local mode on a host called sagemaker-local."""
    job = churn_job(tmp_path / "ml", num_round="2")
    run = cpu.run("train", job.base, hostname="sagemaker-local", environment={"SM_STUDIO_LOCAL_MODE": "True"})
    assert (run.code, run.complaints) == (0, [])


def _written(job: Job) -> list[Path]:
    inputs = job.base / "input"
    return [path for path in job.base.rglob("*") if path != inputs and inputs not in path.parents]


def _owners(job: Job) -> set[int]:
    """Users that the outputs belong to."""
    written = _written(job)
    assert job.model / "xgboost-model" in written
    return {path.stat().st_uid for path in written}


def _hears_sigterm(container: Container) -> bool:
    """Whether process 1 has a handler: until then, as the interpreter starts, the kernel drops the signal.

    What the engine starts containers with has handlers of its own, for the moment before it becomes the command.
    """
    process = Path(f"/proc/{container.attrs['State']['Pid']}")
    caught = next(line for line in (process / "status").read_text().splitlines() if line.startswith("SigCgt:"))
    is_ours = b"sagedock" in (process / "cmdline").read_bytes()
    return is_ours and bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


def _listening_ports(served: Served) -> set[int]:
    tables = served.container.exec_run(["cat", "/proc/net/tcp", "/proc/net/tcp6"]).output.decode().splitlines()
    rows = [line.split() for line in tables if ":" in line.split()[1]]
    return {int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == LISTENING}
