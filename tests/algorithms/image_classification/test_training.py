"""Whole training jobs on small pictures: log lines, files, early ends, broken jobs that go on, and models that do."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sagedock.algorithms.image_classification.description import SYMBOL, Description
from sagedock.formats import safetensors
from tests.algorithms.image_classification import channel_data, jobs
from tests.platform import Job, wait_until

PREFIX = r"^\[\d\d/\d\d/\d{4} \d\d:\d\d:\d\d INFO \d+\] "
NUMBER = r"(\d+\.\d{6})"


def log_of(job: Job, capsys: pytest.CaptureFixture[str]) -> str:
    """What a job that ends well writes to stdout."""
    capsys.readouterr()
    assert job.run() == 0, job.failure
    return capsys.readouterr().out


def accuracies(log: str) -> list[float]:
    return [float(found) for found in re.findall(r"Validation-accuracy=([0-9\.]+)", log)]


def params(job: Job) -> list[str]:
    return sorted(file.name for file in job.model.glob("*.params"))


def weights(job: Job) -> dict[str, Any]:
    (name,) = params(job)
    return dict(safetensors.read(job.model / name).arrays)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Job, str]:
    """A job of three epochs of 22 batches, with a figure of the first two classes, and its log."""
    job = jobs.job(tmp_path_factory.mktemp("plain"), 44, classes=3, mini_batch_size="2", epochs="3", top_k="2")
    done = job.process()
    assert done.returncode == 0, done.stderr
    return job, done.stdout


def test_lines_of_an_epoch_have_the_shapes_of_the_built_in(plain: tuple[Job, str]) -> None:
    """image 25, image 29"""
    for epoch in range(3):
        for shape in (
            rf"Epoch\[{epoch}\] Train-accuracy={NUMBER}$",
            rf"Epoch\[{epoch}\] Time cost=\d+\.\d{{3}}$",
            rf"Epoch\[{epoch}\] Validation-accuracy={NUMBER}$",
        ):
            assert len(re.findall(PREFIX + shape, plain[1], re.MULTILINE)) == 1, shape
    assert len(accuracies(plain[1])) == 3


def test_the_figure_of_the_first_k_is_told_of_training_alone(plain: tuple[Job, str]) -> None:
    """image 26"""
    first = re.findall(rf"Train-accuracy={NUMBER}", plain[1])
    among = re.findall(rf"Train-top_k_accuracy_2={NUMBER}", plain[1])
    assert len(first) == len(among) == 3
    assert all(float(wide) >= float(one) for wide, one in zip(among, first, strict=True))
    assert "Validation-top_k" not in plain[1]


def test_every_twentieth_batch_has_a_line(plain: tuple[Job, str]) -> None:
    """image 27"""
    figures = rf"accuracy={NUMBER}\ttop_k_accuracy_2={NUMBER}$"
    shape = rf"Epoch\[(\d)\] Batch \[(\d+)\]\tSpeed: \d+\.\d{{3}} samples/sec\t{figures}"
    found = [match[:2] for match in re.findall(PREFIX + shape, plain[1], re.MULTILINE)]
    assert found == [("0", "20"), ("1", "20"), ("2", "20")]


def test_twenty_batches_have_no_line_and_averages_count_every_picture_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """image 28; specification 8.1: 40 and 7 pictures, whatever the batch."""
    log = log_of(jobs.job(tmp_path, 40, 7, mini_batch_size="2", epochs="1"), capsys)
    assert "Batch [" not in log
    ((trained,), (judged,)) = (re.findall(rf"{name}-accuracy={NUMBER}", log) for name in ("Train", "Validation"))
    assert float(trained) * 40 == pytest.approx(round(float(trained) * 40), abs=1e-3)
    assert float(judged) * 7 == pytest.approx(round(float(judged) * 7), abs=1e-3)


def test_the_file_is_that_of_the_best_epoch(plain: tuple[Job, str]) -> None:
    """image 30"""
    found = accuracies(plain[1])
    best = found.index(max(found)) + 1
    assert params(plain[0]) == [f"image-classification-{best:04d}.params"]
    assert f'Saved checkpoint to "{plain[0].model / params(plain[0])[0]}"' in plain[1]
    described = Description.read(plain[0].model / SYMBOL)
    assert (described.epoch, described.accuracy) == (best, pytest.approx(max(found), abs=1e-6))


def test_the_files_of_a_model(plain: tuple[Job, str]) -> None:
    """image 52"""
    names = {file.name for file in plain[0].model.iterdir()}
    assert {SYMBOL, "model-shapes.json", "image-classification.onnx"} < names
    shapes = json.loads((plain[0].model / "model-shapes.json").read_text())
    assert shapes == [{"name": "data", "shape": [2, 3, jobs.SIDE, jobs.SIDE]}]
    assert set(plain[0].manifest()["files"]) == names - {"manifest.json"}


def test_the_start_of_the_log_tells_what_was_asked(plain: tuple[Job, str]) -> None:
    assert "---- Parameters ----" in plain[1]
    assert "image_shape: 3,16,16" in plain[1]
    assert "checkpoint_frequency is not set" in plain[1]


def test_endpoints_resizing_is_judged_once(plain: tuple[Job, str]) -> None:
    """Specification 6: pictures as large as the network's are resized by nothing, and the figure is the best one."""
    (found,) = re.findall(rf"as an endpoint does: {NUMBER}", plain[1])
    assert float(found) == max(accuracies(plain[1]))


def test_every_second_epoch_is_kept_beside_the_best(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """image 31"""
    job = jobs.job(tmp_path, epochs="5", checkpoint_frequency="2")
    found = accuracies(log_of(job, capsys))
    best = f"image-classification-{found.index(max(found)) + 1:04d}.params"
    kept = {"image-classification-0002.params", "image-classification-0004.params"}
    assert set(params(job)) == kept | {best}
    assert kept <= set(job.manifest()["files"])


def test_early_stopping_ends_a_job(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """image 32, on a network that learns nothing: a rate of 0."""
    asked = {"early_stopping": "True", "early_stopping_min_epochs": "3", "early_stopping_patience": "2"}
    log = log_of(jobs.job(tmp_path / "early", epochs="9", learning_rate="0", momentum="0", **asked), capsys)
    found = accuracies(log)
    assert len(found) < 9
    assert found[-1] <= max(found[:-2])


def test_the_same_job_gives_the_same_model(plain: tuple[Job, str], tmp_path: Path) -> None:
    again = plain[0].again(tmp_path / "again")
    assert again.process().returncode == 0
    for name in ("image-classification.onnx", SYMBOL, *params(plain[0])):
        assert (again.model / name).read_bytes() == (plain[0].model / name).read_bytes()


def test_a_killed_job_goes_on_to_the_same_model(tmp_path: Path) -> None:
    """Issue 8 item 7: killed behind its second epoch, bit for bit; random crops, momentum, a falling rate.

    It cannot run away from the kill: its next checkpoint goes to a pipe that nobody reads.
    """
    asked = {"augmentation_type": "crop_color", "image_shape": "3,12,12", "lr_scheduler_step": "2", "epochs": "4"}
    whole, broken = (jobs.job(tmp_path / name, **asked, checkpoint_frequency="2") for name in ("whole", "broken"))
    assert whole.process().returncode == 0
    broken.checkpoints.mkdir()
    broken.write_config("checkpointconfig", {"LocalPath": str(broken.checkpoints)})
    held = broken.checkpoints / ".image-classification-checkpoint.3.tmp"
    os.mkfifo(held)
    with broken.start() as process:
        wait_until((broken.checkpoints / "image-classification-checkpoint.2").exists, process)
        process.kill()
        process.communicate()
    held.unlink()
    for file in broken.model.iterdir():
        file.unlink()  # as on another instance
    done = broken.process()
    assert done.returncode == 0, done.stderr
    assert "Epoch[1]" not in done.stdout
    assert "Epoch[2] Train-accuracy" in done.stdout
    assert params(broken) == params(whole)
    for name in (*params(whole), "image-classification.onnx", SYMBOL):
        assert (broken.model / name).read_bytes() == (whole.model / name).read_bytes(), name


def test_a_checkpoint_of_another_job_is_refused(tmp_path: Path) -> None:
    job = jobs.job(tmp_path, epochs="1")
    job.checkpoints.mkdir()
    job.write_config("checkpointconfig", {"LocalPath": str(job.checkpoints)})
    assert job.run() == 0
    job.write_config("hyperparameters", {**job.hyperparameters, "learning_rate": "0.1"})
    assert job.run() == 1
    assert "learning_rate" in job.failure


def test_a_job_that_diverges_ends_well_with_a_finite_model(tmp_path: Path) -> None:
    """Specification 4: a tuning job finds its figure in the log of a run that is lost."""
    job = jobs.job(tmp_path, epochs="4", optimizer="adam", learning_rate="1", eps="0", beta_2="0", weight_decay="1")
    job.write_config("hyperparameters", {**job.hyperparameters, "optimizer": "sgd", "momentum": "1"})
    done = job.process()
    assert done.returncode == 0, done.stderr
    assert 1 <= len(accuracies(done.stdout)) <= 4
    assert all(np.isfinite(array).all() for array in weights(job).values())
    assert job.metrics()


def test_several_labels_are_judged_each_by_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """image 47, image 46: 6 pictures of 3 classes are 18 decisions; classes that are rare weigh more."""
    job = jobs.job(tmp_path, num_classes="3", multi_label="1", use_weighted_loss="1", epochs="1")
    some = channel_data.several(22)
    for name, part in (("train", some[:16]), ("validation", some[16:])):
        job.add_channel(name, {f"{name}.rec": channel_data.record_bytes(part)}, ContentType=jobs.RECORDIO)
    (found,) = accuracies(log_of(job, capsys))
    assert found * 18 == pytest.approx(round(found * 18), abs=1e-3)
    assert Description.read(job.model / SYMBOL).multi_label


def test_a_job_begins_where_an_earlier_one_ended(
    plain: tuple[Job, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """image 49: at a rate of 0 the first epoch is judged as the earlier one's best."""
    seeded = plain[0].again(tmp_path / "seeded")
    asked = {**plain[0].hyperparameters, "epochs": "1", "learning_rate": "0", "momentum": "0"}
    seeded.write_config("hyperparameters", asked)
    files = {file.name: file.read_bytes() for file in plain[0].model.iterdir()}
    seeded.add_channel("model", files, ContentType="application/x-sagemaker-model")
    found = accuracies(log_of(seeded, capsys))
    assert found[0] >= max(accuracies(plain[1])) - 0.05
    seeded.write_config("hyperparameters", {**asked, "num_classes": "4"})
    assert seeded.run() == 1
    assert "num_classes" in seeded.failure


def test_a_frozen_backbone_stays_as_it_was(plain: tuple[Job, str], tmp_path: Path) -> None:
    frozen = plain[0].again(tmp_path / "frozen")
    asked = {**plain[0].hyperparameters, "_frozen_backbone": "1", "_new_head": "1", "epochs": "2"}
    frozen.write_config("hyperparameters", asked)
    assert frozen.run() == 1
    assert "_frozen_backbone" in frozen.failure
    files = {file.name: file.read_bytes() for file in plain[0].model.iterdir()}
    frozen.add_channel("model", files, ContentType="application/x-sagemaker-model")
    assert frozen.run() == 0, frozen.failure
    before, after = weights(plain[0]), weights(frozen)
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    assert changed == {"fc.weight", "fc.bias"}


def test_names_of_folders_and_int8_reach_the_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job = jobs.job(tmp_path, epochs="1", resize="16", _class_names="1", _serving_precision="int8")
    for name, seed in (("train", 0), ("validation", 1)):
        channel_data.folder_channel(tmp_path / name, channel_data.pictures(16, seed=seed), ("ant", "bee"))
        files = {str(file.relative_to(tmp_path / name)): file.read_bytes() for file in (tmp_path / name).rglob("*.png")}
        job.add_channel(name, files, ContentType="application/x-image")
    log = log_of(job, capsys)
    assert re.search(rf"int8 on 16 validation pictures: accuracy {NUMBER}, in float32 {NUMBER}", log)
    described = Description.read(job.model / SYMBOL)
    assert (described.class_names, described.answers_names, described.precision) == (("ant", "bee"), True, "int8")


def test_sigterm_leaves_the_best_epoch_so_far(tmp_path: Path) -> None:
    """Issue 8 item 7."""
    job = jobs.job(tmp_path, epochs="100000")
    ended = job.terminated("Epoch[1] Validation-accuracy")
    assert ended.returncode == 0, ended.stderr
    assert "training ends after" in ended.stderr
    assert Description.read(job.model / SYMBOL).epoch >= 1
