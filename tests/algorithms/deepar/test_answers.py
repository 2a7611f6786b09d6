"""Answers: mean, quantiles and samples of paths, and how they are written."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sagedock.algorithms.deepar import quantiles
from sagedock.algorithms.deepar.answers import KEY, answers, with_forwarded
from sagedock.algorithms.deepar.configuration import Configuration
from sagedock.formats import objects
from sagedock.formats.media_types import JSON, JSON_LINES
from sagedock.formats.objects import Objects

PATHS = np.random.default_rng(0).normal(size=(3, 50, 4)).astype(np.float32)


def written(configuration: Configuration, paths: np.ndarray = PATHS) -> list[dict]:
    content = objects.encode(Objects(answers(paths, configuration), KEY), JSON)
    return json.loads(content)["predictions"]


def test_the_default_answer_has_mean_and_nine_quantiles() -> None:
    """deepar 16."""
    for answer in written(Configuration()):
        assert sorted(answer) == ["mean", "quantiles"]
        assert list(answer["quantiles"]) == [f"0.{digit}" for digit in range(1, 10)]
        assert {len(values) for values in answer["quantiles"].values()} == {len(answer["mean"])} == {4}


def test_quantiles_alone_have_precisely_the_keys_asked_for() -> None:
    """deepar 17."""
    for answer in written(Configuration(output_types=("quantiles",), quantiles=("0.5", "0.90"))):
        assert list(answer) == ["quantiles"]
        assert list(answer["quantiles"]) == ["0.5", "0.90"]
        assert (np.array(answer["quantiles"]["0.5"]) <= answer["quantiles"]["0.90"]).all()


def test_the_mean_is_that_of_the_samples_that_are_returned() -> None:
    """deepar 18."""
    found = written(Configuration(50, ("samples", "mean")))
    assert np.shape([answer["samples"] for answer in found]) == (3, 50, 4)
    for answer, paths in zip(found, PATHS, strict=True):
        np.testing.assert_array_equal(np.float32(answer["samples"]), paths)
        np.testing.assert_allclose(np.mean(answer["samples"], axis=0), answer["mean"], atol=1e-5)


def test_lines_have_an_answer_each_without_predictions() -> None:
    """deepar 22."""
    content = objects.encode(Objects(answers(PATHS, Configuration(output_types=("mean",))), KEY), JSON_LINES)
    found = [json.loads(line) for line in content.splitlines()]
    assert content.endswith(b"}\n")
    assert [list(answer) for answer in found] == [["mean"]] * 3


def test_forwarded_fields_come_behind_and_replace_nothing() -> None:
    """deepar 23."""
    found = with_forwarded({"mean": [1.0]}, {"id": 7, "mean": "no"})
    assert list(found.items()) == [("mean", [1.0]), ("id", 7)]


@given(
    arrays(
        np.float32,
        st.tuples(st.just(2), st.integers(1, 30), st.integers(1, 3)),
        elements=st.floats(-1e6, 1e6, width=32),
    ),
    st.lists(st.floats(0.001, 0.999), min_size=1, max_size=9),
)
def test_quantiles_are_numpys_and_do_not_cross(paths: np.ndarray, levels: list[float]) -> None:
    """deepar 17."""
    levels = sorted(levels)
    found = quantiles.quantiles(paths, levels)
    expected = np.quantile(paths.astype(np.float64), levels, axis=1).transpose(1, 0, 2)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6 * np.abs(paths).max())
    assert (np.diff(found, axis=1) >= 0).all()
    assert (found >= paths.min(axis=1, keepdims=True)).all()
    assert (found <= paths.max(axis=1, keepdims=True)).all()


def test_equal_paths_have_equal_quantiles() -> None:
    """deepar 25."""
    found = quantiles.quantiles(np.full((1, 7, 2), 0.1, np.float32), [0.1, 0.5, 0.9])
    assert found.tolist() == np.full((1, 3, 2), np.float32(0.1)).tolist()


@pytest.mark.parametrize("media_type", [JSON, JSON_LINES])
def test_numbers_are_written_so_that_the_same_floats_are_read(media_type: str) -> None:
    values = np.random.default_rng(1).normal(scale=1e3, size=1000).astype(np.float32)
    content = objects.encode(Objects([{"mean": values}]), media_type)
    document = json.loads(content)
    found = (document[0] if media_type == JSON else document)["mean"]
    assert np.float32(found).tolist() == values.tolist()
