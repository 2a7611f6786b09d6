"""Checkpoints of the pass, with real processes killed behind a file of the channel."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sagedock.algorithms.randomcutforest.checkpoints import LEAST_BYTES, STEM
from sagedock.formats.media_types import CSV
from sagedock.formats.table import Floats
from tests.algorithms.randomcutforest import data
from tests.platform import PATIENCE_SECONDS, Job, wait_until

ARTEFACT = "model_algo-1"
COLUMNS = 1000
ROWS = LEAST_BYTES // (4 * COLUMNS) + 1
"""Of one file, after which it is time for a checkpoint."""


def digits(rows: int, seed: int) -> str:
    """Lines of one-digit numbers, which are read faster than they are made."""
    found = np.full((rows, 2 * COLUMNS), ord(","), np.uint8)
    found[:, ::2] = np.random.default_rng(seed).integers(ord("0"), ord("9") + 1, (rows, COLUMNS))
    found[:, -1] = ord("\n")
    return found.tobytes().decode()


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    return {f"part-{number}.csv": digits(ROWS, number) for number in range(3)}


@pytest.fixture
def make(make_job: Callable[..., Job], files: dict[str, str]) -> Callable[[str], Job]:
    def made(name: str) -> Job:
        job = make_job(name, "", num_samples_per_tree="4", feature_dim=str(COLUMNS))
        return job.add_channel("train", files, ContentType="text/csv;label_size=0")

    return made


def killed_behind(job: Job, number: int) -> None:
    """Start the job and kill it once the checkpoint behind file `number` stands.

    It cannot run away meanwhile: the next checkpoint is written to a pipe that nobody reads.
    """
    held = job.checkpoints / f".{STEM}.{number + 1}.tmp"
    os.mkfifo(held)
    with job.start() as process:
        wait_until((job.checkpoints / f"{STEM}.{number}").exists, process)
        process.kill()
        process.communicate(timeout=PATIENCE_SECONDS)
    held.unlink()
    assert not (job.model / "manifest.json").exists()


def numbers(job: Job) -> list[int]:
    return sorted(int(file.suffix[1:]) for file in job.checkpoints.glob(f"{STEM}.*"))


def test_a_killed_job_makes_the_very_forest_of_an_uninterrupted_one(make: Callable[[str], Job]) -> None:
    """Issue 4 item 7, contract C10, C11: equal byte for byte, and no file is read twice."""
    whole = make("whole")
    assert whole.run() == 0, whole.failure
    assert not whole.checkpoints.exists(), "contract C13: no directory, no checkpoints"
    job = make("killed")
    job.checkpoints.mkdir()
    killed_behind(job, 1)
    killed_behind(job, 2)
    (job.data / "train" / "part-0.csv").write_text("x" * (job.data / "train" / "part-0.csv").stat().st_size)
    done = job.process()
    assert done.returncode == 0, done.stderr
    assert f"Resuming behind file 2 of the train channel, row {2 * ROWS}" in done.stderr
    assert (job.model / ARTEFACT).read_bytes() == (whole.model / ARTEFACT).read_bytes()
    assert numbers(job) == [1, 2, 3], "those of earlier attempts stay"
    again = job.process()
    assert "Resuming behind file 3" in again.stderr
    assert (job.model / ARTEFACT).read_bytes() == (whole.model / ARTEFACT).read_bytes()


@pytest.fixture
def small(make_job: Callable[..., Job]) -> Callable[..., Job]:
    """A job whose one checkpoint is written when the pass is over."""

    def made(name: str, rows: Floats | None = None, **given: str) -> Job:
        job = make_job(name, rows, **given)
        job.checkpoints.mkdir(exist_ok=True)
        return job

    return made


def changed(file: Path, at: int) -> None:
    content = bytearray(file.read_bytes())
    content[at] ^= 1
    file.write_bytes(bytes(content))


@pytest.mark.parametrize("damage", ["cut", "rows", "state", "empty"])
def test_a_damaged_checkpoint_is_passed_over(
    small: Callable[..., Job], caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    """Contract C12: the pass starts afresh."""
    job = small("job")
    assert job.run() == 0
    expected = (job.model / ARTEFACT).read_bytes()
    (file,) = job.checkpoints.glob(f"{STEM}.*")
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:-100])
    elif damage == "empty":
        file.write_bytes(b"")
    else:
        changed(file, -100 if damage == "rows" else file.read_bytes().find(b"seen") + 8)
    assert job.run() == 0
    assert f"checkpoint {file} is damaged" in caplog.text
    assert (job.model / ARTEFACT).read_bytes() == expected


@pytest.mark.parametrize(
    ("given", "rows", "told"),
    [
        ({"num_trees": "60"}, 300, r"num_trees (50, now 60)"),
        ({"_seed": "5"}, 300, r"_seed (0, now 5)"),
        ({}, 301, r"files ([['rows.csv'"),
    ],
)
def test_a_checkpoint_of_another_job_is_refused(
    small: Callable[..., Job], given: dict[str, str], rows: int, told: str
) -> None:
    first = small("job")
    assert first.run() == 0
    second = small("job", data.rows(rows), **given)
    assert second.run() == 1
    assert told in second.failure
    assert "start this job with an empty checkpoint directory" in second.failure


def test_what_does_not_make_the_forest_may_differ(small: Callable[..., Job], caplog: pytest.LogCaptureFixture) -> None:
    assert small("job").run() == 0
    with caplog.at_level("INFO"):
        assert small("job", eval_metrics="accuracy", mini_batch_size="500").run() == 0
    assert "Resuming behind file 1" in caplog.text


def test_a_pipe_is_read_anew(small: Callable[..., Job], caplog: pytest.LogCaptureFixture) -> None:
    """The platform sends it from its beginning in any case."""
    import threading

    job = small("job")
    job.declare("train", ContentType=CSV, TrainingInputMode="Pipe")
    fifo = job.data / "train_0"
    os.mkfifo(fifo)
    threading.Thread(target=fifo.write_text, args=(data.csv(data.rows()),), daemon=True).start()
    with caplog.at_level("INFO"):
        assert job.run() == 0
    assert "no checkpoints: a pass over a pipe" in caplog.text
    assert list(job.checkpoints.iterdir()) == []
