"""Answers: their shapes, the formats of requests, and what is refused, over a real server."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagedock import core
from sagedock.algorithms.randomcutforest.detector import Detector
from sagedock.algorithms.randomcutforest.forest import build
from sagedock.algorithms.randomcutforest.model import RandomCutForestModel
from sagedock.formats import instances, recordio, records, responses
from sagedock.formats.media_types import CSV, JSON, JSON_LINES, RECORDIO, MediaType
from sagedock.formats.record_pb2 import Record
from sagedock.formats.table import Floats, Table
from tests.algorithms.randomcutforest import data
from tests.serving.process import Server

COLUMNS = data.COLUMNS
ROWS = data.rows(7, COLUMNS, seed=3) * (np.arange(COLUMNS) % 2)
"""Every other column is 0, which sparse forms leave out."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(data.write_model(tmp_path_factory.mktemp("randomcutforest"))) as server:
        yield server.wait_ready()


def expected() -> Floats:
    return build(data.rows(50 * 32, COLUMNS).reshape(50, 32, COLUMNS), 1).scores(ROWS)


def scores(body: bytes) -> list[float]:
    return [answer["score"] for answer in json.loads(body)["scores"]]


def sparse(row: Floats) -> dict[str, object]:
    keys = np.flatnonzero(row)
    tensor = {"keys": keys.tolist(), "shape": [COLUMNS], "values": row[keys].astype(float).tolist()}
    return {"data": {"features": tensor}}


def sparse_records() -> bytes:
    framed = []
    for row in ROWS:
        record = Record()
        tensor = record.features["values"].float32_tensor
        tensor.keys.extend(np.flatnonzero(row).tolist())
        tensor.values.extend(row[np.flatnonzero(row)].tolist())
        tensor.shape.append(COLUMNS)
        framed.append(recordio.frame(record.SerializeToString()))
    return b"".join(framed)


def test_json_has_scores_of_score(server: Server) -> None:
    """rcf 15: exactly these keys, each score finite and 0 or more; JSON is the default."""
    for accept in (None, JSON):
        reply = server.invoke(data.csv(ROWS).encode(), CSV, accept)
        assert (reply.status, reply.headers["content-type"]) == (200, JSON)
        document = json.loads(reply.body)
        assert document.keys() == {"scores"}
        assert len(document["scores"]) == len(ROWS)
        for answer in document["scores"]:
            assert answer.keys() == {"score"}
            assert math.isfinite(answer["score"])
            assert answer["score"] >= 0
        assert np.allclose(scores(reply.body), expected(), rtol=0, atol=1e-6)


def test_lines_carry_no_comma(server: Server) -> None:
    """rcf 16: the sample of the documentation has one after the first."""
    reply = server.invoke(data.csv(ROWS).encode(), CSV, JSON_LINES)
    lines = reply.body.decode().splitlines()
    assert len(lines) == len(ROWS)
    assert all(line.endswith("}") and json.loads(line).keys() == {"score"} for line in lines)


def test_recordio_has_a_tensor_of_one_value(server: Server) -> None:
    """rcf 17, recordio 8.14: uid and metadata come back."""
    record = Record(uid="a", metadata="b")
    record.features["values"].float32_tensor.values.extend(ROWS[0].tolist())
    body = recordio.frame(record.SerializeToString()) + records.encode(Table(ROWS[1:]))
    reply = server.invoke(body, RECORDIO, RECORDIO)
    assert reply.status == 200
    found = [Record.FromString(frame.payload) for frame in recordio.read(io.BytesIO(reply.body), "the answer")]
    values = [answer.label["score"].float32_tensor.values for answer in found]
    assert [len(one) for one in values] == [1] * len(ROWS)
    assert np.allclose([one[0] for one in values], expected(), rtol=0, atol=1e-6)
    assert (found[0].uid, found[0].metadata) == ("a", "b")
    assert not found[1].HasField("uid")


def test_every_form_of_a_record_has_one_score(server: Server) -> None:
    """rcf 18, recordio 8.18, 8.19: four request types, dense and sparse, and a configuration that is ignored."""
    dense = [row.astype(float).tolist() for row in ROWS]
    forms = {
        "csv": (data.csv(ROWS).encode(), CSV),
        "csv with label_size": (data.csv(ROWS).encode(), "text/csv;label_size=0"),
        "labelled csv": (data.csv(ROWS, np.ones(len(ROWS), np.float32)).encode(), "text/CSV; label_size=1"),
        "features": (json.dumps({"instances": [{"features": row} for row in dense]}).encode(), JSON),
        "values": (
            json.dumps({"instances": [{"data": {"features": {"values": row}}} for row in dense]}).encode(),
            JSON,
        ),
        "bare data": (json.dumps({"instances": [{"data": {"features": row}} for row in dense]}).encode(), JSON),
        "sparse": (json.dumps({"instances": [sparse(row) for row in ROWS]}).encode(), JSON),
        "configured": (
            json.dumps({"instances": [{"features": row, "configuration": {"k": 1}} for row in dense]}).encode(),
            JSON,
        ),
        "lines": (instances.encode(Table(ROWS), lined=True), "application/JSONLINES"),
        "mixed lines": (
            b"".join(
                json.dumps(sparse(row) if n % 2 else {"features": dense[n]}).encode() + b"\n"
                for n, row in enumerate(ROWS)
            ),
            JSON_LINES,
        ),
        "records": (records.encode(Table(ROWS)), RECORDIO),
        "sparse records": (sparse_records(), RECORDIO),
    }
    answers = {name: server.invoke(body, content_type, JSON) for name, (body, content_type) in forms.items()}
    assert {name: reply.status for name, reply in answers.items()} == dict.fromkeys(forms, 200)
    assert len({reply.body for reply in answers.values()}) == 1, "to the last digit"


PLAIN = {
    CSV: (data.csv(ROWS).encode(), data.csv(ROWS[:1]).encode(), b"1,2,3,4,5", b"1,2,3,4,5\r\n6,7,8,9,0\r\n"),
    JSON: (
        instances.encode(Table(ROWS), lined=False),
        b' {"instances" :\n[ {"features":[-1,2.5e-3 , 3,0,-0.0]}\t,{"features": [1E2,2,3,4,5]} ] }\r\n',
    ),
    JSON_LINES: (
        instances.encode(Table(ROWS), lined=True),
        b'{"features":[1,2,3,4,5]}\n{ "features" : [1, 2, 3, 4, 5e+1] }\r\n\n',
    ),
}
FEATURES = (
    *(b"1,2,3,4", b"1,2,3,4,5,6", b"1,2,null,4,5", b"01,2,3,4,5", b"+1,2,3,4,5", b".5,2,3,4,5", b"1.,2,3,4,5"),
    *(b"1e,2,3,4,5", b"-,2,3,4,5", b"1e39,2,3,4,5", b"NaN,2,3,4,5", b"1,2,3,4,", b'1,2,3,4,"5"', b"1,2,3,4,5,"),
)
UNUSUAL = {
    CSV: (b"1,2,3,4\n", b"1,2,,4,5\n", b"1,2,nan,4,5\n", b"1,2,x,4,5\n", b"\n", b""),
    JSON: (
        *(b'{"instances":[{"features":[%b]}]}' % features for features in FEATURES),
        *(
            b'{"instances":[]}',
            b'{"instances":[[1,2,3,4,5]]}',
            b'{"instances":[{"features":[1,2,3,4,5]}]} x',
            b"{",
            b"",
        ),
    ),
    JSON_LINES: (b"\n", b"[1,2,3,4,5]\n", b'{"features":[1,2,3,4,5]}\n\n{"features":[1,2,3,4,5]}\n', b'{"features":['),
}


@pytest.mark.parametrize("accept", [CSV, JSON, JSON_LINES])
@pytest.mark.parametrize("content_type", PLAIN)
def test_the_direct_way_gives_the_bytes_of_the_long_one(content_type: str, accept: str) -> None:
    """Issue 3 item 4's way from bytes to bytes; what is unusual or wrong is left to the other."""
    if core.native is None:
        pytest.skip("the core is not built: install g++ and run scripts/setup")
    model = RandomCutForestModel(Detector(build(data.rows(50 * 32, COLUMNS).reshape(50, 32, COLUMNS), 1)))
    answer = model.direct(content_type, accept)
    assert answer is not None
    for body in PLAIN[content_type]:
        long_way = responses.encode(model.predict(model.read(body, MediaType(content_type))), accept)
        assert answer(body) == long_way, body
    for body in UNUSUAL[content_type]:
        assert answer(body) is None, body
    assert model.direct(RECORDIO, accept) is None
    assert model.direct(content_type, RECORDIO) is None
    assert model.in_line_bytes > 100


@pytest.mark.parametrize(("size", "scales"), [(1, True), (3, False), (3, True)])
@pytest.mark.parametrize("content_type", PLAIN)
def test_the_direct_way_makes_shingles_and_scales_columns(content_type: str, size: int, scales: bool) -> None:
    """Series as long as a shingle, longer and too short, and numbers that become infinite when they are scaled."""
    if core.native is None:
        pytest.skip("the core is not built: install g++ and run scripts/setup")
    width = COLUMNS * size
    weights = np.geomspace(1e-3, 1e6, width).astype(np.float32) if scales else None
    forest = build(data.rows(20 * 16, width).reshape(20, 16, width), 1)
    model = RandomCutForestModel(Detector(forest, size, weights))
    answer = model.direct(content_type, JSON)
    assert answer is not None
    series = data.rows(400, COLUMNS, seed=4)
    series[300] = 3e38
    for rows in (1, 2, 3, 4, 9, 400):
        body = data.csv(series[:rows]).encode()
        if content_type != CSV:
            body = instances.encode(Table(series[:rows]), lined=content_type == JSON_LINES)
        if rows < size:
            assert answer(body) is None
        else:
            long_way = responses.encode(model.predict(model.read(body, MediaType(content_type))), JSON)
            assert answer(body) == long_way, rows
    for body in UNUSUAL[content_type]:
        assert answer(body) is None, body


NUMBER = st.one_of(
    st.floats(width=32, allow_nan=False, allow_infinity=False).map(repr),
    st.integers(-(10**20), 10**20).map(str),
    st.sampled_from(["-0", "1E5", "0.10", "1e-50", "00", "null", "1e400", "16777217", "1.00000017881393432617187499"]),
)
RECORD = st.lists(NUMBER, min_size=COLUMNS - 1, max_size=COLUMNS + 1).map(lambda cells: f"[{', '.join(cells)}]")
BETWEEN = st.sampled_from([",", " ,\n", "", "\n"])


@given(
    records=st.lists(RECORD, min_size=1, max_size=3),
    forms=st.sampled_from([('{"features":', "}"), ('{ "features" : ', "}\t"), ("", ""), ('{"a":1,"features":', "}")]),
    between=BETWEEN,
    ends=st.sampled_from(
        [('{"instances":[', "]}"), ('{"instances" : [ ', " ] } \n"), ("", ""), ("", "\n"), ("[", "]")]
    ),
    kind=st.sampled_from([JSON, JSON_LINES]),
)
def test_any_body_is_left_to_the_long_way_or_answered_as_there(records, forms, between, ends, kind):
    """Numbers in all their forms, and text that is nearly JSON."""
    if core.native is None:
        pytest.skip("the core is not built: install g++ and run scripts/setup")
    model = RandomCutForestModel(Detector(build(data.rows(3 * 9, COLUMNS).reshape(3, 9, COLUMNS), 1)))
    body = (ends[0] + between.join(forms[0] + record + forms[1] for record in records) + ends[1]).encode()
    direct = model.direct(kind, JSON)
    found = direct(body) if direct else None
    if found is not None:
        assert found == responses.encode(model.predict(model.read(body, MediaType(kind))), JSON)


def test_the_same_request_has_the_same_bytes(server: Server) -> None:
    """rcf 12"""
    body = data.csv(data.rows(500, COLUMNS)).encode()
    assert server.invoke(body).body == server.invoke(body).body


@pytest.mark.parametrize(
    ("body", "content_type", "told"),
    [
        (b"1,2,3,4\n", CSV, "expected 5 feature columns, got 4"),
        (b"1,2,3,4,5,6\n", CSV, "expected 5 feature columns, got 6"),
        (b"1,2,3,4,x\n", CSV, "row 1, column 5: 'x' is not a number"),
        (b"1,2,,4,5\n", CSV, "row 1, column 3: the value is missing"),
        (b"1,2,nan,4,5\n", CSV, "row 1, column 3: the value is missing"),
        (b"1,2,inf,4,5\n", CSV, "is infinite"),
        (b'{"instances": [[1, 2, 3, 4, null]]}', JSON, "row 1, column 5: the value is missing"),
        (b'{"instances": [[1, 2, 3, 4, "5"]]}', JSON, "not a number"),
        (b'{"features": [1, 2, 3]}\n', JSON_LINES, "row 1: expected 5 feature columns, got 3"),
        (
            b'{"data": {"features": {"keys": [0], "shape": [6], "values": [1]}}}\n',
            JSON_LINES,
            "row 1: expected 5 feature columns, got 6",
        ),
        (
            b'{"data": {"features": {"keys": [1999999999], "shape": [2000000000], "values": [1]}}}\n',
            JSON_LINES,
            "expected 5 feature columns, got 2000000000",
        ),
    ],
)
def test_a_bad_request_is_400_and_the_next_is_answered(
    server: Server, body: bytes, content_type: str, told: str
) -> None:
    """rcf 19; issue 4, bad input: wrong width, NaN, text."""
    reply = server.invoke(body, content_type)
    assert reply.status == 400
    assert told in reply.error["message"]
    assert server.invoke(data.csv(ROWS).encode()).status == 200


def test_other_types_are_415(server: Server) -> None:
    """rcf section 3"""
    for content_type in ("text/libsvm", "application/x-parquet", "image/png"):
        assert server.invoke(b"1", content_type).status == 415
