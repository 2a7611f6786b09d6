"""The model file: as large as its arrays, mapped, and believed in nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sagedock.algorithms.randomcutforest import artefact
from sagedock.algorithms.randomcutforest.detector import Detector
from sagedock.algorithms.randomcutforest.forest import Forest, build
from sagedock.algorithms.randomcutforest.model import RandomCutForestModel, load
from sagedock.contracts import manifest
from sagedock.contracts.hosting import InferenceOptions
from sagedock.contracts.model_directory import examine
from sagedock.errors import ModelError
from sagedock.formats import safetensors
from tests.algorithms.randomcutforest import data

FACTS = {"format": artefact.FORMAT, "version": artefact.VERSION, "samples_per_tree": "20"}


@pytest.fixture
def forest() -> Forest:
    return build(data.rows(200, columns=4).reshape(10, 20, 4), 3)


def refusal(directory: Path) -> str:
    with pytest.raises(ModelError) as caught:
        load(directory, None, InferenceOptions())
    return str(caught.value)


def test_the_file_is_little_larger_than_its_arrays_and_mapped(forest: Forest, tmp_path: Path) -> None:
    """Issue 4 item 7"""
    assert RandomCutForestModel(Detector(forest)).save(tmp_path) == [artefact.NAME]
    file = tmp_path / artefact.NAME
    assert file.stat().st_size <= 1.5 * forest.memory_bytes
    loaded = load(tmp_path, None, InferenceOptions()).forest
    assert str(file) in Path("/proc/self/maps").read_text()
    points = data.rows(50, columns=4, seed=5)
    assert np.array_equal(loaded.scores(points), forest.scores(points))
    assert examine(tmp_path).files() == [file], "a file of a kind that is safe to load"


def test_a_forest_of_constant_rows_is_stored_too(tmp_path: Path) -> None:
    """Its arrays of cuts are empty."""
    RandomCutForestModel(Detector(build(np.ones((3, 4, 2), np.float32), 1))).save(tmp_path)
    assert load(tmp_path, None, InferenceOptions()).forest.node_counts.tolist() == [1, 1, 1]


def test_the_model_is_found_with_and_without_a_manifest(forest: Forest, tmp_path: Path) -> None:
    RandomCutForestModel(Detector(forest), facts={"rows": 200}).save(tmp_path)
    assert load(tmp_path, None, InferenceOptions()).describe()["feature_count"] == 4
    written = manifest.Manifest("randomcutforest", {}, {}, {"feature_count": 4, "rows": 200}, {artefact.NAME: "0" * 64})
    assert load(tmp_path, written, InferenceOptions()).describe()["rows"] == 200
    other = manifest.Manifest("randomcutforest", {}, {}, {"feature_count": 5}, {artefact.NAME: "0" * 64})
    with pytest.raises(ModelError, match="has 4 columns, and its manifest says 5"):
        load(tmp_path, other, InferenceOptions())
    with pytest.raises(ModelError, match="holds no file model_algo-1"):
        load(tmp_path, manifest.Manifest("randomcutforest", {}, {}, {}, {}), InferenceOptions())
    assert "holds no file model_algo-1" in refusal(tmp_path / "..")
    assert "does not exist" in refusal(tmp_path / "absent")


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"format": "other"}, "its format is 'other'"),
        ({"format": None}, "its format is 'not said'"),
        ({"version": "2"}, "it is of version '2', and read is 1"),
        ({"samples_per_tree": None}, "its samples_per_tree is ''"),
        ({"samples_per_tree": "0"}, "its samples_per_tree is '0'"),
        ({"samples_per_tree": "2049"}, "its samples_per_tree is '2049'"),  # no job makes one, and it may be that deep
        ({"samples_per_tree": "9" * 4000}, "its samples_per_tree is '9999"),
        ({"samples_per_tree": "٣"}, "its samples_per_tree is"),
        ({"samples_per_tree": "19"}, "do not hold 19 samples"),
    ],
)
def test_what_the_file_says_of_itself_is_checked(
    forest: Forest, tmp_path: Path, facts: Mapping[str, str | None], told: str
) -> None:
    said = {name: text for name, text in {**FACTS, **facts}.items() if text is not None}
    safetensors.write(tmp_path / artefact.NAME, forest.arrays(), said)
    found = refusal(tmp_path)
    assert told in found
    assert "deploy the model's archive again" in found


@pytest.mark.parametrize(
    "change",
    [
        lambda arrays: arrays.pop("mass"),
        lambda arrays: arrays.update(more=np.zeros(1, np.float32)),
        lambda arrays: arrays.update(mass=arrays["mass"].astype(np.int64)),
        lambda arrays: arrays.update(mass=arrays["mass"] + 1),
        lambda arrays: arrays.update(cut=arrays["cut"][:-1]),
        lambda arrays: arrays.update(dimension=np.where(arrays["dimension"] >= 0, 4, -1).astype(np.int32)),
        lambda arrays: arrays.update(dimension=arrays["dimension"][:-1]),
        lambda arrays: arrays.update(point=arrays["point"] * np.nan),
        lambda arrays: arrays.update(box=arrays["box"][:, ::-1].copy()),
    ],
)
def test_arrays_that_are_no_forest_are_refused(
    forest: Forest, tmp_path: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    arrays = dict(forest.arrays())
    change(arrays)
    safetensors.write(tmp_path / artefact.NAME, arrays, FACTS)
    assert "is no random cut forest that can be read" in refusal(tmp_path)


@pytest.mark.parametrize("content", [b"", b"junk", b"PK\x03\x04", b"\x80\x04."])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / artefact.NAME).write_bytes(content)
    assert artefact.NAME in refusal(tmp_path)


def test_trees_of_as_many_samples_as_a_job_may_ask_for_are_read(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).normal(size=(1, 2048, 1)).astype(np.float32)
    artefact.write(tmp_path, Detector(build(samples, 0)))
    detector, _ = artefact.read(tmp_path / artefact.NAME)
    assert detector.forest.samples_per_tree == 2048
