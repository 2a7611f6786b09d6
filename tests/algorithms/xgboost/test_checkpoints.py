"""Checkpoints, SIGTERM and save_model_on_termination, with real processes killed at any round."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest
import xgboost

from tests.algorithms.xgboost import data
from tests.platform import PATIENCE_SECONDS, Job, wait_until

RANDOM = {"subsample": "0.7", "colsample_bytree": "0.6", "colsample_bynode": "0.8", "colsample_bylevel": "0.9"}
ROUNDS = "40"


def killed_after(job: Job, number: int) -> None:
    """Start the job and kill it with SIGKILL once the checkpoint of round `number` stands.

    It cannot run away meanwhile: the next checkpoint is written to a pipe that nobody reads.
    """
    held = job.checkpoints / f".xgboost-checkpoint.{number + 1}.tmp"
    os.mkfifo(held)
    with job.start() as process:
        wait_until((job.checkpoints / f"xgboost-checkpoint.{number}").exists, process)
        process.kill()
        process.communicate(timeout=PATIENCE_SECONDS)
    held.unlink()
    assert not (job.model / "manifest.json").exists()


def slow(make_job, name: str, **given: str) -> Job:
    """A job whose rounds take long enough to be hit by a signal."""
    return make_job(name, rows=3000, num_round=ROUNDS, max_depth="8", **given)


@pytest.mark.parametrize(
    "given",
    [RANDOM, {"booster": "dart", "rate_drop": "0.3", **RANDOM}, {"tree_method": "approx", "subsample": "0.5"}],
    ids=["random", "dart", "approx"],
)
def test_a_killed_job_ends_with_the_very_model_of_an_uninterrupted_one(make_job, given: dict[str, str]) -> None:
    """Statement 37, contract C10 and C11, defect 8.3: equal byte for byte, with every random setting on."""
    whole = slow(make_job, "whole", **given)
    assert whole.run() == 0
    job = slow(make_job, "killed", **given)
    job.checkpoints.mkdir()
    for number in (0, 17):
        killed_after(job, number)
    last = max(int(file.suffix[1:]) for file in job.checkpoints.glob("xgboost-checkpoint.*"))
    done = job.process()
    assert done.returncode == 0, done.stderr
    assert f"Resuming from iteration {last + 1}" in done.stderr
    assert done.stdout.startswith(f"[{last + 1}]\t")
    assert (job.model / "xgboost-model").read_bytes() == (whole.model / "xgboost-model").read_bytes()


def test_checkpoints_that_stood_at_the_start_are_kept_and_ours_are_five(make_job) -> None:
    """Statement 38 and section 6.5."""
    job = make_job(num_round="20")
    job.checkpoints.mkdir()
    assert job.run() == 0
    names = {file.name for file in job.checkpoints.iterdir()}
    assert names == {f"xgboost-checkpoint.{number}" for number in range(15, 20)}
    longer = job.again(job.base.parent / "longer")
    job.checkpoints.rename(longer.checkpoints)
    longer.write_config("hyperparameters", {**job.hyperparameters, "num_round": "30"})
    assert longer.run() == 0
    kept = {int(file.suffix[1:]) for file in longer.checkpoints.iterdir()}
    assert kept == {*range(15, 20), *range(25, 30)}


def test_a_file_being_uploaded_is_not_deleted(make_job) -> None:
    """Section 6.5: SageMaker marks a file while it uploads it."""
    job = make_job(num_round="9")
    job.checkpoints.mkdir()
    (job.checkpoints / "xgboost-checkpoint.1.sagemaker-uploading").touch()
    (job.checkpoints / "xgboost-checkpoint.2.sagemaker-uploading").touch()
    (job.checkpoints / "xgboost-checkpoint.2.sagemaker-uploaded").touch()
    assert job.run() == 0
    assert (job.checkpoints / "xgboost-checkpoint.1").exists()
    assert not (job.checkpoints / "xgboost-checkpoint.2").exists()


@pytest.mark.parametrize(
    "damage", [lambda content: content[:-20], lambda _: b"", lambda content: content[:50] + b"x" + content[51:]]
)
def test_a_damaged_newest_checkpoint_yields_to_the_one_before(make_job, caplog, damage) -> None:
    """Contract C12."""
    caplog.set_level("INFO")
    job, whole = make_job("damaged", num_round="8"), make_job("whole", num_round="12")
    job.checkpoints.mkdir()
    assert job.run() == whole.run() == 0
    newest = job.checkpoints / "xgboost-checkpoint.7"
    newest.write_bytes(damage(newest.read_bytes()))
    job.write_config("hyperparameters", {**job.hyperparameters, "num_round": "12"})
    assert job.run() == 0
    assert "Resuming from iteration 7" in caplog.text
    assert (job.model / "xgboost-model").read_bytes() == (whole.model / "xgboost-model").read_bytes()


def test_a_checkpoint_of_another_job_is_refused_by_name(make_job) -> None:
    """Contract 1.9: hyperparameters that shape the model must be the same."""
    job = make_job()
    job.checkpoints.mkdir()
    assert job.run() == 0
    job.write_config("hyperparameters", {**job.hyperparameters, "max_depth": "4"})
    assert job.run() == 1
    assert "max_depth ('3', now '4')" in job.failure
    assert "empty checkpoint directory" in job.failure


def test_a_checkpoint_of_another_validation_channel_is_refused(make_job) -> None:
    """The metrics that travel with a checkpoint are those of its own channels."""
    job = make_job(validation=False)
    job.checkpoints.mkdir()
    assert job.run() == 0
    job.add_channel("validation", {"v.csv": data.csv(*held_out())}, ContentType="text/csv")
    assert job.run() == 1
    assert "validation rows (None, now 100)" in job.failure


def held_out():
    features = data.numbers(100, seed=7)
    return data.binary_labels(features), features


def test_checkpoints_beyond_num_round_are_passed_over(make_job, caplog) -> None:
    """Statement 37: the job ends with num_round trees, also when an earlier one went further."""
    job, whole = make_job(num_round="9"), make_job("whole", num_round="6")
    job.checkpoints.mkdir()
    assert job.run() == whole.run() == 0
    job.write_config("hyperparameters", {**job.hyperparameters, "num_round": "6"})
    assert job.run() == 0
    assert "xgboost-checkpoint.8 is of 9 rounds, and num_round is 6" in caplog.text
    assert (job.model / "xgboost-model").read_bytes() == (whole.model / "xgboost-model").read_bytes()


def test_a_cost_matrix_does_not_stand_in_the_way_of_resuming(make_job, caplog) -> None:
    """It chooses the cut-off after the last round, and no tree depends on it."""
    caplog.set_level("INFO")
    job = make_job(num_round="4")
    job.checkpoints.mkdir()
    assert job.run() == 0
    job.write_config("hyperparameters", {**job.hyperparameters, "cost_matrix": "[[0,100],[500,100]]"})
    assert job.run() == 0
    assert "Resuming from iteration 4" in caplog.text
    assert "decision" in job.manifest()["model"]


def test_an_earlier_manifest_does_not_vouch_for_a_killed_jobs_model(make_job) -> None:
    """save_model_on_termination replaces the model each round: without a manifest it is one that can be loaded."""
    job = make_job(save_model_on_termination="true")
    assert job.run() == 0
    job.write_config("hyperparameters", {**job.hyperparameters, "num_round": "100000"})
    with job.start() as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("[5]"):
                break
        process.kill()
        process.communicate(timeout=PATIENCE_SECONDS)
    assert not (job.model / "manifest.json").exists()
    model = xgboost.Booster()
    model.load_model(bytearray((job.model / "xgboost-model").read_bytes()))
    assert model.num_boosted_rounds() >= 5


def test_a_checkpoint_of_other_data_is_refused(make_job) -> None:
    """Contract 1.9: as many rows and columns, but other numbers."""
    job = make_job()
    job.checkpoints.mkdir()
    assert job.run() == 0
    features = data.numbers(300, seed=3)
    job.add_channel("train", {"t.csv": data.csv(data.binary_labels(features), features)}, ContentType="text/csv")
    assert job.run() == 1
    assert "train data" in job.failure


def test_early_stopping_survives_a_restart(make_job) -> None:
    """The history travels with the checkpoint, so the best round is the same."""
    given = {"eta": "0.9", "eval_metric": "logloss", "early_stopping_rounds": "6"}
    whole, job = slow(make_job, "whole", **given), slow(make_job, "killed", **given)
    assert whole.run() == 0
    job.checkpoints.mkdir()
    killed_after(job, 3)
    assert job.run() == 0
    assert job.manifest()["model"]["best_round"] == whole.manifest()["model"]["best_round"]
    assert (job.model / "xgboost-model").read_bytes() == (whole.model / "xgboost-model").read_bytes()


def test_folds_have_checkpoints_of_their_own(make_job) -> None:
    """Section 6.4: one directory per fold; resuming gives the same models."""
    job = make_job("folds", _kfold="3", num_round="4", **RANDOM)
    job.checkpoints.mkdir()
    assert job.run() == 0
    assert sorted(folder.name for folder in job.checkpoints.iterdir()) == ["model-0", "model-1", "model-2"]
    first = [(job.model / f"xgboost-model-{n}").read_bytes() for n in range(3)]
    for checkpoint in (job.checkpoints / "model-2").iterdir():
        if checkpoint.name != "xgboost-checkpoint.1":
            checkpoint.unlink()
    assert job.run() == 0
    assert [(job.model / f"xgboost-model-{n}").read_bytes() for n in range(3)] == first


def test_without_a_checkpoint_directory_none_is_made(make_job) -> None:
    """Contract C13."""
    job = make_job()
    assert job.run() == 0
    assert not job.checkpoints.exists()


def test_checkpointconfig_names_the_directory(make_job, tmp_path: Path) -> None:
    """Contract C13: LocalPath of checkpointconfig.json, made when it is not there yet."""
    job = make_job()
    job.write_config("checkpointconfig", {"LocalPath": str(tmp_path / "state")})
    assert job.run() == 0
    assert (tmp_path / "state" / "xgboost-checkpoint.4").exists()


@pytest.mark.parametrize("every_round", ["true", "false"])
def test_sigterm_saves_what_is_trained_and_exits_0(make_job, every_round: str) -> None:
    """Statement 39, contract C05, issue item 5."""
    job = make_job(num_round="100000", save_model_on_termination=every_round)
    done = job.terminated("[5]")
    assert done.returncode == 0, done.stderr
    assert "SIGTERM arrived" in done.stderr
    model = xgboost.Booster()
    model.load_model(bytearray((job.model / "xgboost-model").read_bytes()))
    assert 6 <= model.num_boosted_rounds() < 100000
    assert job.manifest()["files"].keys() == {"xgboost-model"}
    assert job.failure == ""


def test_sigterm_with_early_stopping_saves_the_best(make_job) -> None:
    """Issue item 5: the best model so far."""
    job = make_job(num_round="100000", eval_metric="logloss", early_stopping_rounds="99999", eta="0.9", max_depth="6")
    done = job.terminated("[60]")
    assert done.returncode == 0, done.stderr
    values = [float(value) for value in re.findall(r"validation-logloss:(\S+)", done.stdout)]
    model = xgboost.Booster()
    model.load_model(bytearray((job.model / "xgboost-model").read_bytes()))
    assert model.num_boosted_rounds() == job.manifest()["model"]["best_round"] + 1 < 60
    assert min(values) == values[-1]


def test_sigterm_before_the_first_round_leaves_no_model(make_job) -> None:
    """Contract C06: the end comes at once, with a failure text, and nothing half-written. Rows are still awaited."""
    job = make_job()
    job.declare("train", ContentType="text/csv", TrainingInputMode="Pipe")
    fifo = job.data / "train_0"
    os.mkfifo(fifo)
    with job.start() as process, fifo.open("wb") as pipe:
        pipe.write((job.data / "train" / "train.csv").read_bytes())
        pipe.flush()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 128 + signal.SIGTERM
    assert list(job.model.iterdir()) == []
    assert job.failure.startswith("Stopped: SIGTERM arrived before the first round")


def test_sigterm_between_folds_keeps_the_folds_done(make_job) -> None:
    """Issue item 5 for k-fold jobs."""
    job = make_job(num_round="2000", _kfold="5")
    done = job.terminated("[1999]")
    assert done.returncode == 0, done.stderr
    assert (job.model / "xgboost-model-0").exists() or (job.model / "xgboost-model").exists()
    assert not (job.output_data / "predictions.csv").exists()
