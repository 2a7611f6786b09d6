"""A model that answers requests: what likelihoods, configurations and series get, and what a directory must hold."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sagedock.algorithms.deepar.model import DeepARModel, load
from sagedock.algorithms.deepar.parameters import Architecture, Parameters
from sagedock.algorithms.deepar.requests import Settings
from sagedock.contracts.hosting import InferenceOptions
from sagedock.errors import ModelError, UserError
from sagedock.formats import responses
from sagedock.formats.media_types import JSON, JSON_LINES, parse_media_type
from tests.algorithms.deepar.toys import lines, record, sines

HORIZON = 6
BUILT = Architecture("H", 12, HORIZON, "student-t", 8, 2, (1, 2, 24), (), 4, 0, 4, default_scale=2.5)


def parameters(**changes: Any) -> Parameters:
    """A network of random numbers."""
    built, generator = replace(BUILT, **changes), np.random.default_rng(0)
    shapes = built.shapes().items()
    return Parameters(built, {name: generator.normal(0, 0.3, shape).astype(np.float32) for name, shape in shapes})


def model(environment: dict[str, str] | None = None, **changes: Any) -> DeepARModel:
    return DeepARModel(parameters(**changes), Settings.of(environment or {}))


def answered(found: DeepARModel, body: bytes, essence: str = JSON) -> bytes:
    return responses.encode(found.predict(found.read(body, parse_media_type(essence))), essence)


def predictions(found: DeepARModel, records: list[dict[str, Any]], **configuration: Any) -> list[dict[str, Any]]:
    body = json.dumps({"instances": records, "configuration": configuration}).encode()
    read: list[dict[str, Any]] = json.loads(answered(found, body))["predictions"]
    return read


ALL = {"output_types": ["mean", "quantiles", "samples"], "num_samples": 50}


def test_the_default_answer_has_mean_and_quantiles_of_each_series() -> None:
    """deepar 16."""
    found = predictions(model(), sines(3))
    assert len(found) == 3
    for answer in found:
        assert sorted(answer) == ["mean", "quantiles"]
        assert list(answer["quantiles"]) == [f"0.{digit}" for digit in range(1, 10)]
        assert all(len(values) == HORIZON for values in [answer["mean"], *answer["quantiles"].values()])


def test_samples_have_the_mean_that_is_told() -> None:
    """deepar 18."""
    (answer,) = predictions(model(), sines(1), **ALL)
    assert np.shape(answer["samples"]) == (50, HORIZON)
    np.testing.assert_allclose(np.mean(answer["samples"], axis=0), answer["mean"], rtol=1e-5)


@pytest.mark.parametrize("target", [[], [None] * 5, ["NaN"] * 200, [0] * 30, [7] * 30, [1e30, 2e30]])
def test_every_target_has_a_finite_forecast(target: list[Any]) -> None:
    """deepar 21; constant and all-missing series at inference."""
    for likelihood in ("student-t", "gaussian", "negative-binomial", "deterministic-l1"):
        (answer,) = predictions(model(likelihood=likelihood), [record(target)], **ALL)
        assert np.isfinite(np.array(answer["samples"], float)).all()


@pytest.mark.parametrize("changes", [{}, {"likelihood": "gaussian", "spread": (2.0,) * HORIZON}])
def test_the_largest_numbers_have_forecasts_that_are_numbers(changes: dict[str, Any]) -> None:
    (answer,) = predictions(model(**changes), [record([3.4e38, -3.4e38, 3.4e38] * 7)], **ALL)
    assert np.isfinite([*answer["quantiles"].values(), answer["mean"], *answer["samples"]]).all()


def test_a_series_of_the_last_year_has_a_forecast() -> None:
    """A start in the year 9999; issue 7, bad input."""
    (answer,) = predictions(model(), [{"start": "9999-12-31 22:00:00", "target": [1, 2, 3]}])
    assert np.isfinite(answer["mean"]).all()


def test_the_forecast_begins_behind_the_target_whatever_is_missing_in_it() -> None:
    """deepar 26."""
    known = sines(1)[0]["target"]
    missing = predictions(model(), [record([*known, *[None] * 10])], **ALL)
    later = predictions(model(), [{"start": "2024-01-01 10:00:00", "target": known}], **ALL)
    assert missing != later
    held = model(likelihood="deterministic-l1")
    arrays = dict(held.parameters.arrays)
    arrays["layer.0.input"] = arrays["layer.0.input"].copy()
    arrays["layer.0.input"][:, : len(BUILT.lags) + 1] = 0  # only the calendar and the age are left
    by_time = DeepARModel(Parameters(held.parameters.architecture, arrays))
    first, second = (predictions(by_time, [record(target)]) for target in ([1] * 40, [*[1] * 30, *[None] * 10]))
    np.testing.assert_allclose(first[0]["mean"], second[0]["mean"], rtol=1e-5)


def test_counts_are_whole_shares_lie_between_0_and_1_and_a_point_has_equal_quantiles() -> None:
    """deepar 25."""
    (counts,) = predictions(model(likelihood="negative-binomial"), [record([3, 0, 5, 2])], **ALL)
    samples = np.array(counts["samples"])
    assert (samples == np.floor(samples)).all()
    assert samples.min() >= 0
    (shares,) = predictions(model(likelihood="beta"), [record([0.2, 0.9])], **ALL)
    assert np.min(shares["samples"]) >= 0
    assert np.max(shares["samples"]) <= 1
    (point,) = predictions(model(likelihood="deterministic-l1"), [record([3, 0, 5, 2])])
    assert len({tuple(values) for values in point["quantiles"].values()}) == 1


def test_a_series_is_answered_alike_alone_beside_others_and_again() -> None:
    """contract E10."""
    found, records = model(), [*sines(4), record([])]
    together = predictions(found, records)
    assert [predictions(found, [each])[0] for each in records] == together
    assert predictions(model(), records) == together


def test_many_series_are_forecast_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = predictions(model(), sines(5), num_samples=10)
    monkeypatch.setattr("sagedock.algorithms.deepar.model.MOST_NUMBERS", 10 * HORIZON * 2)
    assert predictions(model(), sines(5), num_samples=10) == whole


def test_a_batch_has_a_line_for_each_line_by_the_environment() -> None:
    """deepar 22 and 23."""
    body = lines([{**each, "id": number} for number, each in enumerate(sines(3))])
    environment = {
        "DEEPAR_INFERENCE_CONFIG": '{"num_samples": 200, "output_types": ["mean"]}',
        "DEEPAR_FORWARDED_FIELDS": '["id"]',
    }
    found = [json.loads(line) for line in answered(model(environment), body, JSON_LINES).splitlines()]
    assert [list(answer) for answer in found] == [["mean", "id"]] * 3
    assert [answer["id"] for answer in found] == [0, 1, 2]
    plain = [json.loads(line) for line in answered(model(), body, JSON_LINES).splitlines()]
    assert [sorted(answer) for answer in plain] == [["mean", "quantiles"]] * 3


@pytest.mark.parametrize(
    ("changes", "fields", "field"),
    [
        ({}, {"cat": [0]}, "cat"),
        ({"cardinality": (2,)}, {}, "cat"),
        ({"cardinality": (2,)}, {"cat": [2]}, "cat"),
        ({"dynamic_features": 1}, {"dynamic_feat": [[1, 2]]}, "dynamic_feat"),
    ],
)
def test_what_a_model_was_not_trained_with_is_refused(
    changes: dict[str, Any], fields: dict[str, Any], field: str
) -> None:
    """deepar 19 and 20."""
    with pytest.raises(UserError) as caught:
        predictions(model(**changes), [record([1, 2], **fields)])
    assert caught.value.field == field


def test_a_model_with_everything_answers_its_own_example_and_comes_back_from_its_files(tmp_path: Path) -> None:
    made = model(cardinality=(3, 2), dynamic_features=2)
    body, essence = made.example()
    assert list(made.save(tmp_path)) == sorted(path.name for path in tmp_path.iterdir())
    loaded = load(tmp_path, None, InferenceOptions())
    assert answered(loaded, body, essence) == answered(made, body, essence)
    assert loaded.describe()["cardinality"] == [3, 2]
    assert loaded.memory_bytes > 0


def test_variables_that_make_no_sense_are_told_when_the_model_is_loaded(tmp_path: Path) -> None:
    model().save(tmp_path)
    options = InferenceOptions(environment={"DEEPAR_INFERENCE_CONFIG": "{"})
    with pytest.raises(ModelError, match=r"DEEPAR_INFERENCE_CONFIG: it is not JSON.*correct the variable, or unset it"):
        load(tmp_path, None, options)


def test_an_empty_directory_holds_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="describes no DeepAR network"):
        load(tmp_path, None, InferenceOptions())
