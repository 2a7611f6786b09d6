"""Columns measured in units of their ranges, and what a model file may say of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sagedock.algorithms.randomcutforest import artefact
from sagedock.algorithms.randomcutforest.detector import Detector, column_weights
from sagedock.algorithms.randomcutforest.forest import build
from sagedock.algorithms.randomcutforest.model import load
from sagedock.contracts.hosting import InferenceOptions
from sagedock.errors import ModelError
from sagedock.formats import safetensors
from tests.algorithms.randomcutforest import data
from tests.platform import Job


def test_weights_make_the_mean_range_one() -> None:
    samples = np.array([[[0, 5, 7], [2, 5, 8]], [[1, 5, 9], [7, 5, 7]]], np.float32)  # ranges 2 and 6, 0 and 0, 1 and 2
    assert column_weights(samples, 1).tolist() == pytest.approx([1 / 4, 1, 1 / 1.5])


def test_the_points_of_a_shingle_share_their_weights() -> None:
    samples = np.array([[[0, 0, 0, 0], [2, 10, 4, 30]]], np.float32)  # two points of two columns
    assert column_weights(samples, 2).tolist() == pytest.approx([1 / 3, 1 / 20, 1 / 3, 1 / 20])


@pytest.mark.parametrize("width", [3e38, 1e-45])
def test_ranges_as_large_or_small_as_they_come_keep_scores_finite(width: float) -> None:
    samples = (data.rows(64, 2).clip(-1, 1) * width).astype(np.float32).reshape(4, 16, 2)
    weights = column_weights(samples, 1)
    detector = Detector(build(samples * weights, 1), 1, weights)
    assert np.isfinite(weights).all()
    assert np.isfinite(detector.scores(np.array([[3e38, -3e38], [0, 0], [1, 1e-45]], np.float32))).all()


def test_scores_do_not_depend_on_the_unit_of_a_column(make_job: Callable[..., Job]) -> None:
    """Powers of two, which keep every digit: the same trees and scores."""
    rows, units = data.rows(), np.array([1, 1024, 1 / 64], np.float32)
    scores = []
    for name, unit in (("one", 1), ("other", units)):
        job = make_job(name, rows * unit, _scale_columns="true")
        assert job.run() == 0, job.failure
        scores.append(load(job.model, None, InferenceOptions()).detector.scores(rows * unit).tolist())
    assert scores[0] == scores[1]


def test_without_scaling_a_large_column_has_all_the_cuts(make_job: Callable[..., Job]) -> None:
    counts = {}
    for scales in ("false", "true"):
        job = make_job(scales, data.rows() * np.array([1, 1, 1e4], np.float32), _scale_columns=scales)
        assert job.run() == 0, job.failure
        dimension = load(job.model, None, InferenceOptions()).forest.dimension
        counts[scales] = np.bincount(dimension[dimension >= 0], minlength=3) / (dimension >= 0).sum()
    assert counts["false"][2] > 0.95
    assert counts["true"].min() > 0.25


def test_a_job_may_score_by_depth(make_job: Callable[..., Job]) -> None:
    """The trees are the same, and the model file says how they score."""
    models = {}
    for score in ("reciprocal", "depth"):
        job = make_job(score, data.rows(), _score=score)
        assert job.run() == 0, job.failure
        models[score] = load(job.model, None, InferenceOptions())
    plain, deep = models["reciprocal"].forest, models["depth"].forest
    assert (plain.by_depth, deep.by_depth) == (False, True)
    assert plain.point.tobytes() == deep.point.tobytes()
    scores = deep.scores(data.rows())
    assert scores.tobytes() == replace(plain, by_depth=True).scores(data.rows()).tobytes()
    assert scores.tobytes() != plain.scores(data.rows()).tobytes()


def test_scores_by_depth_are_not_to_be_had_of_a_stream(make_job: Callable[..., Job]) -> None:
    job = make_job("stream", data.rows(), _score="depth", _streaming="true")
    assert job.run() == 1
    assert "_score depth is not to be had with _streaming" in job.failure


@pytest.fixture
def detector() -> Detector:
    return Detector(build(data.rows(40, 6).reshape(5, 8, 6), 1), 2, np.full(6, 2, np.float32))


def test_a_model_file_holds_shingles_and_weights(detector: Detector, tmp_path: Path) -> None:
    artefact.write(tmp_path, detector)
    found, _ = artefact.read(tmp_path / artefact.NAME)
    assert (found.shingle_size, found.columns) == (2, 3)
    assert found.weights is not None
    assert found.weights.tolist() == [2] * 6
    artefact.write(tmp_path, Detector(detector.forest))
    plain, facts = artefact.read(tmp_path / artefact.NAME)
    assert (plain.shingle_size, plain.weights) == (1, None)
    assert set(facts) == {"format", "version", "samples_per_tree"}


@pytest.mark.parametrize(
    ("weights", "size", "words"),
    [
        (np.ones(5, np.float32), "2", "weights are float32"),
        (np.ones(6), "2", "weights are float64"),
        (np.array([1, 1, 0, 1, 1, 1], np.float32), "2", "above 0"),
        (np.array([1, 1, np.nan, 1, 1, 1], np.float32), "2", "above 0"),
        (np.array([1, 1, np.inf, 1, 1, 1], np.float32), "2", "above 0"),
        (np.ones(6, np.float32), "4", "no shingles of 4 points"),
        (np.ones(6, np.float32), "7", "shingle_size"),
        (np.ones(6, np.float32), "-1", "shingle_size"),
        (np.ones(6, np.float32), "0" * 30 + "2", "shingle_size"),
    ],
)
def test_a_damaged_model_file_is_refused(
    detector: Detector, tmp_path: Path, weights: Any, size: str, words: str
) -> None:
    artefact.write(tmp_path, replace(detector, weights=None))
    file = tmp_path / artefact.NAME
    content = safetensors.read(file)
    arrays = {name: array.copy() for name, array in content.arrays.items()}
    safetensors.write(file, {**arrays, "weights": weights}, {**content.metadata, "shingle_size": size})
    with pytest.raises(ModelError, match=words):
        artefact.read(file)
