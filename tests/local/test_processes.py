"""sagedock run and delete with --on process: the command as a person meets it."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.algorithms.xgboost import data
from tests.ports import free_port
from tests.serving.models import csv, records, write_model

PATIENCE_SECONDS = 300
ROW = csv(records(1))
TRAINING = {
    "TrainingJobName": "rows",
    "HyperParameters": {"sagedock_algorithm": "xgboost", "objective": "binary:logistic", "num_round": "3"},
    "InputDataConfig": [{"ChannelName": "train", "ContentType": "text/csv"}],
}
MODEL = {"ModelName": "rows", "PrimaryContainer": {"Image": "none", "ModelDataUrl": "s3://bucket/model.tar.gz"}}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sagedock", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)


def write(file: Path, body: dict[str, Any]) -> str:
    file.write_text(json.dumps(body))
    return str(file)


@pytest.fixture
def rows(tmp_path: Path) -> str:
    features = data.numbers(50)
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "train.csv").write_text(data.csv(data.binary_labels(features), features))
    return f"train={tmp_path / 'rows'}"


def test_a_training_job_leaves_the_archives_that_sagemaker_would(tmp_path: Path, rows: str) -> None:
    """Contract 1.6: model.tar.gz and output.tar.gz, files at the root."""
    document = write(tmp_path / "job.json", TRAINING)
    done = run("run", document, "--base", str(tmp_path / "base"), "--channel", rows, "--output", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    with tarfile.open(tmp_path / "out" / "model.tar.gz") as archive:
        assert {"xgboost-model", "manifest.json"} <= set(archive.getnames())
    with tarfile.open(tmp_path / "out" / "output.tar.gz") as archive:
        assert {"report.html", "metrics.json"} <= set(archive.getnames())
    nothing = run("delete", document)
    assert (nothing.returncode, nothing.stdout.startswith("nothing to delete")) == (0, True)


def test_a_failure_is_told_with_its_reason(tmp_path: Path, rows: str) -> None:
    """Requirement 6: the failure file and what the exit code means."""
    body = {**TRAINING, "HyperParameters": {"sagedock_algorithm": "xgboost", "num_round": "none"}}
    done = run("run", write(tmp_path / "job.json", body), "--base", str(tmp_path / "base"), "--channel", rows)
    assert done.returncode == 1
    assert "training job rows failed, exit code 1" in done.stderr
    assert "reason  UserError: " in done.stderr
    assert not (tmp_path / "base" / "artefacts").exists()


@contextmanager
def serving(document: str, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """`sagedock run` of a model, once it is ready; it is ended by SIGTERM."""
    port = free_port()
    command = [sys.executable, "-m", "sagedock", "run", document, "--port", str(port), *arguments]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        _wait_until_ready(process, port)
        yield process, port
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE_SECONDS)


def _wait_until_ready(process: subprocess.Popen[str], port: int) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while _request(port, "GET", "/ping")[0] != 200:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _request(port: int, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    try:
        connection.request(method, path, body, {"Content-Type": "text/csv"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except OSError:
        return 0, b""
    finally:
        connection.close()


@pytest.mark.parametrize("packed", [False, True], ids=["directory", "tar"])
def test_a_model_document_is_served(tmp_path: Path, packed: bool) -> None:
    """Requirements 11 and 12: a model directory or a model.tar.gz, whoever trained it, served by one command."""
    model = write_model(tmp_path / "base") / "model"
    if packed:
        with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as archive:
            for file in model.iterdir():
                archive.add(file, file.name)
        model = tmp_path / "model.tar.gz"
    with serving(write(tmp_path / "model.json", MODEL), "--model", str(model)) as (process, port):
        status, answer = _request(port, "POST", "/invocations", ROW)
        assert (status, 0 < float(answer) < 1) == (200, True)
    assert process.returncode == 0


def test_an_endpoint_is_its_model_with_the_models_environment(tmp_path: Path) -> None:
    model = write_model(tmp_path / "base") / "model"
    environment = {"SAGEMAKER_INFERENCE_OUTPUT": "predicted_label"}
    container = {"Image": "none", "ModelDataUrl": str(model), "Environment": environment}
    write(tmp_path / "m.json", {"ModelName": "rows", "PrimaryContainer": container})
    write(tmp_path / "c.json", {"EndpointConfigName": "rows", "ProductionVariants": [{"ModelName": "rows"}]})
    endpoint = write(tmp_path / "e.json", {"EndpointName": "rows", "EndpointConfigName": "rows"})
    with serving(endpoint) as (_, port):
        assert _request(port, "POST", "/invocations", ROW) in {(200, b"0\n"), (200, b"1\n")}


@pytest.mark.parametrize(
    ("body", "arguments", "text"),
    [
        (TRAINING, [], "--base DIRECTORY"),
        (MODEL, [], "the model lies at s3://bucket/model.tar.gz; say where it is here: --model DIRECTORY_OR_TAR"),
        (MODEL, ["--model", "/nowhere"], "there is no model at /nowhere"),
        ({"ModelName": "m", "Containers": [{}, {}]}, [], "not emulated here: an inference pipeline"),
        (
            {"ModelName": "m", "PrimaryContainer": {"Mode": "MultiModel", "ModelPackageName": "p"}},
            [],
            "a multi-model endpoint (Mode MultiModel); a model package",
        ),
        ({"HyperParameterTuningJobName": "t"}, [], "tuning jobs are not emulated here"),
        ({"EndpointName": "e", "EndpointConfigName": "c"}, [], "names the endpoint configuration 'c', but no document"),
        ({"Name": "n"}, [], "must be the request body of CreateTrainingJob"),
        ({**TRAINING, "InputDataConfig": "x"}, [], "InputDataConfig is 'x': it must be a JSON list"),
        ({**TRAINING, "InputDataConfig": [1]}, [], "InputDataConfig[0] is 1: it must be a JSON object"),
        ({**TRAINING, "InputDataConfig": [{"DataSource": {}}]}, [], "InputDataConfig[0].ChannelName is missing"),
        ({**TRAINING, "InputDataConfig": [{"ChannelName": ".."}]}, [], "InputDataConfig[0].ChannelName is '..'"),
        (
            {**TRAINING, "InputDataConfig": [{"ChannelName": "../../../up", "DataSource": 5}], "ResourceConfig": []},
            [],
            "ChannelName is '../../../up': it must be a name of 1 to 64 letters, digits, '.', '-' and '_'; "
            "InputDataConfig[0].DataSource is 5: it must be a JSON object; ResourceConfig is []",
        ),
        ({**TRAINING, "ResourceConfig": {"InstanceCount": "1"}}, [], "InstanceCount is '1': it must be a whole number"),
        ({**TRAINING, "Environment": {"A=B": "c"}}, [], "Environment: 'A=B' is no name of a variable"),
        ({**TRAINING, "Environment": {"A": "c\0"}}, [], "Environment.A holds a NUL character"),
        ({"ModelName": "m", "PrimaryContainer": 5}, [], "PrimaryContainer is 5: it must be a JSON object"),
        ({"ModelName": "m", "Containers": 5}, [], "Containers is 5: it must be a JSON list"),
        ({"EndpointConfigName": "c", "ProductionVariants": ["x"]}, [], "ProductionVariants[0] is 'x'"),
        (MODEL, ["--port", "99999"], "argument --port: 99999 must be a port from 1 to 65535"),
    ],
)
def test_what_cannot_run_here_is_told_at_once(
    tmp_path: Path, body: dict[str, Any], arguments: list[str], text: str
) -> None:
    """Requirement 13: what is not emulated fails at once, with the list."""
    done = run("run", write(tmp_path / "d.json", body), *arguments)
    assert done.returncode in {1, 2}
    assert text in done.stderr
    assert "Traceback" not in done.stderr


def test_a_document_that_another_names_is_checked_too(tmp_path: Path) -> None:
    write(tmp_path / "c.json", {"EndpointConfigName": "c", "ProductionVariants": "x"})
    done = run("run", write(tmp_path / "e.json", {"EndpointName": "e", "EndpointConfigName": "c"}))
    assert done.returncode == 1
    assert "c.json: ProductionVariants is 'x': it must be a JSON list" in done.stderr


def test_a_document_nested_too_deep_is_no_json(tmp_path: Path) -> None:
    (tmp_path / "d.json").write_text('{"TrainingJobName": ' + "[" * 100_000)
    done = run("run", str(tmp_path / "d.json"))
    assert done.returncode == 1
    assert "d.json is no JSON: maximum recursion depth exceeded" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_archive_that_is_hostile_is_not_unpacked(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("../escaped"))
    done = run("run", write(tmp_path / "d.json", MODEL), "--model", str(tmp_path / "model.tar.gz"))
    assert done.returncode == 1
    assert "../escaped" in done.stderr
    assert not list(tmp_path.rglob("escaped"))


def test_a_transform_job_uses_the_model_beside_it(tmp_path: Path) -> None:
    """Issue 3 item 7: CreateTransformJob runs here; the model document gives image, place and environment."""
    model = write_model(tmp_path / "base") / "model"
    environment = {"SAGEMAKER_INFERENCE_OUTPUT": "predicted_label"}
    container = {"Image": "none", "ModelDataUrl": str(model), "Environment": environment}
    write(tmp_path / "m.json", {"ModelName": "rows", "PrimaryContainer": container})
    (tmp_path / "rows.csv").write_bytes(csv(records(7)))
    source = {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/rows.csv"}}}
    body = {
        "TransformJobName": "rows",
        "ModelName": "rows",
        "TransformInput": {**source, "ContentType": "text/csv", "SplitType": "Line"},
        "TransformOutput": {"S3OutputPath": "s3://bucket/out", "AssembleWith": "Line"},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
    }
    places = ["--input", str(tmp_path / "rows.csv"), "--output", str(tmp_path / "out")]
    done = run("run", write(tmp_path / "t.json", body), *places)
    assert done.returncode == 0, done.stderr
    answers = (tmp_path / "out" / "rows.csv.out").read_text().splitlines()
    assert len(answers) == 7
    assert set(answers) <= {"0", "1"}
