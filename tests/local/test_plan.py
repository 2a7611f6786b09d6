"""`sagedock plan` from the command line: real servers, a real load, and a server that follows the plan."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from sagedock.contracts import machine
from sagedock.contracts import plan as plans
from sagedock.contracts.files import write_bytes
from sagedock.local.batches import candidates as transform_candidates
from sagedock.local.plan import candidates
from sagedock.local.sample import Sample, record
from tests.serving.models import COLUMNS, csv, records, write_model
from tests.serving.process import Server, wait_until

GENEROUS = ("--p99", "60000", "--seconds", "5")
"""Whatever else runs on this machine, some rate is kept."""


def sagedock(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "SAGEDOCK_DEVICE": "cpu", **variables}
    command = [sys.executable, "-m", "sagedock", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)


def test_a_plan_is_measured_and_a_server_follows_it(tmp_path: Path) -> None:
    """contract E01, E02; issue 3 item 4: the best setting, the safe rate and p99, and /execution-parameters."""
    base = write_model(tmp_path / "ml")
    ran = sagedock("plan", "--base", str(base), *GENEROUS)
    assert ran.returncode == 0, ran.stderr
    made = plans.read(base / "model" / plans.NAME)
    assert made.cpus == machine.cpus()
    assert made.requests_per_second > 0
    assert 0 < made.p99_ms <= made.p99_limit_ms == 60000
    assert made.cpu_us_per_request > 0
    assert made.memory_bytes > 20e6
    table = [line.split()[:2] for line in ran.stdout.splitlines() if line[:7].strip().isdigit()]
    assert [[int(cell) for cell in row] for row in table] == [list(pair) for pair in candidates(machine.cpus(), 99)]
    assert f"best: {made.workers} workers x {made.threads} threads" in ran.stdout
    assert f"safe: {made.requests_per_second:.0f} requests/s" in ran.stdout
    rows = json.loads((base / "model" / plans.NAME).read_text())["measured"]
    assert max(row["requests_per_second"] for row in rows) >= made.requests_per_second / 0.8 - 1
    with Server(base, {"SAGEMAKER_MODEL_SERVER_WORKERS": "", "SAGEMAKER_BATCH": "true"}) as server:
        server.wait_ready()
        parameters = json.loads(server.request("GET", "/execution-parameters").body)
        assert parameters["MaxConcurrentTransforms"] == made.max_concurrent_transforms
        assert parameters["MaxPayloadInMB"] == made.max_payload_in_mb
        wait_until(lambda: len(server.workers) == made.workers, "a worker is missing", server)
        assert f"plan.json: {made.workers} workers, {made.threads} threads" in server.output
        assert server.invoke(csv(records(3))).status == 200  # a plan beside the artefacts is no artefact


def test_a_sample_and_a_place_for_the_plan(tmp_path: Path) -> None:
    base = write_model(tmp_path / "ml")
    sample, output = tmp_path / "body", tmp_path / "elsewhere.json"
    write_bytes(sample, b'{"instances": [{"features": [1, 2, 3, 4, 5]}]}')
    ran = sagedock(
        "plan", "--model", str(base / "model"), "--sample", str(sample), "--content-type", "application/json",
        "--accept", "application/json", "--output", str(output), *GENEROUS,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert plans.read(output).workers >= 1
    assert not (base / "model" / plans.NAME).exists()
    assert stat.S_IMODE(output.stat().st_mode) == 0o666


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--seconds", "1"], "--seconds is 1; measuring takes 5 or more"),
        (["--sample", "/nowhere"], "needs --content-type"),
        (["--sample", "/nowhere", "--content-type", "text/csv"], "cannot read /nowhere: No such file"),
        (["--sample", "{sample}", "--content-type", "text/csv", *GENEROUS], "the model answers the sample with 400"),
        (["--p99", "0.000001", "--seconds", "5"], "no setting kept the 99th percentile within 1e-06 ms"),
    ],
)
def test_a_plan_that_cannot_be_made(tmp_path: Path, arguments: list[str], text: str) -> None:
    base = write_model(tmp_path / "ml")
    (tmp_path / "sample").write_bytes(b"1,2\n")
    given = [argument.format(sample=tmp_path / "sample") for argument in arguments]
    ran = sagedock("plan", "--base", str(base), *given)
    assert ran.returncode == 1
    assert text in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not (base / "model" / plans.NAME).exists()


def test_a_model_without_a_manifest_says_its_width_itself(tmp_path: Path) -> None:
    base = write_model(tmp_path / "ml", with_manifest=False)
    sample = Sample.of(None, None, None, base / "model", None)
    assert sample.body == record(COLUMNS)
    assert len(sample.body.split(b",")) == COLUMNS


def test_a_batch_of_samples_is_a_body_just_within_the_size() -> None:
    assert Sample(b"1,2", "text/csv").repeated(1) == b"1,2\n" * (1024 * 1024 // 4)
    assert Sample(b"{}", "application/json").repeated(6) == b"{}"
    assert len(Sample(b"\n" * 3_000_000, "text/csv").repeated(1)) == 3_000_000


def test_an_archive_is_no_model_directory(tmp_path: Path) -> None:
    (tmp_path / "model.tar.gz").write_bytes(b"")
    ran = sagedock("plan", "--model", str(tmp_path / "model.tar.gz"))
    assert ran.returncode == 1
    assert "model.tar.gz is a file: unpack it, and name the directory" in ran.stderr


@pytest.mark.parametrize("given", [["--p99", "nan"], ["--p99", "-1"], ["--seconds", "nan"], ["--seconds", "inf"]])
def test_a_number_that_measures_nothing(given: list[str]) -> None:
    ran = sagedock("plan", *given)
    assert ran.returncode == 2
    assert f"argument {given[0]}: {given[1]} must be a number above 0" in ran.stderr


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    ran = sagedock("plan", "--model", str(tmp_path / "absent"))
    assert ran.returncode == 1
    assert str(tmp_path / "absent") in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize(
    ("cpus", "room", "pairs"),
    [
        (1.0, 9, [(1, 1), (1, 2)]),
        (0.5, 9, [(1, 1), (1, 2)]),
        (1.5, 9, [(1, 1), (2, 1), (1, 2)]),
        (2.0, 9, [(2, 1), (1, 1), (1, 2), (2, 2)]),
        (2.0, 1, [(1, 1), (1, 2)]),
        (16.0, 99, [(16, 1), (1, 1), (1, 16), (8, 2), (16, 2)]),
    ],
)
def test_the_settings_that_are_tried(cpus: float, room: int, pairs: list[tuple[int, int]]) -> None:
    assert candidates(cpus, room) == pairs


@pytest.mark.parametrize("slots", [1, 2, 3, 16, 300])
@pytest.mark.parametrize("largest", [1, 6, 25, 100])
def test_no_transform_that_is_tried_is_above_100_mb(slots: int, largest: int) -> None:
    """contract E02"""
    pairs = transform_candidates(slots, largest)
    assert pairs
    assert all(1 <= transforms * mebibytes <= 100 and mebibytes <= largest for transforms, mebibytes in pairs)
