"""Model files: what loads, what is refused, and selectable inference."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import xgboost

from sagedock.algorithms.xgboost.model import artefact_names, load
from sagedock.contracts import manifest
from sagedock.contracts.hosting import InferenceOptions
from sagedock.errors import ModelError
from sagedock.formats.responses import encode
from sagedock.formats.table import Predictions, Table
from tests.algorithms.xgboost import data

FEATURES = data.numbers(200)
ROWS = FEATURES[:3]


def trained(objective: str, labels, **parameters) -> xgboost.Booster:
    given = {"objective": objective, "nthread": 1, "max_depth": 3, **parameters}
    return xgboost.train(given, xgboost.DMatrix(FEATURES, labels), num_boost_round=5)


@pytest.fixture(scope="module")
def logistic() -> xgboost.Booster:
    return trained("binary:logistic", data.binary_labels(FEATURES))


@pytest.mark.parametrize("name", ["model.json", "model.ubj", "xgboost-model", "model.bin"])
def test_xgboosts_own_formats_load_whatever_the_name(logistic, tmp_path: Path, name: str) -> None:
    """Statement 58: a model trained elsewhere, without a manifest."""
    (tmp_path / name).write_bytes(logistic.save_raw("json" if name.endswith("json") else "ubj"))
    model = load(tmp_path, None, InferenceOptions())
    np.testing.assert_array_equal(model.predict(Table(ROWS)).columns["score"], logistic.inplace_predict(ROWS))


class Harmful:
    def __reduce__(self):
        return (Path("/tmp/harmed").touch, ())


@pytest.mark.parametrize("protocol", [2, 5])
def test_pickles_are_refused_by_default(logistic, tmp_path: Path, protocol: int) -> None:
    """Issue item 5: nothing in it is executed."""
    Path("/tmp/harmed").unlink(missing_ok=True)
    (tmp_path / "xgboost-model").write_bytes(pickle.dumps(Harmful(), protocol=protocol))
    with pytest.raises(ModelError, match="SAGEDOCK_ALLOW_PICKLE"):
        load(tmp_path, None, InferenceOptions())
    assert not Path("/tmp/harmed").exists()


def test_a_trusted_pickle_loads(logistic, tmp_path: Path) -> None:
    """Models of SageMaker's images up to 1.2 are pickled boosters."""
    (tmp_path / "xgboost-model").write_bytes(pickle.dumps(logistic))
    model = load(tmp_path, None, InferenceOptions(allow_pickle=True))
    np.testing.assert_array_equal(model.scores(ROWS), logistic.inplace_predict(ROWS))
    (tmp_path / "xgboost-model").write_bytes(pickle.dumps({"no": "model"}))
    with pytest.raises(ModelError, match="holds a dict"):
        load(tmp_path, None, InferenceOptions(allow_pickle=True))
    (tmp_path / "xgboost-model").write_bytes(pickle.dumps(logistic)[:100])
    with pytest.raises(ModelError, match="cannot be unpickled"):
        load(tmp_path, None, InferenceOptions(allow_pickle=True))


@pytest.mark.parametrize("content", [b"", b"{", b"binf\x00\x00", b"\x00" * 100, b'{"learner": {}}', b"not a model"])
def test_files_that_are_no_models_are_refused_by_name(tmp_path: Path, content: bytes) -> None:
    """Bad input: unreadable model directory."""
    (tmp_path / "xgboost-model").write_bytes(content)
    with pytest.raises(ModelError, match="xgboost-model"):
        load(tmp_path, None, InferenceOptions())


def test_directories_without_models(tmp_path: Path) -> None:
    """Bad input: unreadable model directory."""
    with pytest.raises(ModelError, match="does not exist"):
        load(tmp_path / "missing", None, InferenceOptions())
    (tmp_path / ".hidden").write_bytes(b"x")
    with pytest.raises(ModelError, match="no XGBoost model file"):
        load(tmp_path, None, InferenceOptions())


def test_a_changed_file_is_found_by_its_checksum(logistic, tmp_path: Path) -> None:
    """The manifest's sha256."""
    file = tmp_path / "xgboost-model"
    file.write_bytes(logistic.save_raw("ubj"))
    facts = manifest.Manifest("xgboost", {}, {}, {"feature_count": 5}, {"xgboost-model": manifest.sha256(file)})
    manifest.write(tmp_path, facts)
    assert manifest.read(tmp_path) == facts
    file.write_bytes(file.read_bytes()[:-1] + b"]")
    with pytest.raises(ModelError, match="sha256"):
        manifest.read(tmp_path)
    file.unlink()
    with pytest.raises(ModelError, match="which the manifest lists"):
        manifest.read(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        "{}",
        '{"algorithm": "a", "versions": {}, "hyperparameters": {}, "model": [], "files": {}}',
        '{"algorithm": "a", "versions": {}, "hyperparameters": {}, "model": {}, "files": {"../x": "0"}}',
    ],
)
def test_a_manifest_that_makes_no_sense_or_points_outside(tmp_path: Path, content: str) -> None:
    """Bad input: a manifest is hostile input too."""
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(ModelError, match=r"manifest\.json"):
        manifest.read(tmp_path)


def test_a_manifest_of_a_later_format_is_refused(tmp_path: Path) -> None:
    content = {
        "algorithm": "xgboost",
        "versions": {},
        "hyperparameters": {},
        "model": {},
        "files": {},
        "format_version": 2,
    }
    (tmp_path / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(ModelError, match="format_version 2"):
        manifest.read(tmp_path)


def test_fold_models_are_taken_in_numerical_order(tmp_path: Path) -> None:
    for number in (10, 2, 0):
        (tmp_path / f"xgboost-model-{number}").touch()
    assert artefact_names(tmp_path, None) == ["xgboost-model-0", "xgboost-model-2", "xgboost-model-10"]


def answers(objective: str, labels, keys: str, cut_off: float | None = None, **parameters) -> Predictions:
    from dataclasses import replace

    from sagedock.algorithms.xgboost.model import XGBoostModel

    model = XGBoostModel.of([trained(objective, labels, **parameters)], cut_off=cut_off)
    return replace(model, output=tuple(keys.split(","))).predict(Table(ROWS))


def test_selectable_inference_of_binary_logistic() -> None:
    """Section 7.5 and statement 53; the body ends with a newline, as every line-oriented answer here does."""
    keys = "predicted_label,labels,probability,probabilities,raw_score,raw_scores,predicted_score,decision"
    got = answers("binary:logistic", data.binary_labels(FEATURES), keys, cut_off=0.9).columns
    p = got["probability"]
    np.testing.assert_array_equal(got["predicted_label"], (p > 0.5).astype(int))
    np.testing.assert_array_equal(got["probabilities"], np.stack([1 - p, p], axis=1))
    np.testing.assert_array_equal(got["raw_score"], p)
    np.testing.assert_array_equal(got["labels"], [[0, 1]] * 3)
    np.testing.assert_array_equal(got["decision"], (p > 0.9).astype(int))
    assert np.isnan(got["predicted_score"]).all()
    body = encode(answers("binary:logistic", data.binary_labels(FEATURES), "predicted_label,probabilities"), "text/csv")
    first = body.decode().splitlines()[0]
    assert first[0] in "01"
    assert first[1:].startswith(',"[')
    assert body.endswith(b']"\n')


def test_selectable_inference_of_the_other_objectives() -> None:
    """Section 7.5, the rest of the table; statement 55: unknown keys are NaN."""
    labels, classes = data.binary_labels(FEATURES), data.classes(FEATURES)
    raw = answers("binary:logitraw", labels, "predicted_label,raw_scores,probability").columns
    np.testing.assert_array_equal(raw["predicted_label"], (raw["raw_scores"][:, 1] > 0).astype(int))
    assert np.isnan(raw["probability"]).all()
    hinge = answers("binary:hinge", labels, "predicted_label").columns["predicted_label"]
    assert set(hinge.tolist()) <= {0.0, 1.0}
    assert hinge.dtype == np.float32
    soft = answers("multi:softprob", classes, "predicted_label,labels,probability,probabilities", num_class=3).columns
    np.testing.assert_array_equal(soft["predicted_label"], soft["probabilities"].argmax(axis=1))
    np.testing.assert_array_equal(soft["probability"], soft["probabilities"].max(axis=1))
    np.testing.assert_array_equal(soft["labels"], [[0, 1, 2]] * 3)
    bare = answers("multi:softmax", classes, "predicted_label,raw_scores,labels", num_class=3).columns
    np.testing.assert_array_equal(bare["raw_scores"][:, 0], 1 - bare["predicted_label"])
    squared = answers("reg:squarederror", FEATURES[:, 0], "predicted_score,foo").columns
    assert np.isfinite(squared["predicted_score"]).all()
    assert np.isnan(squared["foo"]).all()
    assert b"NaN" in encode(answers("reg:squarederror", FEATURES[:, 0], "foo"), "application/json")


def test_keys_without_an_answer_are_announced_once(logistic, tmp_path: Path, caplog) -> None:
    """Section 7.5: one warning; a misspelt key would otherwise be NaN without a word."""
    (tmp_path / "xgboost-model").write_bytes(logistic.save_raw("ubj"))
    load(tmp_path, None, InferenceOptions(output=("probability", "probabillity", "decision")))
    assert "names probabillity, decision, which a model of objective binary:logistic does not have" in caplog.text


def test_selectable_inference_without_selectable_content() -> None:
    """Statement 56."""
    with pytest.raises(ModelError, match="count:poisson"):
        answers("count:poisson", data.classes(FEATURES), "predicted_label")


def test_softprob_lines_hold_a_probability_per_class() -> None:
    """Statement 51."""
    booster = trained("multi:softprob", data.classes(FEATURES), num_class=3)
    from sagedock.algorithms.xgboost.model import XGBoostModel

    lines = encode(XGBoostModel.of([booster]).predict(Table(ROWS)), "text/csv").decode().splitlines()
    assert len(lines) == 3
    for line in lines:
        cells = [float(cell) for cell in line.split(",")]
        assert len(cells) == 3
        assert sum(cells) == pytest.approx(1, abs=1e-6)
