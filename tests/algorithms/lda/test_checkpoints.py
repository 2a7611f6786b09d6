"""Stopped and killed jobs go on to the model that they would have had."""

from __future__ import annotations

from pathlib import Path

import pytest

from sagedock.algorithms.lda import artefact
from sagedock.algorithms.lda.checkpoints import STEM
from tests.algorithms.lda.conftest import MakeJob
from tests.platform import Job

MANY = "1000000"


def stopped(job: Job) -> str:
    """Start the job, send SIGTERM once it has sampled, and wait for its end; its stderr."""
    ended = job.terminated("[Gibbs] sweep=")
    assert ended.returncode == 0, ended.stderr
    return ended.stderr


def sweeps(job: Job) -> int:
    """Those of the newest checkpoint."""
    return max(int(file.suffix[1:]) for file in job.checkpoints.glob(f"{STEM}.*"))


def model(job: Job) -> bytes:
    return (job.model / artefact.NAME).read_bytes()


@pytest.fixture
def checkpointed(make_job: MakeJob) -> MakeJob:
    def make(*arguments: str, **given: str | None) -> Job:
        job = make_job(*arguments, **given)
        job.checkpoints.mkdir(exist_ok=True)
        return job

    return make


def test_a_stopped_job_leaves_a_model_and_goes_on_to_the_same_topics(checkpointed: MakeJob, tmp_path: Path) -> None:
    """SIGTERM ends the round, the model is whole; resumed it becomes that of a job that ran through, bit by bit."""
    job = checkpointed("stopped", _sweeps=MANY)
    assert "SIGTERM arrived: sampling ends after" in stopped(job)
    done = sweeps(job)
    assert 10 <= done < int(MANY)
    assert artefact.read(job.model / artefact.NAME)
    further = str(done + 25)
    resumed, through = checkpointed("resumed", _sweeps=further), checkpointed("through", _sweeps=further)
    for file in job.checkpoints.iterdir():
        (resumed.checkpoints / file.name).write_bytes(file.read_bytes())
    assert resumed.run() == 0
    assert through.run() == 0
    assert model(resumed) == model(through)
    assert resumed.metrics()["log_likelihoods"] == through.metrics()["log_likelihoods"]


def test_a_finished_job_is_not_sampled_again(
    checkpointed: MakeJob, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Its last checkpoint is its end."""
    job = checkpointed()
    assert job.run() == 0
    before = model(job)
    capfd.readouterr()
    with caplog.at_level("INFO"):
        assert job.run() == 0
    assert "[Gibbs] sweep=" not in capfd.readouterr().out
    assert "Resuming after sweep 30" in caplog.text
    assert model(job) == before


def test_a_damaged_checkpoint_is_passed_over(checkpointed: MakeJob, caplog: pytest.LogCaptureFixture) -> None:
    """With a warning; the job begins anew where no other is left."""
    job = checkpointed()
    assert job.run() == 0
    before = model(job)
    file = job.checkpoints / f"{STEM}.30"
    content = bytearray(file.read_bytes())
    content[-5] ^= 1
    file.write_bytes(content)
    assert job.run() == 0
    assert "is damaged: trying the one before" in caplog.text
    assert model(job) == before


def test_a_checkpoint_of_another_job_is_refused(checkpointed: MakeJob) -> None:
    """Naming what differs."""
    job = checkpointed()
    assert job.run() == 0
    other = checkpointed("other", _beta="0.5")
    for file in job.checkpoints.iterdir():
        (other.checkpoints / file.name).write_bytes(file.read_bytes())
    assert other.run() == 1
    assert "_beta (0.03, now 0.5)" in other.failure
