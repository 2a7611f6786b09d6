"""Hosting, for every algorithm: sections D, E and H of contract.md's conformance checklist."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Iterator

import pytest

from sagedock.algorithm import Algorithm
from sagedock.formats.media_types import CSV, JSON, JSON_LINES
from tests.contract.samples import ROWS, Sample
from tests.platform import Job
from tests.serving.process import Server


@pytest.fixture(scope="module")
def server(trained: Job) -> Iterator[Server]:
    with Server(trained.base) as server:
        yield server.wait_ready()


@pytest.fixture(scope="module")
def batch_server(trained: Job, server: Server) -> Iterator[Server]:
    """The same model in a batch transform job, as SDK local mode starts it."""
    server.stop()
    with Server(trained.base, {"SAGEMAKER_BATCH": "True", "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": "1"}) as batch:
        yield batch.wait_ready()


def line_body(sample: Sample) -> tuple[str, bytes]:
    if sample.line_type is None:
        pytest.skip("the algorithm reads no lines")
    return sample.line_type, sample.requests[sample.line_type]


def without_content(algorithm: Algorithm) -> int:
    """The status of a request without a body."""
    return 400 if algorithm.refuses_empty_bodies else 204


def count(body: bytes, content_type: str) -> int:
    """Records in an answer."""
    if content_type == CSV:
        return len(list(csv.reader(io.StringIO(body.decode()))))
    if content_type == JSON_LINES:
        return len([json.loads(line) for line in body.splitlines()])
    assert content_type == JSON
    return len(listed(body))


def listed(body: bytes) -> list[object]:
    """The answers of a JSON body: a list under its only key, or bare."""
    answers = json.loads(body)
    if isinstance(answers, dict):
        (answers,) = answers.values()
    return answers


def answer_type(algorithm: Algorithm, content_type: str, accept: str) -> str:
    """The type of an answer where `accept` is asked for."""
    return content_type if algorithm.answers_in_kind else accept


def line_types(algorithm: Algorithm, content_type: str) -> set[str]:
    """The types, made of lines, that a request of lines is answered in."""
    return {
        answer_type(algorithm, content_type, accept) for accept in {CSV, JSON_LINES} & set(algorithm.response_types)
    }


def test_ping_is_200_with_an_empty_body(server: Server) -> None:
    """D01, D04"""
    for method in ("GET", "HEAD", "POST"):
        reply = server.ping(method)
        assert (reply.status, reply.body) == (200, b"")


def test_unknown_routes(server: Server) -> None:
    """D12"""
    assert server.request("GET", "/invocations").status == 405
    assert server.request("GET", "/unknown").status == 404


def test_every_request_type_is_read(server: Server, algorithm: Algorithm, sample: Sample) -> None:
    """D29, D30: one answer per record, in order, of the type that was asked for."""
    assert set(sample.requests) == set(algorithm.request_types), "the sample covers every type"
    answers = set()
    for content_type, body in sample.requests.items():
        expected = answer_type(algorithm, content_type, JSON_LINES)
        reply = server.invoke(body, content_type, JSON_LINES)
        assert (reply.status, reply.headers["content-type"]) == (200, expected), content_type
        assert count(reply.body, expected) == sample.counts.get(expected, ROWS)
        assert int(reply.headers["content-length"]) == len(reply.body)
        lines = expected == JSON_LINES
        found = [json.loads(line) for line in reply.body.splitlines()] if lines else listed(reply.body)
        answers.add(json.dumps(found))
    assert len(answers) == 1, "the same records get the same answers in every format"


def test_every_response_type_is_written(server: Server, algorithm: Algorithm, sample: Sample) -> None:
    """D14, D29"""
    content_type, body = next(iter(sample.requests.items()))
    for accept in algorithm.response_types:
        expected = answer_type(algorithm, content_type, accept)
        reply = server.invoke(body, content_type, accept)
        assert (reply.status, reply.headers["content-type"]) == (200, expected)
        if expected in {CSV, JSON, JSON_LINES}:
            assert count(reply.body, expected) == sample.counts.get(expected, ROWS)


@pytest.mark.parametrize("accept", [None, "", "*/*", "image/png, */*;q=0.1"])
def test_an_open_accept_gets_the_default(
    server: Server, algorithm: Algorithm, sample: Sample, accept: str | None
) -> None:
    """D14"""
    content_type, body = next(iter(sample.requests.items()))
    reply = server.invoke(body, content_type, accept)
    assert (reply.status, reply.headers["content-type"]) == (200, algorithm.default_response_type)


def test_an_accept_list_gets_a_supported_type(server: Server, algorithm: Algorithm, sample: Sample) -> None:
    """D14"""
    content_type, body = next(iter(sample.requests.items()))
    last = algorithm.response_types[-1]
    reply = server.invoke(body, content_type, f"image/png, {last};q=0.4")
    assert (reply.status, reply.headers["content-type"]) == (200, answer_type(algorithm, content_type, last))
    refused = server.invoke(body, content_type, "image/png")
    if algorithm.answers_in_kind:
        assert (refused.status, refused.body) == (200, reply.body)
        return
    assert refused.status == 406
    assert all(offered in refused.error["message"] for offered in algorithm.response_types)


def test_an_unknown_content_type_is_415(server: Server, algorithm: Algorithm, sample: Sample) -> None:
    """D13"""
    body = next(iter(sample.requests.values()))
    reply = server.invoke(body, "application/x-unknown")
    assert reply.status == 415
    assert all(read in reply.error["message"] for read in algorithm.request_types)
    assert server.invoke(body, "not a media type").status == 415


def test_no_content_type_means_the_default(server: Server, algorithm: Algorithm, sample: Sample) -> None:
    """D16"""
    body = sample.requests[algorithm.default_request_type]
    bare = server.invoke(body, None, JSON_LINES)
    assert bare.status == 200
    assert bare.body == server.invoke(body, algorithm.default_request_type, JSON_LINES).body


def test_case_and_parameters_of_a_content_type(server: Server, sample: Sample) -> None:
    """D17, H04"""
    for content_type, body in sample.requests.items():
        odd = server.request("POST", "/invocations", body, {"Content-type": f"{content_type.upper()}; charset=utf-8"})
        assert (odd.status, odd.body) == (200, server.invoke(body, content_type).body)


def test_a_malformed_body_is_400(server: Server, sample: Sample) -> None:
    """D18"""
    for content_type, body in sample.malformed.items():
        reply = server.invoke(body, content_type)
        assert reply.status == 400, (content_type, reply.body)
        assert "Traceback" not in reply.error["message"]
        assert server.invoke(sample.requests[content_type], content_type).status == 200


def test_an_empty_body(server: Server, algorithm: Algorithm, sample: Sample) -> None:
    """D19"""
    for content_type in [*sample.requests, None]:
        assert server.invoke(b"", content_type).status == without_content(algorithm)


def test_a_chunked_body(server: Server, sample: Sample) -> None:
    """D20"""
    for content_type, body in sample.requests.items():
        chunks = iter([body[:1], body[1:]])
        assert server.invoke(chunks, content_type).body == server.invoke(body, content_type).body


def test_custom_attributes_are_echoed(server: Server, sample: Sample) -> None:
    """D22"""
    content_type, body = next(iter(sample.requests.items()))
    reply = server.invoke(body, content_type, X_Amzn_SageMaker_Custom_Attributes="trace=1")
    assert reply.headers["x-amzn-sagemaker-custom-attributes"] == "trace=1"


def test_unknown_headers_change_nothing(server: Server, sample: Sample) -> None:
    """D23"""
    content_type, body = next(iter(sample.requests.items()))
    extra = {"X_Amzn_SageMaker_Target_Variant": "blue", "X_Amzn_SageMaker_Session_Id": "NEW_SESSION", "X_Any": "1"}
    assert server.invoke(body, content_type, **extra).body == server.invoke(body, content_type).body


def test_the_same_body_gets_the_same_bytes(server: Server, sample: Sample) -> None:
    """E10"""
    for content_type, body in sample.requests.items():
        assert server.invoke(body, content_type).body == server.invoke(body, content_type).body


def test_line_ends_do_not_count(server: Server, algorithm: Algorithm, sample: Sample) -> None:
    """E05, E06"""
    content_type, body = line_body(sample)
    for accept in line_types(algorithm, content_type):
        expected = server.invoke(body, content_type, accept).body
        for variant in (body.rstrip(b"\n"), body.replace(b"\n", b"\r\n"), body + b"\n"):
            assert server.invoke(variant, content_type, accept).body == expected
        first = server.invoke(body.splitlines()[0], content_type, accept).body
        assert count(first, accept) == 1
        assert expected.startswith(first)


def test_lines_of_an_answer(server: Server, algorithm: Algorithm, sample: Sample) -> None:
    """E07, E08, E13: two answers one after the other are one answer of both."""
    content_type, body = line_body(sample)
    for accept in line_types(algorithm, content_type):
        answer = server.invoke(body, content_type, accept).body
        assert answer.endswith(b"\n")
        assert not answer.endswith(b"\n\n")
        assert answer.count(b"\n") == ROWS
        assert count(answer + answer, accept) == 2 * ROWS


def test_execution_parameters(server: Server) -> None:
    """E01, E02, E12"""
    reply = server.request("GET", "/execution-parameters")
    assert (reply.status, reply.headers["content-type"]) == (200, JSON)
    parameters = json.loads(reply.body)
    assert isinstance(parameters["MaxConcurrentTransforms"], int)
    assert isinstance(parameters["MaxPayloadInMB"], int)
    assert parameters["MaxConcurrentTransforms"] * parameters["MaxPayloadInMB"] <= 100
    assert parameters["BatchStrategy"] == "MULTI_RECORD"


def test_batch_as_local_mode_spells_it(batch_server: Server, algorithm: Algorithm, sample: Sample) -> None:
    """E03, H05, H06; the last of this module, for the server above has given its directory up."""
    parameters = json.loads(batch_server.request("GET", "/execution-parameters").body)
    assert "BatchStrategy" not in parameters
    for content_type, body in sample.requests.items():
        assert batch_server.invoke(b"", content_type).status == without_content(algorithm)
        assert batch_server.invoke(body, content_type).status == 200


@pytest.fixture(scope="module")
def marking_server(trained: Job, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The same model, told to mark bad records, in a batch transform job."""
    base = tmp_path_factory.mktemp("marking")
    shutil.copytree(trained.model, base / "model")
    with Server(base, {"SAGEMAKER_BATCH": "true", "SAGEDOCK_BAD_RECORDS": "placeholder"}) as server:
        yield server.wait_ready()


@pytest.mark.parametrize("bad_at", [[0], [3], [ROWS], [0, 1], [0, 2, 4, ROWS], list(range(ROWS + 1))])
def test_a_placeholder_for_a_bad_line(
    marking_server: Server, algorithm: Algorithm, sample: Sample, bad_at: list[int]
) -> None:
    """E09: the answer keeps the line count, a placeholder stands for each bad line, the good ones are as ever."""
    content_type, body = line_body(sample)
    bad = sample.malformed[content_type].splitlines(keepends=True)[0]
    for accept in line_types(algorithm, content_type):
        expected = marking_server.invoke(body, content_type, accept).body.splitlines()
        lines = body.splitlines(keepends=True)
        for position in bad_at:
            lines.insert(position, bad)
        reply = marking_server.invoke(b"".join(lines), content_type, accept)
        assert (reply.status, reply.headers["content-type"]) == (200, accept)
        answers = reply.body.splitlines()
        assert len(answers) == ROWS + len(bad_at)
        marked = [answers[position] for position in sorted(bad_at)]
        assert [answer for number, answer in enumerate(answers) if number not in bad_at] == expected
        if accept == CSV:
            assert set(marked) == {b"ERROR"}
        else:
            rows = [json.loads(answer)["error"]["row"] for answer in marked]
            assert rows == [position + 1 for position in sorted(bad_at)]


def test_a_lone_bad_line_gets_its_placeholder(marking_server: Server, algorithm: Algorithm, sample: Sample) -> None:
    """E09 with SingleRecord; what is wrong with the request as a whole is refused as ever."""
    content_type, body = line_body(sample)
    bad = sample.malformed[content_type].splitlines()[0]
    marked = {
        accept: marking_server.invoke(bad, content_type, accept).body for accept in line_types(algorithm, content_type)
    }
    assert marked.get(CSV, b"ERROR\n") == b"ERROR\n"
    assert json.loads(marked[JSON_LINES])["error"]["row"] == 1
    if not algorithm.answers_in_kind:
        assert marking_server.invoke(bad, content_type, JSON).status == 400
        assert marking_server.invoke(bad, content_type, "image/png").status in {400, 406}
    assert marking_server.invoke(body, "image/png", CSV).status == 415
    assert marking_server.invoke(b"", content_type, CSV).status == without_content(algorithm)
