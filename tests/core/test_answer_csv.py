"""From CSV to CSV in one step of compiled code: the bytes, the status and the words of the long way, whatever comes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sagedock import algorithms
from sagedock.algorithms.xgboost.model import XGBoostModel, load
from sagedock.contracts.hosting import InferenceOptions
from sagedock.errors import SagedockError
from sagedock.serving.invocations import invoke
from tests.serving.models import COLUMNS, booster, csv, records

pytestmark = pytest.mark.usefixtures("native")

XGBOOST = algorithms.find("xgboost")
OBJECTIVES: Mapping[str, Mapping[str, Any]] = {
    "binary:logistic": {},
    "multi:softprob": {"num_class": 2},
    "multi:softmax": {"num_class": 2},
    "reg:squarederror": {},
}
PLAIN = "text/csv"


@pytest.fixture(scope="module", params=sorted(OBJECTIVES))
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> XGBoostModel:
    return saved(tmp_path_factory.mktemp("model"), request.param)


def saved(folder: Path, objective: str, **options: Any) -> XGBoostModel:
    trained = booster(objective=objective, **OBJECTIVES[objective])
    (folder / "xgboost-model").write_bytes(bytes(trained.save_raw("ubj")))
    return load(folder, None, InferenceOptions(**options))


def long_way(model: XGBoostModel) -> Any:
    """The model without its short way."""
    return SimpleNamespace(read=model.read, predict=model.predict)


def outcome(model: Any, body: bytes, content_type: str | None = PLAIN, accept: str | None = None) -> Any:
    """The answer, or the error's class, words and place."""
    try:
        return invoke(model, XGBOOST, body, content_type, accept)
    except SagedockError as error:
        return type(error), str(error), getattr(error, "field", None), getattr(error, "row", None)


@pytest.mark.parametrize("rows", [1, 2, 17, 1000])
def test_plain_rows_take_the_short_way_to_the_same_bytes(model: XGBoostModel, rows: int) -> None:
    body = csv(records(rows))
    assert model.answer_csv is not None
    assert model.answer_csv(body) is not None
    assert outcome(model, body) == outcome(long_way(model), body)
    assert outcome(model, body.replace(b"\n", b"\r\n")) == outcome(long_way(model), body)


CELL = st.one_of(
    st.floats(width=32).map(repr),
    st.sampled_from(["", "nan", " 1 ", "1e39", "-0", "0x1", "x", '"1"', "1e", "\u0661", "1;2", "\t"]),
    st.integers(-(10**12), 10**12).map(str),
)
ROW = st.lists(CELL, min_size=COLUMNS - 1, max_size=COLUMNS + 1).map(",".join)
BODY = st.builds(
    lambda mark, rows, between, end: (mark + between.join(rows) + end).encode(),
    st.sampled_from(["", "\ufeff"]),
    st.lists(ROW, min_size=1, max_size=4),
    st.sampled_from(["\n", "\r\n", "\n\n"]),
    st.sampled_from(["", "\n", "\n\n", " \n"]),
)


@given(body=BODY | st.binary(max_size=60))
@example(b"\n")
@example(b"1,2,3,4,5\n\n1,2,3,4,5")
@example(b"1,2,3,4\n1,2,3,4,5,6")
def test_any_body_has_the_outcome_of_the_long_way(model: XGBoostModel, body: bytes) -> None:
    assert outcome(model, body) == outcome(long_way(model), body)


@pytest.mark.parametrize("content_type", [PLAIN, "text/csv; label_size=1", "TEXT/CSV; charset=utf-8", "csv", None, "x"])
@pytest.mark.parametrize("accept", [None, "text/csv", "*/*", "application/json", "text/csv;q=0", "image/png"])
@pytest.mark.parametrize("body", [csv(records(3)), b"1,x", b"1\n"])
def test_headers_decide_as_they_do_on_the_long_way(
    model: XGBoostModel, content_type: str | None, accept: str | None, body: bytes
) -> None:
    assert outcome(model, body, content_type, accept) == outcome(long_way(model), body, content_type, accept)


def test_there_is_no_short_way_to_selected_contents_or_several_models(tmp_path: Path) -> None:
    assert saved(tmp_path, "binary:logistic", output=("probability",)).answer_csv is None
    single = saved(tmp_path, "binary:logistic")
    both = XGBoostModel([*single.boosters, *single.boosters], single.objective, 0, COLUMNS)
    assert both.answer_csv is None


def test_a_body_that_claims_more_cells_than_bytes_gets_no_memory(model: XGBoostModel) -> None:
    body = b"1,2,3,4,5" + b"\n" * 100_000 + b"1"
    assert outcome(model, body) == outcome(long_way(model), body)


def test_wide_answers_are_lines_of_numbers(tmp_path: Path) -> None:
    model = saved(tmp_path, "multi:softprob")
    answer = outcome(model, csv(records(4)))
    read = np.array([line.split(",") for line in answer.body.decode().splitlines()], dtype=float)
    np.testing.assert_allclose(read.sum(axis=1), 1, rtol=1e-6)
