"""Answers: xgboost 7.4 and 7.5, contract E05 to E08 and E13."""

import csv
import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sagedock.errors import NotAcceptable
from sagedock.formats.record_pb2 import Record
from sagedock.formats.recordio import read
from sagedock.formats.responses import RESPONSE_TYPES, encode
from sagedock.formats.table import Predictions

SCORES = Predictions({"score": np.array([0.8796417, 1e-5], dtype=np.float32)})
SHARES = Predictions({"score": np.array([[0.25, 0.75], [0.5, 0.5]], dtype=np.float32)})
SELECTED = Predictions(
    {
        "predicted_label": np.array([1, 0]),
        "probabilities": np.array([[0.1, 0.9], [0.5, 0.5]], dtype=np.float32),
        "foo": np.array([np.nan, np.nan]),
    },
    plain=False,
)


def test_csv_scores_are_doubles_one_per_line():
    """Xgboost 7.4 and 49."""
    assert encode(SCORES, "text/csv") == b"0.8796417117118835\n9.999999747378752e-06\n"


def test_csv_shares_are_joined_by_commas():
    """Xgboost 51."""
    assert encode(SHARES, "text/csv") == b"0.25,0.75\n0.5,0.5\n"


def test_selected_csv_keeps_the_order_and_quotes_lists():
    """Xgboost 53 and 55, contract E07 and E13."""
    answer = encode(SELECTED, "text/csv").decode()
    assert answer == '1,"[0.10000000149011612, 0.8999999761581421]",nan\n0,"[0.5, 0.5]",nan\n'
    assert [len(row) for row in csv.reader(io.StringIO(answer))] == [3, 3]


def test_json_answers():
    """Xgboost 50 and 55."""
    expected = b'{"predictions":[{"score":0.8796417117118835},{"score":9.999999747378752e-06}]}'
    assert encode(SCORES, "application/json") == expected
    assert json.loads(encode(SHARES, "application/json"))["predictions"][0] == {"score": [0.25, 0.75]}
    assert b'"foo":NaN' in encode(SELECTED, "application/json")
    assert b'"predicted_label":1,' in encode(SELECTED, "application/json")


def test_the_json_key_is_the_algorithms():
    predictions = Predictions({"score": np.array([1.0], dtype=np.float32)}, json_key="scores")
    assert encode(predictions, "application/json") == b'{"scores":[{"score":1.0}]}'


def test_json_lines_are_one_value_each():
    """Contract E08, xgboost 54."""
    lines = encode(SELECTED, "application/jsonlines").split(b"\n")
    assert [json.loads(line)["predicted_label"] for line in lines[:-1]] == [1, 0]
    assert lines[-1] == b""


def test_recordio_maps_each_key_to_a_tensor():
    """Xgboost 7.5."""
    found = [Record.FromString(frame.payload) for frame in read(io.BytesIO(encode(SELECTED, RESPONSE_TYPES[3])), "")]
    assert sorted(found[0].label) == ["foo", "predicted_label", "probabilities"]
    assert np.array_equal(found[1].label["probabilities"].float32_tensor.values, [0.5, 0.5])


@pytest.mark.parametrize("media_type", ["text/csv", "application/jsonlines"])
@pytest.mark.parametrize("predictions", [SCORES, SHARES, SELECTED])
def test_every_record_ends_with_one_newline(media_type, predictions):
    """Contract E05 and E13: two bodies joined have the lines of both."""
    answer = encode(predictions, media_type)
    assert (answer + answer).count(b"\n") == 4
    assert answer.endswith(b"\n")
    assert not answer.endswith(b"\n\n")


def test_the_numbers_survive_the_text():
    values = np.random.default_rng(0).normal(size=1000).astype(np.float32)
    answer = encode(Predictions({"score": values}), "text/csv")
    assert np.array_equal(np.array([float(line) for line in answer.split()], dtype=np.float32), values)


def test_other_types_are_not_written():
    with pytest.raises(NotAcceptable, match="text/csv"):
        encode(SCORES, "image/png")


@given(arrays.arrays(np.float32, st.integers(1, 30), elements=st.floats(width=32)))
def test_csv_scores_are_written_as_python_writes_doubles(scores):
    """Xgboost 7.4, for every size and sign, NaN and infinity included."""
    expected = "".join(f"{float(score)!r}\n" for score in scores)
    assert encode(Predictions({"score": scores}), "text/csv").decode() == expected


@given(st.lists(st.floats(min_value=np.float32(1e-4), max_value=1.0, width=32), min_size=1))
def test_csv_probabilities_are_written_as_python_writes_doubles(scores):
    """Xgboost 7.4."""
    expected = "".join(f"{score!r}\n" for score in scores)
    assert encode(Predictions({"score": np.array(scores, dtype=np.float32)}), "text/csv").decode() == expected
