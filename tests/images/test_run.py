"""sagedock run and delete with --on docker: real containers of the CPU image, run from a document."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import tarfile
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import docker
import pytest

from tests.images.container import Engine, Served
from tests.platform import Job
from tests.ports import free_port

pytestmark = pytest.mark.docker

CHURN = Path(__file__).parents[2] / "containers" / "churn"
PATIENCE_SECONDS = 300
LABEL = "sagedock.document"


def command(action: str, document: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "sagedock", action, str(document), "--on", "docker", *arguments]


def sagedock(action: str, document: Path, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    line = command(action, document, *arguments)
    return subprocess.run(line, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False, **options)


@pytest.fixture
def shell(cpu: Engine, tmp_path: Path) -> Callable[..., Path]:
    """Writes the document of a training job that runs a shell script in the image, in place of `train`."""
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "rows.csv").write_text("1,2\n")

    def write(script: str, **members: Any) -> Path:
        body = {
            "TrainingJobName": f"shell-{uuid4().hex}",  # never that of a run that was killed and left its container
            "AlgorithmSpecification": {
                "TrainingImage": cpu.image,
                "ContainerEntrypoint": ["/bin/sh", "-c"],
                "ContainerArguments": [script],
            },
            "InputDataConfig": [
                {"ChannelName": "train", "DataSource": {"S3DataSource": {"S3Uri": str(tmp_path / "rows")}}}
            ],
            "HyperParameters": {"num_round": "3"},
            "EnableNetworkIsolation": True,
            **members,
        }
        document = tmp_path / "job.json"
        document.write_text(json.dumps(body))
        return document

    return write


def containers(client: docker.DockerClient, document: Path) -> list[Any]:
    """What is left of the containers of a training document."""
    name = json.loads(document.read_text())["TrainingJobName"]
    return client.containers.list(all=True, filters={"label": f"{LABEL}=CreateTrainingJob/{name}"})


def test_the_document_of_sagemaker_trains_in_docker_as_its_caller(
    cpu: Engine, channels: Path, tmp_path: Path, client: docker.DockerClient
) -> None:
    """Issue 3 item 7, requirement 2: the log is streamed, artefacts packed, and files are their folder's owner's."""
    body = json.loads((CHURN / "training-job.json").read_text())
    body["HyperParameters"]["num_round"] = "3"
    document, home = tmp_path / "job.json", tmp_path / "home"
    document.write_text(json.dumps(body))
    home.mkdir()
    if os.geteuid() == 0:
        os.chown(home, 12345, 12345)
    arguments = ["--image", cpu.image, "--base", str(home / "base"), "--memory", "2g"]
    for name in ("train", "validation", "feature-names"):
        arguments += ["--channel", f"{name}={channels / name}"]
    done = sagedock("run", document, *arguments)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\ttrain-error:") == 3
    with tarfile.open(home / "base" / "artefacts" / "model.tar.gz") as archive:
        assert {"xgboost-model", "manifest.json"} <= set(archive.getnames())
    assert (home / "base" / "artefacts" / "output.tar.gz").is_file()
    written = [path for path in (home / "base").rglob("*") if not path.is_symlink()]
    assert {path.stat().st_uid for path in written} == {home.stat().st_uid}
    assert containers(client, document) == []


def test_inputs_are_read_only_and_the_tree_is_sagemakers(shell: Callable[..., Path], tmp_path: Path) -> None:
    """Contract 1.2 and 1.5."""
    script = """
        cat /opt/ml/input/data/train/rows.csv
        cat /opt/ml/input/config/hyperparameters.json | tr -d ' \\n'; echo
        touch /opt/ml/input/data/train/new 2>/dev/null || echo channel refused
        touch /opt/ml/input/config/new 2>/dev/null || echo configuration refused
        touch /opt/ml/model/new /opt/ml/output/data/new /state/new && echo written
        echo "$TRAINING_JOB_NAME $WISH $(hostname)"
    """
    checkpoints = {"S3Uri": "s3://b/c", "LocalPath": "/state"}
    document = shell(script, Environment={"WISH": "granted"}, CheckpointConfig=checkpoints)
    done = sagedock("run", document, "--base", str(tmp_path / "base"))
    assert done.returncode == 0, done.stderr
    name = json.loads(document.read_text())["TrainingJobName"]
    assert done.stdout.splitlines() == [
        "1,2",
        '{"num_round":"3"}',
        "channel refused",
        "configuration refused",
        "written",
        f"{name} granted algo-1",
    ]
    assert (tmp_path / "base" / "checkpoints" / "new").exists()


@pytest.mark.parametrize(
    ("script", "arguments", "texts"),
    [
        (
            "echo 'UserError: x' >/opt/ml/output/failure; exit 1",
            [],
            ["exit code 1", "reason  UserError: x"],
        ),
        ("echo last words; exit 139", [], ["exit code 139: a library crashed", "no reason", "    last words"]),
        ("exec python3 -c 'bytearray(10**9)'", ["--memory", "32m"], ["exit code 137: the kernel killed it for memory"]),
        ("nothing-of-that-name", [], ["exit code 127: the image has no such program"]),
    ],
)
def test_a_failure_says_why(
    shell: Callable[..., Path], tmp_path: Path, script: str, arguments: list[str], texts: list[str]
) -> None:
    """Requirement 6: the failure file, else the last lines of the log; what the exit code means; the code passed on."""
    done = sagedock("run", shell(script), "--base", str(tmp_path / "base"), *arguments)
    assert f"exit code {done.returncode}" in done.stderr
    assert done.returncode != 0
    for text in texts:
        assert text in done.stderr
    assert not (tmp_path / "base" / "artefacts").exists()


GRACEFUL = "trap 'echo saved >/opt/ml/model/m; exit 0' TERM; echo started; while :; do sleep 0.1; done"


def test_a_job_ends_when_its_time_is_up(shell: Callable[..., Path], tmp_path: Path) -> None:
    """Contract 1.8: MaxRuntimeInSeconds brings SIGTERM, and what the job then saves is kept.

    It may have to wait for a processor before it hears of signals: until then the kernel drops them.
    """
    document = shell(GRACEFUL, StoppingCondition={"MaxRuntimeInSeconds": 10})
    done = sagedock("run", document, "--base", str(tmp_path / "base"))
    assert done.returncode == 0, done.stderr
    assert "stopped: MaxRuntimeInSeconds, 10 s, has passed" in done.stderr
    assert (tmp_path / "base" / "artefacts" / "model.tar.gz").is_file()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_stops_the_container(
    shell: Callable[..., Path], tmp_path: Path, client: docker.DockerClient, number: int
) -> None:
    """The container gets SIGTERM, may save, and is gone afterwards."""
    document = shell(GRACEFUL)
    line = command("run", document, "--base", str(tmp_path / "base"))
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        process.send_signal(number)
        _, told = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 130
    assert "stopping: SIGTERM" in told
    assert "Traceback" not in told
    assert (tmp_path / "base" / "model" / "m").read_text() == "saved\n"
    assert containers(client, document) == []


def test_the_bar_shows_the_rounds_in_a_terminal_only(shell: Callable[..., Path], tmp_path: Path) -> None:
    """Issue 3 item 7: a log streamed with a progress bar."""
    document = shell(r"printf '[0]\ttrain-error:0.1\n[1]\ttrain-error:0.1\n[2]\ttrain-error:0.1\n'")
    line = command("run", document, "--base", str(tmp_path / "base"))
    leader, follower = pty.openpty()
    termios.tcsetwinsize(follower, (24, 100))
    subprocess.run(line, stdout=subprocess.PIPE, stderr=follower, timeout=PATIENCE_SECONDS, check=True)
    os.close(follower)
    shown = b""
    try:
        while piece := os.read(leader, 4096):
            shown += piece
    except OSError:
        pass
    os.close(leader)
    assert b"3/3" in shown
    piped = sagedock("run", document, "--base", str(tmp_path / "base"))
    assert "\r" not in piped.stdout + piped.stderr


def test_an_image_that_is_not_here(shell: Callable[..., Path], tmp_path: Path) -> None:
    done = sagedock("run", shell("true"), "--base", str(tmp_path / "base"), "--image", "sagedock-test:none")
    assert done.returncode == 1
    assert "the image sagedock-test:none is not on this machine" in done.stderr
    assert "--image sagedock:cpu" in done.stderr


@pytest.mark.parametrize(("memory", "reason"), [("abc", "memory (abc) should specify the units"), ("1k", "Minimum")])
def test_a_limit_that_docker_refuses(shell: Callable[..., Path], tmp_path: Path, memory: str, reason: str) -> None:
    """The package refuses some options before it asks the engine."""
    done = sagedock("run", shell("true"), "--base", str(tmp_path / "base"), "--memory", memory)
    assert done.returncode == 1
    assert "PlatformError: Docker cannot start" in done.stderr
    assert reason in done.stderr
    assert "Traceback" not in done.stderr


def test_delete_removes_what_still_runs(
    shell: Callable[..., Path], tmp_path: Path, client: docker.DockerClient
) -> None:
    document = shell(GRACEFUL)
    line = command("run", document, "--base", str(tmp_path / "base"))
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        [running] = containers(client, document)
        done = sagedock("delete", document)
        process.communicate(timeout=PATIENCE_SECONDS)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"removed the container {running.short_id} of training job")
    assert containers(client, document) == []
    assert sagedock("delete", document).stdout.startswith("there is no container of training job")


@contextmanager
def hosted(
    client: docker.DockerClient, document: Path, *arguments: str
) -> Iterator[tuple[subprocess.Popen[str], Served]]:
    """`sagedock run` of a model, once it is ready; it is ended by SIGTERM."""
    port = free_port()
    line = command("run", document, "--port", str(port), *arguments)
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        yield process, Served(_container(client, process), port)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE_SECONDS)


def _container(client: docker.DockerClient, process: subprocess.Popen[str]) -> Any:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = client.containers.list(filters={"label": [LABEL]})
        if found:
            return found[0]
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_model_document_is_hosted(cpu: Engine, trained: Job, held_back: bytes, client: docker.DockerClient) -> None:
    """Requirement 12: the model's own environment, its directory read only, answers as from the image by hand."""
    arguments = ["--image", cpu.image, "--model", str(trained.model)]
    with hosted(client, CHURN / "model.json", *arguments) as (process, served):
        answer = served.invoke(held_back)
        assert len(answer.splitlines()) == len(held_back.splitlines())
        assert answer.splitlines()[0].count(b",") == 1
        [mount] = served.container.attrs["Mounts"]
        assert (mount["Destination"], mount["RW"]) == ("/opt/ml/model", False)
    assert process.returncode == 0


def test_a_serverless_endpoint_has_little(
    cpu: Engine, trained: Job, held_back: bytes, client: docker.DockerClient, tmp_path: Path
) -> None:
    """Contract 3.9: its memory, no name for its user, a read-only root."""
    variant = {"VariantName": "v", "ModelName": "sagedock-churn", "ServerlessConfig": {"MemorySizeInMB": 1024}}
    (tmp_path / "model.json").write_text((CHURN / "model.json").read_text())
    (tmp_path / "endpoint.json").write_text((CHURN / "endpoint.json").read_text())
    configuration = {"EndpointConfigName": "sagedock-churn", "ProductionVariants": [variant]}
    (tmp_path / "endpoint-config.json").write_text(json.dumps(configuration))
    arguments = ["--image", cpu.image, "--model", str(trained.model)]
    with hosted(client, tmp_path / "endpoint.json", *arguments) as (_, served):
        served.invoke(held_back)
        host = served.container.attrs["HostConfig"]
        assert (host["Memory"], host["ReadonlyRootfs"]) == (1024 << 20, True)
        assert served.container.attrs["Config"]["User"] == "65534:65534"


def test_a_transform_job_runs_on_a_container(
    cpu: Engine, trained: Job, channels: Path, held_back: bytes, client: docker.DockerClient, tmp_path: Path
) -> None:
    """Issue 3 item 7: one line of answer for each record, in a container that is gone afterwards."""
    places = ["--image", cpu.image, "--model", str(trained.model)]
    places += ["--input", str(channels / "test" / "features.csv"), "--output", str(tmp_path / "out")]
    done = sagedock("run", CHURN / "transform-job.json", *places)
    assert done.returncode == 0, done.stderr
    answers = (tmp_path / "out" / "features.csv.out").read_bytes().splitlines()
    assert len(answers) == len(held_back.splitlines())
    assert client.containers.list(all=True, filters={"label": f"{LABEL}=CreateTransformJob/sagedock-churn"}) == []
    places[places.index(str(trained.model))] = str(tmp_path / "out")
    broken = sagedock("run", CHURN / "transform-job.json", *places)
    assert broken.returncode == 1
    assert "ModelError: " in broken.stderr


def test_without_the_package_docker_the_extra_is_named(shell: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "docker.py").write_text("raise ImportError('hidden')\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "hidden")}
    done = sagedock("run", shell("true"), "--base", str(tmp_path / "base"), env=environment)
    assert done.returncode == 1
    assert "pip install 'sagedock[local]'" in done.stderr
