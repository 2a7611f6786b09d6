"""What a client may send and what it gets (contract.md section 10, D and E)."""

from __future__ import annotations

import gzip
import http.client
import json
import socket

import numpy as np
import pytest

from sagedock.formats import csv as csv_format
from sagedock.formats import instances, libsvm, parquet
from sagedock.formats import records as recordio
from sagedock.formats.table import Table
from sagedock.serving.invocations import ROWS_AT_ONCE
from tests.serving.models import COLUMNS, csv, records
from tests.serving.process import Server, reply_of
from tests.serving.wire import post, talk

MEBIBYTE = 1024 * 1024
LIMIT = 25 * MEBIBYTE


def scores(server: Server, body: bytes, content_type: str) -> list[float]:
    reply = server.invoke(body, content_type, "application/jsonlines")
    assert reply.status == 200, reply.body
    return [json.loads(line)["score"] for line in reply.body.splitlines()]


def test_the_same_records_get_the_same_answers_in_every_format(served: Server) -> None:
    """Issue item 6, over HTTP."""
    features = records(23)
    features[:, -1] = np.nan_to_num(features[:, -1], nan=0.25)  # libsvm cannot say how wide a row is
    table = Table(features)
    answers = [
        scores(served, csv_format.encode(table), "text/csv"),
        scores(served, libsvm.encode(table), "text/libsvm"),
        scores(served, instances.encode(table, lined=False), "application/json"),
        scores(served, instances.encode(table, lined=True), "application/jsonlines"),
        scores(served, parquet.encode(table), "application/x-parquet"),
        scores(served, recordio.encode(table), "application/x-recordio-protobuf"),
    ]
    assert len(answers[0]) == 23
    assert len(set(answers[0])) > 5
    assert all(answer == answers[0] for answer in answers)


def test_a_record_alone_gets_the_answer_it_gets_in_a_batch(served: Server) -> None:
    features = records(12)
    batch = scores(served, csv(features), "text/csv")
    assert [scores(served, csv(features[row : row + 1]), "text/csv")[0] for row in range(12)] == batch
    assert scores(served, csv(features[::-1]), "text/csv") == batch[::-1]


def test_a_wrong_column_count_says_expected_and_got(served: Server) -> None:
    """xgboost.md's first decision; requirements row 32."""
    reply = served.invoke(b"1,2,3\n")
    assert reply.status == 400
    assert "expected 5" in reply.error["message"]
    assert "got 3" in reply.error["message"]


def test_sparse_rows_may_be_shorter(served: Server) -> None:
    assert len(scores(served, b"0:1.5 1:2\n1:1\n", "text/libsvm")) == 2


def test_a_malformed_body_leaves_the_server_well(served: Server) -> None:
    """contract D18"""
    reply = served.invoke(b"1,2,3,4,five\n")
    assert reply.status == 400
    assert reply.error["row"] == 1
    assert "Traceback" not in reply.body.decode()
    assert served.invoke(csv(records(1))).status == 200


@pytest.mark.parametrize("order", [("text/csv", 204), ("image/png", 204)])
def test_an_empty_body_is_204(served: Server, order: tuple[str, int]) -> None:
    """contract D19: checked before anything else."""
    content_type, status = order
    reply = served.invoke(b"", content_type)
    assert (reply.status, reply.body) == (status, b"")


@pytest.mark.parametrize(
    ("body", "content_type", "accept", "status"),
    [
        (b"x", "image/png", "image/png", 415),
        (b"1,2,3,4,x\n", "text/csv", "image/png", 400),
        (b"1,2\n", "text/csv", "image/png", 400),
        (b"1,2,3,4,5\n", "text/csv", "image/png", 406),
    ],
    ids=["content type first", "then content", "then width", "then accept"],
)
def test_the_order_of_checks(served: Server, body: bytes, content_type: str, accept: str, status: int) -> None:
    """contract 3.4.4"""
    assert served.invoke(body, content_type, accept).status == status


def test_many_requests_over_one_connection(served: Server) -> None:
    """contract D24, errors and health checks in between."""
    connection = served.connect()
    body = csv(records(2))
    for number in range(100):
        kind = number % 4
        if kind == 3:
            connection.request("GET", "/ping")
        else:
            connection.request("POST", "/invocations", b"?" if kind == 2 else body, {"Content-Type": "text/csv"})
        assert reply_of(connection).status == (200, 200, 400, 200)[kind]
    connection.close()


def test_pipelined_requests_are_answered_in_order(served: Server) -> None:
    body = csv(records(1))
    head = f"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", served.port), timeout=300) as client:
        client.sendall((head.encode() + body) * 3 + b"GET /ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answers = b"".join(iter(lambda: client.recv(65536), b""))
    assert answers.count(b"HTTP/1.1 200 OK") == 4


def test_chunks_are_read_like_a_body_with_length(served: Server) -> None:
    """contract D20"""
    body = csv(records(9))
    chunks = (body[start : start + 11] for start in range(0, len(body), 11))
    assert served.invoke(chunks).body == served.invoke(body).body


def test_twenty_megabytes_are_accepted(served: Server) -> None:
    """contract D21"""
    line = csv(records(1))
    count = 20 * 1000 * 1000 // len(line)
    reply = served.invoke(line * count)
    assert reply.status == 200
    assert reply.headers["transfer-encoding"] == "chunked", "contract 3.6: so many rows are answered as they are scored"
    assert reply.body == served.invoke(line).body * count


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_a_body_above_the_limit_is_413(served: Server, chunked: bool) -> None:
    """contract D21, requirements row 35: as JSON, whole, and the client is let finish."""
    body = b"1" * (LIMIT + 1)
    reply = served.invoke(iter([body[:LIMIT], body[LIMIT:]]) if chunked else body)
    assert reply.status == 413
    assert str(LIMIT) in reply.error["message"]
    assert "SAGEMAKER_MAX_PAYLOAD_IN_MB" in reply.error["message"]


def test_the_limit_itself_is_allowed(served: Server) -> None:
    assert served.invoke(b"x" * LIMIT).status == 400  # read whole, and found to be no record


def test_expect_continue_is_answered_before_the_body(served: Server) -> None:
    """contract 3.4"""
    body = csv(records(1))
    head = (
        "POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\nExpect: 100-continue\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", served.port), timeout=300) as client:
        client.sendall(head.encode())
        assert client.recv(1024) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(body)
        assert client.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")


def test_expect_continue_of_a_body_too_large_is_413_at_once(served: Server) -> None:
    head = f"POST /invocations HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: {LIMIT + 1}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", served.port), timeout=300) as client:
        client.sendall(head.encode())
        assert client.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_a_body_cut_short_is_400(served: Server) -> None:
    """A client that ends early must not get answers for half its records."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=300) as client:
        client.sendall(b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\nContent-Length: 99\r\n\r\n")
        client.sendall(b"1,2,3,4,5\n")
        client.shutdown(socket.SHUT_WR)
        response = http.client.HTTPResponse(client)
        response.begin()
        assert response.status == 400
        assert b"10 of 99 bytes" in response.read()


def test_gzip_is_unpacked(served: Server) -> None:
    """contract 4.3"""
    body = csv(records(4))
    reply = served.invoke(gzip.compress(body), Content_Encoding="gzip")
    assert reply.body == served.invoke(body).body


def test_a_gzip_bomb_is_413(served: Server) -> None:
    assert served.invoke(gzip.compress(b"0" * (LIMIT + 1)), Content_Encoding="gzip").status == 413


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [(b"1,2", "gzip", 400), (gzip.compress(b"1,2,3,4,5\n")[:-4], "gzip", 400), (b"1", "br", 415)],
    ids=["no gzip", "cut short", "brotli"],
)
def test_other_encodings_are_refused(served: Server, body: bytes, encoding: str, status: int) -> None:
    reply = served.invoke(body, Content_Encoding=encoding)
    assert reply.status == status
    assert reply.error["field"] == "Content-Encoding"


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"NONSENSE\r\n\r\n", 400),
        (b"GET /ping HTTP/1.1\r\nbad header\r\n\r\n", 400),
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"POST /invocations HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"POST /invocations HTTP/1.1\r\nTransfer-Encoding: foo\r\n\r\n", 501),
    ],
    ids=["no request", "no header", "long line", "bad chunk", "unknown coding"],
)
def test_what_is_no_http_is_answered_as_json(served: Server, raw: bytes, status: int) -> None:
    """No HTML ever."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=300) as client:
        client.sendall(raw)
        response = http.client.HTTPResponse(client)
        response.begin()
        assert response.status == status
        assert response.headers["Content-Type"] == "application/json"
        assert set(json.loads(response.read())["error"]) == {"code", "message", "field", "row"}
    assert served.ping().status == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/invocations", 405),
        ("OPTIONS", "/invocations", 405),
        ("PUT", "/ping", 405),
        ("GET", "/nowhere", 404),
        ("POST", "/models", 404),
    ],
)
def test_unknown_routes_are_json(served: Server, method: str, path: str, status: int) -> None:
    """contract D12, F17"""
    reply = served.request(method, path)
    assert reply.status == status
    assert reply.headers["content-type"] == "application/json"
    assert "/invocations" in reply.error["message"]


@pytest.mark.parametrize(("target", "status"), [(b"http://[::1", 404), (b"http://[a]b/ping", 200)])
def test_targets_in_absolute_form(served: Server, target: bytes, status: int) -> None:
    """RFC 9112 section 3.2.2; the host in them is not looked at."""
    assert [reply.status for reply in talk(served, b"GET " + target + b" HTTP/1.1\r\nHost: t\r\n\r\n")] == [status]


def test_many_rows_for_a_client_that_knows_no_chunks(served: Server) -> None:
    """contract 3.6: HTTP/1.0 gets the whole answer with its length."""
    body = csv(records(1)) * (ROWS_AT_ONCE + 1)
    (reply,) = talk(served, post(body).replace(b"HTTP/1.1", b"HTTP/1.0", 1))
    assert reply.body == served.invoke(body).body


def test_custom_attributes_come_back(served: Server) -> None:
    """contract D22, also on an error."""
    header = {"X_Amzn_SageMaker_Custom_Attributes": "trace=1"}
    for body in (csv(records(1)), b"x"):
        assert served.invoke(body, **header).headers["x-amzn-sagemaker-custom-attributes"] == "trace=1"


def test_one_failed_request_is_one_line_of_the_log(served: Server) -> None:
    """Requirements row 34; health checks and good requests leave none."""
    before = served.output
    served.invoke(b"1,2\n", X_Amzn_SageMaker_Inference_Id="call-7")
    for _ in range(5):
        served.ping()
        served.invoke(csv(records(1)))
    served.invoke(b"1,2\n", "image/png", X_Amzn_SageMaker_Inference_Id="call-8")
    lines = served.output[len(before) :].splitlines()
    assert [json.loads(line[line.index("{") :])["inference_id"] for line in lines] == ["call-7", "call-8"]
    assert [json.loads(line[line.index("{") :])["status"] for line in lines] == [400, 415]


def test_fifty_connections_are_accepted_while_the_server_works(served: Server) -> None:
    """contract D05: a connection is there within 250 ms."""
    clients = [socket.create_connection(("127.0.0.1", served.port), timeout=0.25) for _ in range(50)]
    assert served.invoke(csv(records(1))).status == 200, "silent connections hold no thread"
    for client in clients:
        client.close()


def test_the_answer_has_as_many_columns_as_the_model(served: Server) -> None:
    assert served.invoke(b",".join([b"1"] * COLUMNS)).body.count(b"\n") == 1
