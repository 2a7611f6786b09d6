"""Killed jobs resume to the same model, and what a checkpoint must not be (issue 5 item 6, contract 1.9)."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest

from sagedock.algorithms.blazingtext import fasttext_file
from sagedock.formats import safetensors
from tests.algorithms.blazingtext import fasttexts
from tests.algorithms.blazingtext.jobs import held_out, job
from tests.platform import PATIENCE_SECONDS, Job, wait_until

STOPPING = {"early_stopping": "True", "min_epochs": "2", "patience": "1000"}
KINDS = {
    "supervised": ("supervised", {}),
    "supervised with early stopping": ("supervised", STOPPING),
    "skipgram with subwords": ("skipgram", {"subwords": "True", "epochs": "4"}),
    "cbow": ("cbow", {"learning_rate": "0.05"}),
    "batch_skipgram": ("batch_skipgram", {"epochs": "4"}),
}


def made(base: Path, kind: str, **given: str) -> Job:
    mode, more = KINDS[kind]
    validation = held_out(30) if mode == "supervised" else None
    train = fasttexts.text(fasttexts.lines(60))
    return job(base, mode, train=train, validation=validation, **{"epochs": "8", **more, **given})


def digests(directory: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in directory.glob("*.bin")}


def names(job: Job) -> list[str]:
    return sorted(file.name for file in job.checkpoints.iterdir())


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "cbow"])
def test_a_job_that_was_cut_short_resumes_to_the_same_model(kind: str, tmp_path: Path) -> None:
    """Contract C11: bit for bit with one thread and a seed, from every epoch's checkpoint."""
    whole = made(tmp_path / "whole", kind)
    whole.checkpoints.mkdir()
    assert whole.run() == 0, whole.failure
    epochs = int(whole.hyperparameters["epochs"])
    assert names(whole) == [f"blazingtext-checkpoint.{epoch}" for epoch in (epochs - 1, epochs)]
    resumed = made(tmp_path / "resumed", kind)
    resumed.checkpoints.mkdir()
    shutil.copy(whole.checkpoints / f"blazingtext-checkpoint.{epochs - 1}", resumed.checkpoints)
    assert resumed.run() == 0, resumed.failure
    assert digests(resumed.model) == digests(whole.model) != {}
    last = f"blazingtext-checkpoint.{epochs}"
    assert (resumed.checkpoints / last).read_bytes() == (whole.checkpoints / last).read_bytes()
    again = whole.again(tmp_path / "again")
    shutil.copytree(whole.checkpoints, again.checkpoints)
    assert again.run() == 0, "from the last epoch there is nothing to train"
    assert digests(again.model) == digests(whole.model)
    plain = made(tmp_path / "plain", kind)
    assert plain.run() == 0
    assert digests(plain.model) == digests(whole.model), "checkpoints change nothing"


@pytest.mark.parametrize("kind", ["supervised with early stopping", "skipgram with subwords"])
def test_a_killed_job_resumes_to_the_same_model(kind: str, tmp_path: Path) -> None:
    """Contract C10, C11. It cannot run away from the kill: its next checkpoint goes to a pipe that nobody reads."""
    whole = made(tmp_path / "whole", kind)
    killed = whole.again(tmp_path / "killed")
    killed.checkpoints.mkdir()
    held = killed.checkpoints / ".blazingtext-checkpoint.3.tmp"
    os.mkfifo(held)
    with killed.start() as process:
        wait_until((killed.checkpoints / "blazingtext-checkpoint.2").exists, process)
        process.kill()
        process.communicate(timeout=PATIENCE_SECONDS)
    held.unlink()
    assert names(killed) == ["blazingtext-checkpoint.1", "blazingtext-checkpoint.2"]
    done = killed.process()
    assert done.returncode == 0, done.stderr
    assert "Resuming after epoch 2" in done.stderr
    assert whole.run() == 0
    assert digests(killed.model) == digests(whole.model)
    assert killed.metrics()["epochs"] == int(whole.hyperparameters["epochs"])


@pytest.mark.parametrize("kind", ["supervised with early stopping", "cbow"])
def test_a_stopped_job_has_the_model_of_its_last_checkpoint(kind: str, tmp_path: Path) -> None:
    """Contract C05, C10: after SIGTERM the epoch is finished, and its checkpoint and the model are whole."""
    stopped = made(tmp_path, kind, epochs="10000000", patience="10000000")
    stopped.checkpoints.mkdir()
    with stopped.start() as process:
        wait_until(lambda: any(stopped.checkpoints.glob("blazingtext-checkpoint.*")), process)
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, log
    done = max(int(name.rpartition(".")[2]) for name in names(stopped))
    assert stopped.manifest()["model"]["epochs"] == done == stopped.metrics()["epochs"]
    assert f"SIGTERM arrived: training ends after {done} of 10000000 epochs" in log
    found = safetensors.read(stopped.checkpoints / f"blazingtext-checkpoint.{done}")
    kept = found.arrays["best output" if "best output" in found.arrays else "output"]
    (file,) = stopped.model.glob("*.bin")
    assert np.array_equal(fasttext_file.read(file).output, kept)


def test_sigterm_before_the_first_epoch_ends_leaves_no_model(tmp_path: Path) -> None:
    """Contract C06: the text is still being read, by a pipe that says no more."""
    waiting = job(tmp_path).declare("train", ContentType="text/plain", TrainingInputMode="Pipe")

    os.mkfifo(waiting.data / "train_0")
    with waiting.start() as process, (waiting.data / "train_0").open("wb") as pipe:
        pipe.write(b"__label__a some words\n")
        pipe.flush()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 128 + signal.SIGTERM
    assert "SIGTERM arrived before the first round was finished" in waiting.failure
    assert list(waiting.model.iterdir()) == []


def test_a_damaged_checkpoint_is_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Contract C12: truncated, of other bits, or no checkpoint at all."""
    whole = made(tmp_path / "whole", "supervised")
    whole.checkpoints.mkdir()
    assert whole.run() == 0
    newest = (whole.checkpoints / "blazingtext-checkpoint.8").read_bytes()
    changed = bytearray(newest)
    changed[-9] ^= 1
    for number, content in enumerate([newest[:-1], newest[:50], b"", bytes(changed), b"junk" * 100]):
        resumed = whole.again(tmp_path / str(number))
        shutil.copytree(whole.checkpoints, resumed.checkpoints)
        (resumed.checkpoints / "blazingtext-checkpoint.8").write_bytes(content)
        caplog.clear()
        with caplog.at_level("INFO"):
            assert resumed.run() == 0
        told = [record.getMessage() for record in caplog.records]
        assert any("blazingtext-checkpoint.8 is damaged" in line for line in told)
        assert "Resuming after epoch 7" in told
        assert digests(resumed.model) == digests(whole.model)


@pytest.mark.parametrize(
    ("given", "says"),
    [({"vector_dim": "9"}, "vector_dim (8, now 9)"), ({"_seed": "3"}, "_seed (0, now 3)"), ({}, "training data")],
)
def test_another_job_s_checkpoint_is_refused(tmp_path: Path, given: dict[str, str], says: str) -> None:
    first = made(tmp_path, "supervised")
    first.checkpoints.mkdir()
    assert first.run() == 0
    first.write_config("hyperparameters", {**first.hyperparameters, **given})
    if not given:
        first.add_channel("train", {"train.txt": held_out(150)}, ContentType="text/plain")
    assert first.run() == 1
    assert "was written by a job with other" in first.failure
    assert says in first.failure


def test_a_checkpoint_of_other_words_is_refused(tmp_path: Path) -> None:
    """Words of the same counts have the same numbers, and other n-grams: their rows are not those of the checkpoint."""
    first = made(tmp_path, "skipgram with subwords")
    first.checkpoints.mkdir()
    assert first.run() == 0
    text = fasttexts.text(fasttexts.lines(60)).replace("ka", "KA")
    first.add_channel("train", {"train.txt": text}, ContentType="text/plain")
    assert first.run() == 1
    assert "training data" in first.failure


def test_more_epochs_than_before_are_another_job_and_fewer_too(tmp_path: Path) -> None:
    """The learning rate of every step depends on how many epochs there are."""
    first = made(tmp_path, "supervised", epochs="4")
    first.checkpoints.mkdir()
    assert first.run() == 0
    first.write_config("hyperparameters", {**first.hyperparameters, "epochs": "6"})
    assert first.run() == 1
    assert "epochs (4, now 6)" in first.failure


def test_what_a_checkpoint_holds(tmp_path: Path) -> None:
    """An open format: safetensors, the best weights only where they are not the last."""
    first = made(tmp_path, "supervised with early stopping")
    first.checkpoints.mkdir()
    assert first.run() == 0
    found = safetensors.read(first.checkpoints / "blazingtext-checkpoint.8")
    history = json.loads(found.metadata["told"])["values"]["accuracies"]
    assert sorted(map(int, history)) == list(range(2, 9))
    best = first.metrics()["best_epoch"]
    assert ("best input" in found.arrays) == (best != 8)
    assert found.arrays["output"].shape == (3, 8)


def test_without_a_checkpoint_directory_none_is_made(tmp_path: Path) -> None:
    """Contract C13"""
    first = made(tmp_path, "supervised", epochs="2")
    assert first.run() == 0
    assert not first.checkpoints.exists()
