"""Whole training jobs on small pictures: log lines, files, early ends, broken jobs that go on, and models that do."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from sagedock.algorithms.image_classification.description import SYMBOL, Description
from tests.algorithms.image_classification import jobs
from tests.platform import Job

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
