"""With the compiled core and without it: the same answers to the bit, and the same words of error (issue 3 item 4)."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sagedock.contracts.channels import Source
from sagedock.errors import UserError
from sagedock.formats import libsvm, responses
from sagedock.formats.media_types import parse_media_type
from sagedock.formats.requests import decode
from sagedock.formats.responses import RESPONSE_TYPES, encode
from sagedock.formats.table import Predictions, Table
from sagedock.formats.training import read_table
from tests.without_core import without_core

pytestmark = pytest.mark.usefixtures("native")


def outcome(work: Callable[[], Any]) -> Any:
    """What `work` returns, or the words and the place of its error."""
    try:
        return work()
    except UserError as error:
        return str(error), error.row, error.field


def bits(array: Any) -> tuple[Any, ...] | None:
    """An array's type, shape and content; all NaN are the same, zeros of either sign are not."""
    if array is None:
        return None
    if array.dtype.kind == "f":
        array = np.where(np.isnan(array), np.nan, array).astype(array.dtype)
    return array.dtype, array.shape, array.tobytes()


def parts(found: Any) -> Any:
    """A table by the bits of its arrays; an error as it is."""
    if not isinstance(found, Table):
        return found
    matrix: Any = found.features
    arrays = (matrix.data, matrix.indices, matrix.indptr) if found.is_sparse else (matrix,)
    return [bits(array) for array in (*arrays, found.labels, found.weights, found.groups)], matrix.shape


def agree(work: Callable[[], Any]) -> None:
    found = parts(outcome(work))
    with without_core():
        assert found == parts(outcome(work))


CELLS = (
    "1",
    "-2.5",
    "1e3",
    "+1",
    ".5",
    "5.",
    "",
    " ",
    "nan",
    "NaN",
    " 7 ",
    "-nan",
    "inf",
    "x",
    '"4"',
    "1e39",
    "0:1",
    "-",
)
EXACT = ("16777217", "0.1", "1.00000017881393432617187499", "9" * 30, "0" * 25 + "3", "1e-46", "-0", "3.4028236e38")
DELIMITERS = (",", ",", ",", ";", "\t", " ", "|", ", ")
ENDS = ("\n", "\n", "\r\n", "\r", "\n\n", "\n \n", "\r\r\n")


@st.composite
def texts(draw: st.DrawFn) -> bytes:
    """Text that is a table, or nearly one: now and then a row is short, blank or ends otherwise."""
    delimiter, end = draw(st.sampled_from(DELIMITERS)), draw(st.sampled_from(ENDS))
    columns, cell = draw(st.integers(1, 4)), st.sampled_from(CELLS[: draw(st.integers(4, len(CELLS)))] + EXACT)
    rows = draw(st.lists(st.lists(cell, min_size=columns, max_size=columns + draw(st.integers(0, 1))), max_size=5))
    mark, last = (
        draw(st.sampled_from(["", "", "\ufeff"])),
        draw(st.sampled_from(["", "\n", "\r\n", " ", "\n\t\n", "\r"])),
    )
    return (mark + end.join(map(delimiter.join, rows)) + last).encode()


@given(texts(), st.sampled_from(["csv", "text/csv; label_size=1"]))
@settings(max_examples=600)
@example(b"1,2\r\n3,4\r", "csv")
@example(b"1,2\n3,4\r\r\n", "csv")
@example(b" 1\n2\n", "csv")
@example(b"1\n 2\n", "csv")
@example(b"1\n\n", "csv")
@example(b",\n,\n", "csv")
def test_csv_requests(body, media_type):
    agree(lambda: decode(body, parse_media_type(media_type)))


@given(texts(), st.sampled_from(["csv", "text/csv; label_size=0"]), st.booleans())
@settings(max_examples=600)
@example(b"\n1\n2\n", "text/csv; label_size=0", False)
@example(b"1\n \n2\n", "text/csv; label_size=0", False)
@example(b"1,2\n3,4\r", "csv", False)
def test_csv_training(content, media_type, weights):
    source = Source("train.csv", lambda: io.BytesIO(content))
    agree(lambda: read_table([source], parse_media_type(media_type), weights=weights))


@given(st.lists(texts(), min_size=1, max_size=3))
@settings(max_examples=300)
def test_csv_training_of_several_files(contents):
    sources = [
        Source(f"{position}.csv", lambda content=content: io.BytesIO(content))
        for position, content in enumerate(contents)
    ]
    agree(lambda: read_table(sources, parse_media_type("csv")))


TOKENS = (
    "0:1",
    "1:-2.5",
    "2:nan",
    "3:1e3",
    "7:.5",
    "qid:7",
    "qid:8",
    "2:+1",
    "5:",
    "x:1",
    "-1:1",
    "+2:1",
    "4",
    "4:inf",
)
HEADS = ("1", "-1", "0.5", "1:2", "nan", "", "x", "1:", "1:nan", "2147483646:1", "2147483647:1", "0:1e39", "#")


@st.composite
def records(draw: st.DrawFn) -> bytes:
    """Lines of LIBSVM, or nearly."""
    space, end = draw(st.sampled_from([" ", " ", "  ", "\t", "\x0b"])), draw(st.sampled_from(ENDS))
    head = st.sampled_from(HEADS[: draw(st.integers(1, len(HEADS)))])
    token = st.sampled_from(TOKENS[: draw(st.integers(4, len(TOKENS)))])
    ordered = draw(st.booleans())
    lines = []
    for _ in range(draw(st.integers(0, 5))):
        tokens = draw(st.lists(token, max_size=4, unique=ordered))
        lines.append(space.join([draw(head), *(sorted(tokens) if ordered else tokens)]))
    return (end.join(lines) + draw(st.sampled_from(["", "\n", " \n", "\r", "\n\n"]))).encode()


@given(records())
@settings(max_examples=600)
@example(b"1 0:1\n\n0 1:2\n")
@example(b"qid:3 1:2\nqid:4\n")
@example(b"0:1\r1:2\n")
def test_libsvm_requests(body):
    agree(lambda: decode(body, parse_media_type("libsvm")))


@given(records())
@settings(max_examples=600)
@example(b"1 qid:9007199254740993 0:1\n")
@example(b"1:0.5 qid:1 0:1\n0:2 qid:1 1:1\n")
def test_libsvm_training(content):
    agree(lambda: read_table([Source("train", lambda: io.BytesIO(content))], parse_media_type("libsvm")))


COLUMNS = st.sampled_from([np.float32, np.float64, np.int64])


@given(
    COLUMNS.flatmap(lambda dtype: arrays.arrays(dtype, st.sampled_from([(3,), (1,), (2, 3), (4, 1)]))),
    st.sampled_from(RESPONSE_TYPES[:3]),
    st.booleans(),
)
@settings(max_examples=500)
def test_answers(values, media_type, plain):
    predictions = Predictions({"sc\u00f6re": values}, plain=plain)
    agree(lambda: encode(predictions, media_type))


def test_the_core_reads_what_clients_and_trainers_send(native):
    """Else the tests above would compare Python with itself."""
    assert native.csv(b"1,2.5,,nan\r\n-3e-2,0,7,\r\n") is not None
    assert native.libsvm(b"1 0:1 3:2.5\n0:5\n\n") is not None
    assert native.libsvm_block(b"1:0.5 qid:3 0:1\n0:2 qid:4\n") is not None
    rows = np.empty((2, 1), np.float32)
    assert native.csv_block(b"1;2\n3;4\n", ";", [np.empty(2, np.float32)], rows)
    assert rows.tolist() == [[2], [4]]
    assert libsvm.decode(b"0:1\n").is_sparse
    scores = Predictions({"score": np.array([[0.5, 1]], np.float32)})
    assert responses._written_natively(scores, "application/json") == b'{"predictions":[{"score":[0.5,1.0]}]}'


def test_every_instruction_set_reads_the_same(each_native):
    """Cells before, on and behind the borders of what vector code takes at once."""
    chance = np.random.default_rng(0)
    for columns in (1, 2, 29, 200, 3000):
        matrix = chance.normal(size=(40, columns)).astype(np.float32)
        matrix[chance.random(matrix.shape) < 0.05] = np.nan
        matrix[:, 0] = chance.integers(0, 9, 40)
        cells = [["" if np.isnan(value) else repr(value) for value in row] for row in matrix.astype(float).tolist()]
        body = "\n".join(map(",".join, cells)).encode()
        found = each_native.csv(body)
        assert found is not None
        assert np.array_equal(found, matrix, equal_nan=True)
        assert each_native.csv(body + b",1") is None
        assert each_native.csv(body[: body.rfind(b",")] if columns > 1 else body + b"\nx") is None


def test_no_table_is_made_that_the_text_cannot_fill(native):
    """A first row of a million columns and a million short ones: no memory for a table of both."""
    assert native.csv(b"," * 1_000_000 + b"\n1" * 1_000_000) is None
