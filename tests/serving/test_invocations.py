"""The request path as a function: the same record gets the same answer however it is sent (issue item 6)."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sagedock.contracts.hosting import HostingSettings, InferenceOptions
from sagedock.errors import NotAcceptable, UnsupportedMediaType, UserError
from sagedock.formats import csv, instances, libsvm, parquet, records
from sagedock.formats.media_types import CSV, JSON, JSON_LINES, LIBSVM, PARQUET, RECORDIO
from sagedock.formats.table import Floats, Table
from sagedock.serving.invocations import ROWS_AT_ONCE
from sagedock.serving.loading import Loaded, load
from tests.serving.models import ARTEFACT, COLUMNS, booster, write_manifest, write_model

OBJECTIVES = {
    "binary:logistic": {},
    "multi:softprob": {"num_class": 3},
    "multi:softmax": {"num_class": 3},
    "reg:squarederror": {},
    "count:poisson": {"booster": "dart", "rate_drop": 0.2},
}
ENCODERS = {
    CSV: csv.encode,
    JSON: lambda table: instances.encode(table, lined=False),
    JSON_LINES: lambda table: instances.encode(table, lined=True),
    PARQUET: parquet.encode,
    RECORDIO: records.encode,
    LIBSVM: libsvm.encode,
}
values = st.floats(width=32, allow_nan=False, allow_infinity=False) | st.just(float("nan"))
tables = arrays.arrays(np.float32, st.tuples(st.integers(1, 12), st.just(COLUMNS)), elements=values)


@pytest.fixture(scope="module", params=OBJECTIVES)
def loaded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """Models of several objectives, one of them linear in its trees' weights (dart)."""
    directory = tmp_path_factory.mktemp("model")
    model = booster(objective=request.param, **OBJECTIVES[request.param])
    (directory / ARTEFACT).write_bytes(bytes(model.save_raw("ubj")))
    write_manifest(directory)
    return load(directory, None, HostingSettings())


def answers(loaded: Loaded, features: Floats, content_type: str = CSV) -> list[object]:
    answer = loaded.invoke(ENCODERS[content_type](Table(features)), content_type, JSON_LINES)
    assert (answer.status, answer.content_type) == (200, JSON_LINES)
    found = [json.loads(line)["score"] for line in answer.body.splitlines()]
    assert len(found) == len(features)
    return found


@hypothesis_settings(max_examples=40)
@given(features=tables, order=st.randoms(use_true_random=False))
def test_a_record_gets_the_same_answer_alone_in_any_batch_order_and_format(
    loaded: Loaded, features: Floats, order: random.Random
) -> None:
    together = answers(loaded, features)
    for row in range(len(features)):
        assert answers(loaded, features[row : row + 1])[0] == together[row]
    shuffled = list(range(len(features)))
    order.shuffle(shuffled)
    assert answers(loaded, features[shuffled]) == [together[row] for row in shuffled]
    for content_type in (JSON, JSON_LINES, PARQUET, RECORDIO, LIBSVM):
        assert answers(loaded, features, content_type) == together, content_type


@pytest.fixture(scope="module")
def binary(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return load(write_model(tmp_path_factory.mktemp("binary")) / "model", None, HostingSettings())


def test_every_answer_type_holds_the_same_figures(binary: Loaded) -> None:
    body = csv.encode(Table(np.eye(COLUMNS, dtype=np.float32)))
    lined = [float(line) for line in binary.invoke(body, CSV, CSV).body.splitlines()]
    document = json.loads(binary.invoke(body, CSV, JSON).body)
    assert [row["score"] for row in document["predictions"]] == lined


def test_the_default_accept_fills_in_for_an_open_one(tmp_path: Path) -> None:
    settings = HostingSettings(default_accept="Application/JSONLINES; charset=utf-8")
    loaded = load(write_model(tmp_path) / "model", None, settings)
    assert loaded.invoke(b"1,2,3,4,5", CSV, "*/*").content_type == JSON_LINES
    assert loaded.invoke(b"1,2,3,4,5", CSV, CSV).content_type == CSV


def test_a_default_accept_that_cannot_be_is_ignored_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    loaded = load(write_model(tmp_path) / "model", None, HostingSettings(default_accept="image/png"))
    assert loaded.invoke(b"1,2,3,4,5", CSV, None).content_type == CSV
    assert "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT is 'image/png'" in caplog.text


@pytest.mark.parametrize(
    ("body", "content_type", "accept", "error"),
    [
        (b"1,2,3,4,5", "image/png", "image/png", UnsupportedMediaType),
        (b"1,2,3,4,x", CSV, "image/png", UserError),
        (b"1,2,3,4", CSV, "image/png", UserError),
        (b"1,2,3,4,5", CSV, "image/png", NotAcceptable),
    ],
)
def test_the_order_of_checks(
    binary: Loaded, body: bytes, content_type: str, accept: str, error: type[UserError]
) -> None:
    with pytest.raises(error) as raised:
        binary.invoke(body, content_type, accept)
    assert type(raised.value) is error


def test_a_request_without_a_content_type_is_told_how_it_was_read(binary: Loaded) -> None:
    """contract D16"""
    with pytest.raises(UserError, match="no Content-Type and was read as text/libsvm"):
        binary.invoke(b"1,2,3,4,5", None, None)


def test_selectable_inference_names_its_fields(tmp_path: Path) -> None:
    settings = HostingSettings(options=InferenceOptions(output=("predicted_label", "probabilities")))
    loaded = load(write_model(tmp_path) / "model", None, settings)
    line = loaded.invoke(b"1,2,3,4,5", CSV, CSV).body.decode()
    assert line.count("\n") == 1
    assert line.split(",", 1)[0] in {"0", "1"}
    assert line.rstrip().split(",", 1)[1].startswith('"[')


@pytest.mark.parametrize("accept", [CSV, JSON_LINES, JSON])
@pytest.mark.parametrize("content_type", [CSV, LIBSVM])
def test_an_answer_of_many_rows_comes_in_pieces(loaded: Loaded, content_type: str, accept: str) -> None:
    """contract 3.6: together the pieces are what the rows get in small requests."""
    features = np.random.default_rng(5).normal(size=(2 * ROWS_AT_ONCE + 7, COLUMNS)).astype(np.float32)
    half = ROWS_AT_ONCE
    small = [
        loaded.invoke(ENCODERS[content_type](Table(part)), content_type, accept)
        for part in (features[:half], features[half : 2 * half], features[2 * half :])
    ]
    answer = loaded.invoke(ENCODERS[content_type](Table(features)), content_type, accept)
    assert all(part.pieces is None for part in small)
    assert (answer.pieces is None) == (accept == JSON)
    if accept == JSON:
        expected = [row for part in small for row in json.loads(part.body)["predictions"]]
        assert json.loads(answer.body)["predictions"] == expected
    else:
        assert answer.whole() == b"".join(part.body for part in small)
