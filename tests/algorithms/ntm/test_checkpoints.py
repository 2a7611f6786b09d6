"""Checkpoints, with real processes that are killed or stopped."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")

from sagedock.algorithms.ntm.checkpoints import STEM
from sagedock.formats import safetensors
from tests.algorithms.ntm.jobs import CSV, VALIDATION, csv, job
from tests.platform import PATIENCE_SECONDS, Job, wait_until

SETTINGS = {"epochs": "5", "num_patience_epochs": "2", "_network": "prodlda"}


def losses(job: Job) -> list[float]:
    return job.metrics()["validation_losses"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Job:
    made = job(tmp_path_factory.mktemp("whole"), validation=VALIDATION, **SETTINGS)
    assert made.run() == 0, made.failure
    return made


def test_a_killed_job_makes_the_very_model_of_an_uninterrupted_one(tmp_path: Path, whole: Job) -> None:
    """Issue 6 item 6, contract C11: weights and losses, bit for bit."""
    made = job(tmp_path, validation=VALIDATION, **SETTINGS)
    made.checkpoints.mkdir()
    held = made.checkpoints / f".{STEM}.4.tmp"
    os.mkfifo(held)  # it cannot run away meanwhile: the next checkpoint goes to a pipe that nobody reads
    with made.start() as process:
        wait_until((made.checkpoints / f"{STEM}.3").exists, process)
        process.kill()
        process.communicate(timeout=PATIENCE_SECONDS)
    held.unlink()
    done = made.process()
    assert done.returncode == 0, done.stderr
    assert "Resuming after epoch 3" in done.stderr
    assert "# Starting training for epoch 4" in done.stdout
    assert "# Starting training for epoch 3" not in done.stdout
    assert losses(made) == losses(whole)
    theirs, ours = (safetensors.read(one.model / "ntm.safetensors").arrays for one in (whole, made))
    assert all(np.array_equal(theirs[name], ours[name]) for name in theirs)


def test_a_damaged_checkpoint_is_passed_over(tmp_path: Path, whole: Job, caplog: pytest.LogCaptureFixture) -> None:
    made = job(tmp_path, validation=VALIDATION, **{**SETTINGS, "epochs": "3"})
    made.checkpoints.mkdir()
    assert made.run() == 0, made.failure
    newest = made.checkpoints / f"{STEM}.3"
    newest.write_bytes(newest.read_bytes()[:-10])
    again = job(tmp_path, validation=VALIDATION, **SETTINGS)
    assert again.run() == 0, again.failure
    assert losses(again) == losses(whole)


def test_another_job_s_checkpoint_is_refused(tmp_path: Path) -> None:
    made = job(tmp_path, epochs="1")
    made.checkpoints.mkdir()
    assert made.run() == 0, made.failure
    other = job(tmp_path, epochs="2", optimizer="adam")
    assert other.run() == 1
    assert "optimizer" in other.failure
    with_channel = job(tmp_path, validation=VALIDATION, epochs="2")
    assert with_channel.run() == 1
    assert "validation channel (False, now True)" in with_channel.failure


def test_sigterm_ends_the_job_with_the_model_of_the_epochs_so_far(tmp_path: Path) -> None:
    """Contract C05."""
    made = job(tmp_path, validation=VALIDATION, epochs="100000", num_patience_epochs="100001")
    made.add_channel("test", {"documents.csv": csv(VALIDATION)}, ContentType=CSV)
    made.checkpoints.mkdir()
    with made.start() as process:
        # those of later epochs take the place of the first, perhaps before anybody looks
        wait_until(lambda: any(int(file.suffix[1:]) >= 2 for file in made.checkpoints.glob(f"{STEM}.*")), process)
        process.terminate()
        stdout, stderr = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, stderr
    assert "SIGTERM arrived: training ends after" in stderr
    assert "Loss of server-side model" in stdout
    assert "test figures" in stderr
    assert "Test data is not provided." not in stdout
    assert (made.model / "ntm.safetensors").exists()
