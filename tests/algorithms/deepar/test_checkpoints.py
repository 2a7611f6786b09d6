"""Killed and stopped jobs, and what a checkpoint must not be (issue 7 item 6, contract 1.9)."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from sagedock.algorithms.deepar.parameters import Parameters
from sagedock.formats import safetensors
from sagedock.formats.checkpoints import Checkpoints
from tests.algorithms.deepar.jobs import job, sines
from tests.platform import PATIENCE_SECONDS, Job, wait_until

KINDS = {"built-in": {}, "seasonal": {"_recipe": "seasonal"}}
STEM = "deepar-checkpoint"


def digests(made: Job) -> dict[str, str]:
    files = [file for file in made.model.iterdir() if file.name.startswith("model_algo-1")]
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def names(made: Job) -> list[str]:
    return sorted(file.name for file in made.checkpoints.iterdir())


@pytest.mark.parametrize("kind", KINDS)
def test_a_job_that_was_cut_short_resumes_to_the_same_model(kind: str, tmp_path: Path) -> None:
    """Contract C11: bit for bit, from the checkpoint of the epoch before the last; checkpoints change nothing."""
    whole = job(tmp_path / "whole", **KINDS[kind])
    whole.checkpoints.mkdir()
    assert whole.run() == 0, whole.failure
    assert names(whole) == [f"{STEM}.2", f"{STEM}.3"]
    resumed = whole.again(tmp_path / "resumed")
    resumed.checkpoints.mkdir()
    shutil.copy(whole.checkpoints / f"{STEM}.2", resumed.checkpoints)
    assert resumed.run() == 0, resumed.failure
    assert digests(resumed) == digests(whole) != {}
    assert (resumed.checkpoints / f"{STEM}.3").read_bytes() == (whole.checkpoints / f"{STEM}.3").read_bytes()
    plain = whole.again(tmp_path / "plain")
    assert plain.run() == 0
    assert digests(plain) == digests(whole)


def test_a_job_none_of_whose_epochs_forecasts_in_finite_numbers_leaves_no_model(tmp_path: Path) -> None:
    """It resumes behind its only epoch, whose paths are said to be lost (test_held_out shows what is said then)."""
    made = job(tmp_path, **KINDS["seasonal"], epochs="1")
    made.checkpoints.mkdir()
    assert made.run() == 0, made.failure
    written = json.loads(safetensors.read(made.checkpoints / f"{STEM}.1").metadata["told"])
    checkpoints = Checkpoints(made.checkpoints, STEM, written["job"])
    found = checkpoints.latest(1)
    assert found is not None
    assert len(found.values["held_out"]) == 1
    checkpoints.save(replace(found, values={**found.values, "held_out": [math.inf]}))
    again = made.again(tmp_path / "again")
    shutil.copytree(made.checkpoints, again.checkpoints)
    assert again.run() == 1
    assert "training diverged" in again.failure
    assert not list(again.model.iterdir())


def test_a_killed_job_resumes_to_the_same_model(tmp_path: Path) -> None:
    """Contract C10, C11. It cannot run away from the kill: its next checkpoint goes to a pipe that nobody reads."""
    whole = job(tmp_path / "whole", epochs="4")
    killed = whole.again(tmp_path / "killed")
    killed.checkpoints.mkdir()
    held = killed.checkpoints / f".{STEM}.3.tmp"
    os.mkfifo(held)
    with killed.start() as process:
        wait_until((killed.checkpoints / f"{STEM}.2").exists, process)
        process.kill()
        process.communicate(timeout=PATIENCE_SECONDS)
    held.unlink()
    assert names(killed) == [f"{STEM}.1", f"{STEM}.2"]
    done = killed.process()
    assert done.returncode == 0, done.stderr
    assert "Resuming after epoch 2" in done.stderr
    assert whole.run() == 0
    assert digests(killed) == digests(whole)
    assert killed.metrics()["epochs"] == 4


def test_a_stopped_job_has_the_model_of_its_best_epoch(tmp_path: Path) -> None:
    """Contract C05: after SIGTERM no other epoch counts."""
    stopped = job(tmp_path, epochs="1000000")
    stopped.checkpoints.mkdir()
    with stopped.start() as process:
        wait_until(lambda: any(stopped.checkpoints.glob(f"{STEM}.*")), process)
        process.send_signal(signal.SIGTERM)
        stdout, log = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, log
    done = max(int(name.rpartition(".")[2]) for name in names(stopped))
    assert stopped.metrics()["epochs"] == done
    assert f"SIGTERM arrived: training ends after {done} epochs" in log
    assert f"Loading parameters from best epoch ({stopped.metrics()['best_epoch']})" in stdout
    Parameters.load(stopped.model)


def test_a_damaged_checkpoint_is_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Contract C12: truncated, of other bits, or no checkpoint at all."""
    whole = job(tmp_path / "whole")
    whole.checkpoints.mkdir()
    assert whole.run() == 0
    newest = (whole.checkpoints / f"{STEM}.3").read_bytes()
    changed = bytearray(newest)
    changed[-9] ^= 1
    for number, content in enumerate([newest[:-1], b"", bytes(changed)]):
        resumed = whole.again(tmp_path / str(number))
        shutil.copytree(whole.checkpoints, resumed.checkpoints)
        (resumed.checkpoints / f"{STEM}.3").write_bytes(content)
        caplog.clear()
        with caplog.at_level("INFO"):
            assert resumed.run() == 0
        messages = [record.getMessage() for record in caplog.records]
        assert any(f"{STEM}.3 is damaged" in line for line in messages)
        assert "Resuming after epoch 2" in messages
        assert digests(resumed) == digests(whole)


@pytest.mark.parametrize(
    ("given", "says"),
    [({"num_cells": "9"}, "num_cells (8, now 9)"), ({"_seed": "3"}, "_seed (0, now 3)"), ({}, "other data (")],
)
def test_another_job_s_checkpoint_is_refused(tmp_path: Path, given: dict[str, str], says: str) -> None:
    first = job(tmp_path)
    first.checkpoints.mkdir()
    assert first.run() == 0
    first.write_config("hyperparameters", {**first.hyperparameters, **given})
    if not given:
        first = job(tmp_path, train=sines(9, 96))
    assert first.run() == 1
    assert "was written by a job with other" in first.failure
    assert says in first.failure


def test_more_epochs_go_on_from_where_fewer_ended(tmp_path: Path) -> None:
    """As long as the learning rate does not depend on how many there are, which it does in the seasonal recipe."""
    first, whole = job(tmp_path / "first", epochs="2"), job(tmp_path / "whole", epochs="3")
    first.checkpoints.mkdir()
    assert first.run() == whole.run() == 0
    first.write_config("hyperparameters", {**first.hyperparameters, "epochs": "3"})
    assert first.run() == 0, first.failure
    assert digests(first) == digests(whole)
    seasonal = job(tmp_path / "seasonal", epochs="2", _recipe="seasonal")
    seasonal.checkpoints.mkdir()
    assert seasonal.run() == 0
    seasonal.write_config("hyperparameters", {**seasonal.hyperparameters, "epochs": "3"})
    assert seasonal.run() == 1
    assert "epochs (2, now 3)" in seasonal.failure
