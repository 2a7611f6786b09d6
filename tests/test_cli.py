"""The command line as a person and as Docker meet it: real processes."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from sagedock import __version__, algorithms, core
from tests.algorithms.xgboost import data
from tests.platform import Job

DOCUMENT = {
    "TrainingJobName": "churn-2026",
    "HyperParameters": {"sagedock_algorithm": "xgboost", "objective": "binary:logistic", "num_round": "3"},
    "Environment": {"SAGEDOCK_DEVICE": "cpu"},
    "InputDataConfig": [
        {
            "ChannelName": "train",
            "ContentType": "text/csv",
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/train"}},
        }
    ],
    "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1},
}


def sagedock(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **variables}
    command = [sys.executable, "-m", "sagedock", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture
def document(tmp_path: Path) -> Path:
    features = data.numbers(50)
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "train.csv").write_text(data.csv(data.binary_labels(features), features))
    file = tmp_path / "training-job.json"
    file.write_text(json.dumps(DOCUMENT))
    return file


def test_version_and_help() -> None:
    assert sagedock("--version").stdout == f"sagedock {__version__}\n"
    assert "run a SageMaker request body" in sagedock("--help").stdout


def test_list_and_describe_come_from_the_declarations() -> None:
    listed = [line.split()[0] for line in sagedock("list").stdout.splitlines()]
    assert listed == algorithms.names()
    assert "xgboost" in listed
    described = json.loads(sagedock("describe", "xgboost").stdout)
    assert described["channels"][0]["name"] == "train"
    assert any(parameter["name"] == "num_round" and parameter["required"] for parameter in described["hyperparameters"])
    wrong = sagedock("describe", "xgbost")
    assert wrong.returncode == 1
    assert "did you mean 'xgboost'" in wrong.stderr


def test_the_compiled_core_is_switched_off_by_a_variable() -> None:
    """Issue 3 item 4: any command works without it, and a word that means nothing is refused."""
    code = "from sagedock import cli, core; cli.main(['list']); print(core.native)"
    for word, ending in (("off", "None\n"), ("on", f"{core.native}\n")):
        variables = {**os.environ, "SAGEDOCK_COMPILED_CORE": word}
        done = subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=True)
        assert done.stdout.endswith(ending)
    refused = sagedock("list", SAGEDOCK_COMPILED_CORE="no")
    assert refused.returncode == 1
    assert "SAGEDOCK_COMPILED_CORE is 'no': use on or off" in refused.stderr


def test_no_argument_trains(tmp_path: Path) -> None:
    """Contract A03."""
    done = sagedock(SAGEMAKER_BASE_DIR=str(tmp_path))
    assert done.returncode == 1
    assert "no algorithm was chosen" in (tmp_path / "output" / "failure").read_text()


def test_another_argument_is_executed_as_a_command(tmp_path: Path) -> None:
    """Contract A04: its exit code is passed on."""
    (tmp_path / "x").touch(0o600)
    assert sagedock("chmod", "-R", "777", str(tmp_path)).returncode == 0
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o777
    assert sagedock("sh", "-c", "exit 7").returncode == 7
    unknown = sagedock("no-such-program")
    assert unknown.returncode == 127
    assert "neither a command" in unknown.stderr


def test_a_job_document_runs_as_a_process(document: Path, tmp_path: Path) -> None:
    """Issue item 2: the local runner."""
    base = tmp_path / "base"
    done = sagedock("run", str(document), "--base", str(base), "--channel", f"train={tmp_path / 'rows'}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("train-logloss") == 3
    assert (base / "model" / "xgboost-model").exists()
    assert str(base / "output" / "data" / "report.html") in done.stderr
    again = sagedock("run", str(document), "--base", str(base), "--channel", f"train={tmp_path / 'rows'}")
    assert again.returncode == 0, again.stderr


@pytest.mark.parametrize(
    ("change", "arguments", "text"),
    [
        ({}, [], "--channel train=DIRECTORY"),
        ({}, ["--channel", "train"], "NAME=DIRECTORY"),
        ({}, ["--channel", "test=/tmp"], "the document declares train"),
        ({}, ["--channel", "train=/nowhere"], "/nowhere is no directory"),
        ({"ResourceConfig": {"InstanceCount": 2}}, ["--channel", "train=/tmp"], "InstanceCount is 2"),
    ],
)
def test_a_document_that_cannot_run(document: Path, tmp_path: Path, change, arguments: list[str], text: str) -> None:
    """House rule 4: the field, the value, and what to do."""
    document.write_text(json.dumps({**DOCUMENT, **change}))
    done = sagedock("run", str(document), "--base", str(tmp_path / "base"), *arguments)
    assert done.returncode == 1
    assert text in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("content", ["{", "[]"])
def test_a_document_that_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "d.json").write_text(content)
    done = sagedock("run", str(tmp_path / "d.json"), "--base", str(tmp_path / "base"))
    assert done.returncode == 1
    assert "d.json" in done.stderr


def on_a_terminal(job: Job, **variables: str) -> str:
    """What a terminal shows of the job's stderr."""
    leader, follower = pty.openpty()
    termios.tcsetwinsize(follower, (24, 100))
    environment = {**job.variables, **variables}
    process = subprocess.Popen(
        [sys.executable, "-m", "sagedock", "train"], env=environment, stdout=subprocess.DEVNULL, stderr=follower
    )
    os.close(follower)
    shown = b""
    while True:
        try:
            piece = os.read(leader, 4096)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    os.close(leader)
    assert process.wait(timeout=300) == 0
    return shown.decode()


def test_the_progress_bar_shows_in_a_terminal_and_never_in_a_log(tmp_path: Path) -> None:
    """Issue item 8: a container says never, terminal or not; a pipe gets no carriage return either."""
    features = data.numbers(50)
    hyperparameters = {"sagedock_algorithm": "xgboost", "objective": "binary:logistic", "num_round": "3"}
    job = Job(tmp_path, hyperparameters)
    job.add_channel("train", {"t.csv": data.csv(data.binary_labels(features), features)}, ContentType="text/csv")
    assert "3/3" in on_a_terminal(job, SAGEDOCK_PROGRESS="auto")
    assert "3/3" not in on_a_terminal(job, SAGEDOCK_PROGRESS="never")
    job.environment = {"SAGEDOCK_PROGRESS": "auto"}
    assert "\r" not in job.process().stderr
