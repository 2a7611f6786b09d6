"""`sagedock transform` as a process, over a real server: documents, models, failures, and what they leave."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.local.jobs import body, command, transform, variables
from tests.serving.models import csv, records, write_model
from tests.serving.process import PATIENCE_SECONDS, Server, wait_until


@pytest.fixture
def source(tmp_path: Path) -> Path:
    directory = tmp_path / "in"
    directory.mkdir()
    return directory


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "out"


def online(base: Path, content: bytes, accept: str = "text/csv") -> bytes:
    """The answer of an endpoint to the whole content."""
    with Server(base) as server:
        reply = server.wait_ready().invoke(content, accept=accept)
    assert reply.status == 200, reply.body
    return reply.body


@pytest.mark.parametrize("strategy", ["SingleRecord", "MultiRecord"])
def test_a_job_answers_as_an_endpoint_does(
    tmp_path: Path, model: Path, source: Path, output: Path, strategy: str
) -> None:
    """Contract 4.3, 4.4, E13: the same bytes, one line for each record, whatever the line ends of the object."""
    content = csv(records(200))
    (source / "a.csv").write_bytes(content)
    (source / "b.csv").write_bytes(content.replace(b"\n", b"\r\n") + b"\r\n\n")
    (source / "c.csv").write_bytes(content.rstrip(b"\n"))
    ran = transform(tmp_path, body(source, output, BatchStrategy=strategy), model)
    assert ran.returncode == 0, ran.stderr
    expected = online(model.parent, content)
    assert {file.name: file.read_bytes() for file in output.iterdir()} == {
        f"{name}.csv.out": expected for name in ("a", "b", "c")
    }
    assert re.search(r"transformed 3 of 3 objects: 600 records in [\d.]+ s, [\d,]+ rows per second", ran.stderr)


def test_an_archive_is_unpacked(tmp_path: Path, model: Path, source: Path, output: Path) -> None:
    content = csv(records(5))
    (source / "a.csv").write_bytes(content)
    archive = tmp_path / "model.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(model, ".")
    ran = transform(tmp_path, body(source, output), archive)
    assert ran.returncode == 0, ran.stderr
    assert (output / "a.csv.out").read_bytes() == online(model.parent, content)


def test_an_archive_that_leads_out_is_refused(tmp_path: Path, source: Path, output: Path) -> None:
    (source / "a.csv").write_bytes(b"1\n")
    archive = tmp_path / "model.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(source / "a.csv", "../../escaped")
    ran = transform(tmp_path, body(source, output), archive)
    assert (ran.returncode, "ModelError" in ran.stderr, output.exists()) == (1, True, False), ran.stderr


def test_a_model_is_transformed_with_while_it_is_served(
    tmp_path: Path, model: Path, source: Path, output: Path
) -> None:
    """README: a person serves a model in one terminal and transforms in another."""
    (source / "a.csv").write_bytes(csv(records(3)))
    with Server(model.parent) as server:
        server.wait_ready()
        ran = transform(tmp_path, body(source, output), model)
        assert ran.returncode == 0, ran.stderr
        assert (output / "a.csv.out").read_bytes() == server.invoke(csv(records(3))).body


def test_a_directory_without_a_model_has_the_name_that_was_given(tmp_path: Path, source: Path, output: Path) -> None:
    (source / "a.csv").write_bytes(b"1\n")
    (tmp_path / "nothing").mkdir()
    ran = transform(tmp_path, body(source, output), tmp_path / "nothing")
    assert ran.returncode == 1
    assert f"ModelError: the model directory {tmp_path / 'nothing'} is missing or empty" in ran.stderr


def test_the_container_is_told_of_the_job(tmp_path: Path, model: Path, source: Path, output: Path) -> None:
    """Contract 4.1: the platform's variables and the job's Environment; this shell's own batch variables are lost.

    Selectable inference shows the job's Environment at work, and 1,048,576 bytes of MaxPayloadInMB the platform's.
    """
    content = csv(records(3))
    (source / "a.csv").write_bytes(content)
    given = body(source, output, Environment={"SAGEMAKER_INFERENCE_OUTPUT": "predicted_label"}, MaxPayloadInMB=100)
    ran = transform(tmp_path, given, model, SAGEMAKER_MAX_PAYLOAD_IN_MB="1", SAGEMAKER_INFERENCE_OUTPUT="probability")
    assert ran.returncode == 0, ran.stderr
    assert set((output / "a.csv.out").read_bytes().split()) <= {b"0", b"1"}


@pytest.mark.slow
def test_a_body_of_95_megabytes(tmp_path: Path, model: Path, source: Path, output: Path) -> None:
    """Contract E04: MaxPayloadInMB 100 and 0 reach the container, which accepts what the job may send."""
    row = csv(records(1))
    count = 95 * (1 << 20) // len(row)
    (source / "a.csv").write_bytes(row * count)
    single = online(model.parent, row)
    for limit in (100, 0):
        ran = transform(tmp_path, body(source, output, MaxPayloadInMB=limit, SplitType="None"), model)
        assert ran.returncode == 0, ran.stderr
        assert (output / "a.csv.out").read_bytes() == single * count


def test_a_header_row_fails_by_name(tmp_path: Path, model: Path, source: Path, output: Path) -> None:
    """Contract 4.3: it is a record like any other; the message names file, line, column, and the way out."""
    (source / "a.csv").write_bytes(b"a,b,c,d,e\n" + csv(records(5)))
    ran = transform(tmp_path, body(source, output), model)
    assert ran.returncode == 1
    assert f"{source}/a.csv, line 1: the container answered 400 (bad_request): row 1, column 1: 'a'" in ran.stderr
    assert "if this is a header row, remove it" in ran.stderr
    assert not output.exists() or not list(output.iterdir())


def test_a_bad_record_is_named_or_left_out(tmp_path: Path, model: Path, source: Path, output: Path) -> None:
    """The job fails as SageMaker's does; with --rejects the good rows are scored and the bad one is put aside."""
    good = csv(records(40)).splitlines(keepends=True)
    (source / "bad.csv").write_bytes(b"".join([*good[:20], b"1,2,3,x,5\n", *good[20:]]))
    (source / "good.csv").write_bytes(b"".join(good))
    ran = transform(tmp_path, body(source, output), model)
    assert ran.returncode == 1
    assert "1 of 2 objects" in ran.stderr
    assert f"{source}/bad.csv, line 21: the container answered 400 (bad_request): row 21, column 4" in ran.stderr
    assert [file.name for file in output.iterdir()] == ["good.csv.out"]
    ran = transform(tmp_path, body(source, output), model, "--rejects")
    assert ran.returncode == 0, ran.stderr
    assert "80 records, 1 rejected" in ran.stderr
    assert (output / "bad.csv.out").read_bytes() == (output / "good.csv.out").read_bytes()
    (entry,) = [json.loads(line) for line in (output / "bad.csv.rejects.jsonl").read_text().splitlines()]
    assert (entry["record_number"], entry["record"]) == (21, "1,2,3,x,5")


def test_paths_on_the_command_line(tmp_path: Path, model: Path, source: Path, output: Path) -> None:
    """The same document as SageMaker's, its addresses replaced."""
    (source / "a.csv").write_bytes(csv(records(2)))
    given = body("s3://bucket/in", "s3://bucket/out")
    ran = transform(tmp_path, given, model, "--input", str(source), "--output", str(output))
    assert ran.returncode == 0, ran.stderr
    assert (output / "a.csv.out").read_bytes().count(b"\n") == 2


@pytest.mark.parametrize(
    ("content", "reason"),
    [("[]", "must hold a JSON object"), ("{", "is no JSON"), ('{"Model": 1}', "cannot honour Model")],
)
def test_a_document_that_cannot_be_used(tmp_path: Path, model: Path, content: str, reason: str) -> None:
    file = tmp_path / "job.json"
    file.write_text(content)
    words = [sys.executable, "-m", "sagedock", "transform", str(file), "--model", str(model)]
    ran = subprocess.run(words, env=variables(), capture_output=True, text=True, check=False)
    assert (ran.returncode, reason in ran.stderr) == (1, True), ran.stderr


def test_a_model_that_cannot_be_served(tmp_path: Path, model: Path, source: Path, output: Path) -> None:
    (source / "a.csv").write_bytes(b"1\n")
    (model / "xgboost-model").write_bytes(b"rubbish")
    (model / "manifest.json").unlink()
    ran = transform(tmp_path, body(source, output), model)
    assert (ran.returncode, "ModelError" in ran.stderr) == (1, True), ran.stderr
    missing = transform(tmp_path, body(source, output), tmp_path / "nowhere")
    assert "there is no model at" in missing.stderr


def children(process: subprocess.Popen[str]) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def start(tmp_path: Path, model: Path, source: Path, output: Path) -> subprocess.Popen[str]:
    """A job of single records in its middle: the draft grows, the server runs."""
    words = command(tmp_path, body(source, output, BatchStrategy="SingleRecord"), model)
    process = subprocess.Popen(words, env=variables(), stderr=subprocess.PIPE, text=True)
    draft = output / ".a.csv.out.part"
    wait_until(lambda: draft.exists() and draft.stat().st_size > 0, "the job does not begin")
    assert process.poll() is None
    return process


@pytest.fixture
def started(tmp_path: Path, model: Path, source: Path, output: Path) -> subprocess.Popen[str]:
    """A job that takes long."""
    (source / "a.csv").write_bytes(csv(records(1000)) * 200)
    return start(tmp_path, model, source, output)


def test_a_killed_job_leaves_no_half_output_and_no_server(started: subprocess.Popen[str], output: Path) -> None:
    """SIGKILL: nothing under a final name, and the kernel ends the server."""
    (server,) = children(started)
    started.kill()
    started.wait()
    assert [file.name for file in output.iterdir()] == [".a.csv.out.part"]
    wait_until(lambda: not alive(server), "the server outlives its job")


def test_a_stopped_job_leaves_nothing(started: subprocess.Popen[str], output: Path) -> None:
    """SIGTERM: the draft is removed and the server ended."""
    (server,) = children(started)
    started.send_signal(signal.SIGTERM)
    started.communicate(timeout=PATIENCE_SECONDS)
    assert started.returncode == 128 + signal.SIGTERM
    assert list(output.iterdir()) == []
    assert not alive(server)


def test_a_server_that_ends_ends_the_job(started: subprocess.Popen[str], output: Path) -> None:
    """The container gone for good, retries are in vain: the job fails and says so."""
    (server,) = children(started)
    os.killpg(server, signal.SIGKILL)
    _, stderr = started.communicate(timeout=PATIENCE_SECONDS)
    assert started.returncode == 1
    assert "PlatformError: the server ended during the job" in stderr
    assert list(output.iterdir()) == []


def test_a_worker_that_dies_is_replaced_and_asked_again(
    tmp_path: Path, model: Path, source: Path, output: Path
) -> None:
    """Contract 4.6: its request is tried again, and no answer is lost, cut short or doubled."""
    content = csv(records(1000))
    (source / "a.csv").write_bytes(content * 20)  # it is not at its end before the worker is
    process = start(tmp_path, model, source, output)
    (server,) = children(process)
    (worker,) = [int(pid) for pid in Path(f"/proc/{server}/task/{server}/children").read_text().split()]
    os.kill(worker, signal.SIGKILL)
    _, stderr = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, stderr
    assert (output / "a.csv.out").read_bytes() == online(model.parent, content) * 20


def test_a_full_disk(tmp_path: Path, model: Path, source: Path) -> None:
    """Contract 4.4: the message names the file and the remedy, and nothing half-written stays."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mount.returncode != 0:
        pytest.skip("this user may not mount a file system")
    try:
        (source / "a.csv").write_bytes(csv(records(1000)) * 20)
        (source / "b.csv").write_bytes(csv(records(10)))
        ran = transform(tmp_path, body(source, disk), model)
        assert ran.returncode == 1
        assert f"PlatformError: the transform job failed: 1 of 2 objects\ncannot write {disk}/a.csv.out" in ran.stderr
        assert "the disk is full" in ran.stderr
        assert [file.name for file in disk.iterdir()] == ["b.csv.out"]
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_pipeline_of_models(tmp_path: Path, source: Path, output: Path) -> None:
    """Contract 3.10: the second container is fed with what the first answers."""
    first, second = write_model(tmp_path / "first"), tmp_path / "second" / "model"
    second.mkdir(parents=True)
    write_one_column_model(second)
    content = csv(records(30))
    (source / "a.csv").write_bytes(content)
    ran = transform(tmp_path, body(source, output), first / "model", "--model", str(second))
    assert ran.returncode == 0, ran.stderr
    assert (output / "a.csv.out").read_bytes() == online(second.parent, online(first, content))


def write_one_column_model(directory: Path) -> None:
    """A model that reads the answers of another as its one feature."""
    import numpy as np
    import xgboost

    features = np.linspace(0, 1, 64, dtype=np.float32).reshape(-1, 1)
    matrix = xgboost.DMatrix(features, (features[:, 0] > 0.4).astype(np.float32), nthread=1)
    booster = xgboost.train({"objective": "binary:logistic", "nthread": 1}, matrix, 5)
    (directory / "xgboost-model").write_bytes(bytes(booster.save_raw("ubj")))


def test_the_bar_shows_rows_per_second_and_the_time_left(
    tmp_path: Path, model: Path, source: Path, output: Path
) -> None:
    (source / "a.csv").write_bytes(csv(records(100)))
    ran = transform(tmp_path, body(source, output), model, SAGEDOCK_PROGRESS="always")
    assert re.search(r"transforming: 100%\|.*rows/s \[\d\d:\d\d<\d\d:\d\d\]", ran.stderr)
    silent = transform(tmp_path, body(source, output), model)
    assert "transforming" not in silent.stderr
