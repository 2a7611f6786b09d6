"""A server that learns: what it is asked is one series, whoever asks, and no point is lost or learnt twice."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from sagedock import core
from sagedock.algorithms.randomcutforest.detector import Detector
from sagedock.algorithms.randomcutforest.forest import build
from sagedock.algorithms.randomcutforest.model import RandomCutForestModel
from sagedock.algorithms.randomcutforest.shingles import shingled
from sagedock.algorithms.randomcutforest.stream import Stream
from sagedock.algorithms.randomcutforest.stream_model import StreamModel
from sagedock.contracts import manifest
from sagedock.errors import UserError
from sagedock.formats import instances
from sagedock.formats.media_types import CSV, JSON, JSON_LINES
from sagedock.formats.table import Floats, Table
from sagedock.local.plan import plan
from sagedock.local.sample import Sample
from sagedock.serving.invocations import ROWS_AT_ONCE
from tests.algorithms.randomcutforest import data
from tests.serving.multi_model import MultiModelServer
from tests.serving.process import Server, wait_until

SIZE, COLUMNS = 3, 2
POINTS = data.rows(120, COLUMNS, seed=4)
LAST = data.rows(SIZE - 1, COLUMNS, seed=6)
FREE = {"SAGEMAKER_MODEL_SERVER_WORKERS": ""}
"""The server decides how many workers there are."""
STILL = {"SAGEDOCK_STREAMING": "off"}


def detector() -> Detector:
    columns = SIZE * COLUMNS
    return Detector(build(data.rows(50 * 16, columns).reshape(50, 16, columns), 1), SIZE)


def stream() -> Stream:
    """Half of the points enter a tree."""
    return Stream.of(detector().forest, 800, 3, 1 / 32)


def followed(points: Floats) -> list[float]:
    return stream().follow(shingled(np.concatenate([LAST, points]), SIZE)).tolist()


def write_model(base: Path) -> Path:
    directory = base / "model"
    directory.mkdir(parents=True)
    model = StreamModel(RandomCutForestModel(detector()), stream(), LAST)
    files = {name: manifest.sha256(directory / name) for name in model.save(directory)}
    manifest.write(directory, manifest.Manifest("randomcutforest", {}, {}, model.describe(), files))
    return base


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return write_model(tmp_path)


@pytest.fixture
def server(base: Path) -> Iterator[Server]:
    with Server(base, FREE) as server:
        yield server.wait_ready()


def asked(server: Server, points: Floats) -> list[float]:
    reply = server.invoke(data.csv(points).encode(), CSV, JSON)
    assert reply.status == 200, reply.body
    return [each["score"] for each in json.loads(reply.body)["scores"]]


def test_requests_are_one_series(server: Server) -> None:
    """Issue 4 item 3: whatever their types and sizes; health checks and refused requests leave no trace."""
    found = asked(server, POINTS[:1])
    assert server.ping().status == server.ping("HEAD").status == 200
    found += asked(server, POINTS[1:20])
    lines = instances.encode(Table(POINTS[20:40]), lined=True)
    found += [json.loads(line)["score"] for line in server.invoke(lines, JSON_LINES, JSON_LINES).body.splitlines()]
    for body, content_type, accept, status in (
        (b"1,2\n3,x\n", CSV, JSON, 400),
        (b"1,2\n3,\n", CSV, JSON, 400),
        (b"1,2\n1,2,3\n", CSV, JSON, 400),
        (b"1,2\n", "text/libsvm", JSON, 415),
        (b"1,2\n", CSV, "image/png", 406),
        (b"", CSV, JSON, 204),
    ):
        assert server.invoke(body, content_type, accept).status == status
    found += asked(server, POINTS[40:])
    assert found == pytest.approx(followed(POINTS), rel=1e-6)


def test_one_worker_with_one_thread_serves(server: Server) -> None:
    """However many processors there are."""
    assert len(server.workers) == 1
    parameters = json.loads(server.request("GET", "/execution-parameters").body)
    assert parameters["MaxConcurrentTransforms"] == 1
    assert "with 1 workers" in server.output


def test_an_answer_in_pieces_is_learnt_once(server: Server) -> None:
    """One client's long answer comes in pieces while another asks; a third goes away in the midst of its own."""
    points = data.rows(ROWS_AT_ONCE + 5, COLUMNS, seed=8)
    first = server.connect()
    first.request("POST", "/invocations", data.csv(points).encode(), {"Content-Type": CSV, "Accept": JSON_LINES})
    response = first.getresponse()
    assert response.getheader("Transfer-Encoding") == "chunked"
    between = asked(server, POINTS[:5])
    found = [json.loads(line)["score"] for line in response.read().splitlines()]
    first.close()
    gone = server.connect()
    gone.request("POST", "/invocations", data.csv(points).encode(), {"Content-Type": CSV, "Accept": JSON_LINES})
    gone.getresponse()
    gone.close()
    after = asked(server, POINTS[5:])
    expected = followed(np.concatenate([points, POINTS[:5], points, POINTS[5:]]))
    count = len(points)
    assert found == pytest.approx(expected[:count], rel=1e-6)
    assert between == pytest.approx(expected[count : count + 5], rel=1e-6)
    assert after == pytest.approx(expected[2 * count + 5 :], rel=1e-6)


def test_requests_ahead_on_one_connection_are_learnt_in_order(server: Server) -> None:
    """Long ones, which wait for the thread, and short ones between, which could be answered on the event loop."""
    cuts = (0, 40, 41, 42, 80, 81, 119, 120)
    bodies = [data.csv(POINTS[begin:end]).encode() for begin, end in pairwise(cuts)]
    in_line = StreamModel(RandomCutForestModel(detector()), stream(), LAST).in_line_bytes
    assert {len(body) <= in_line for body in bodies} == {core.native is not None, False}
    head = "POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Type: text/csv\r\nAccept: text/csv\r\n"
    ends = ["\r\n"] * (len(bodies) - 1) + ["Connection: close\r\n\r\n"]
    sent = [
        f"{head}Content-Length: {len(body)}\r\n{end}".encode() + body for body, end in zip(bodies, ends, strict=True)
    ]
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(b"".join(sent))
        answers = b"".join(iter(lambda: connection.recv(65536), b""))
    replies = answers.split(b"HTTP/1.1 200 OK\r\n")[1:]
    scores = [float(score) for reply in replies for score in reply.partition(b"\r\n\r\n")[2].split()]
    assert scores == pytest.approx(followed(POINTS), rel=1e-6)


def test_eight_clients_at_once_lose_and_double_no_point(server: Server) -> None:
    """All send the same point, so that the order says nothing: the scores are those of one stream of so many."""
    point, clients, each = POINTS[:1], 8, 40
    found: list[float] = []

    def ask() -> None:
        for _ in range(each):
            found.extend(asked(server, point))

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    count = clients * each
    expected = followed(np.concatenate([np.repeat(point, count, axis=0), POINTS]))
    assert sorted(found) == pytest.approx(sorted(expected[:count]), rel=1e-6)
    assert asked(server, POINTS) == pytest.approx(expected[count:], rel=1e-6)


def test_a_server_starts_where_training_ended(base: Path) -> None:
    """Whatever it learnt before: after a restart, and after the loss of its worker."""
    expected = followed(POINTS)
    for _ in range(2):
        with Server(base, FREE) as server:
            server.wait_ready()
            assert asked(server, POINTS) == pytest.approx(expected, rel=1e-6)
            assert "learning goes on from the state of training, 800 rows so far" in server.output
            assert server.stop() == 0
    with Server(base, FREE) as server:
        server.wait_ready()
        asked(server, POINTS)
        (lost,) = server.workers
        os.kill(lost, signal.SIGKILL)
        wait_until(lambda: server.workers not in ([], [lost]), "no worker takes the lost one's place", server)
        server.wait_ready()
        assert asked(server, POINTS) == pytest.approx(expected, rel=1e-6)


def test_without_the_compiled_core_a_server_learns_the_same(base: Path) -> None:
    """To the last digit."""
    bodies = []
    for used in ("on", "off"):
        with Server(base, {**FREE, "SAGEDOCK_COMPILED_CORE": used}) as server:
            server.wait_ready()
            parts = (POINTS[:1], POINTS[1:40], POINTS[40:])
            bodies.append([server.invoke(data.csv(part).encode(), CSV, JSON).body for part in parts])
    assert bodies[0] == bodies[1]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SAGEMAKER_MODEL_SERVER_WORKERS", "2"),
        ("SAGEDOCK_INFERENCE_THREADS", "4"),
        ("SAGEMAKER_MAX_CONCURRENT_TRANSFORMS", "3"),
        ("SAGEDOCK_BAD_RECORDS", "placeholder"),
        ("SAGEMAKER_INFERENCE_OUTPUT", "anomaly"),
    ],
)
def test_what_contradicts_a_stream_is_told_at_the_start(base: Path, name: str, value: str) -> None:
    """Before any request: the log names the variable, and /ping stays 503."""
    with Server(base, {**FREE, name: value}) as server:
        wait_until(lambda: "cannot serve: " in server.output, "nothing is told", server)
        assert name in server.output
        assert server.ping().status == 503
        assert server.invoke(b"1,2\n").status == 500


def test_with_streaming_off_the_forest_answers_as_it_was_trained(base: Path) -> None:
    """By as many workers as there are asked for; each request is a series of its own."""
    expected = detector().scores(shingled(POINTS, SIZE)).tolist()
    with Server(base, {**STILL, "SAGEMAKER_MODEL_SERVER_WORKERS": "2"}) as server:
        server.wait_ready()
        wait_until(lambda: len(server.workers) == 2, "a worker is missing", server)
        for _ in range(2):
            assert asked(server, POINTS)[SIZE - 1 :] == pytest.approx(expected, rel=1e-6)


def test_a_server_of_many_models_refuses_it(tmp_path: Path) -> None:
    write_model(tmp_path / "models" / "a")
    with MultiModelServer(tmp_path) as server:
        wait_until(server.listens, "nothing listens", server)
        reply = server.load("a")
        assert reply.status >= 400
        assert "SAGEMAKER_MULTI_MODEL is true" in reply.body.decode()
    with MultiModelServer(tmp_path, STILL) as server:
        wait_until(server.listens, "nothing listens", server)
        assert server.load("a").status == 200
        assert server.ask("a", data.csv(POINTS).encode(), CSV, JSON).status == 200


def test_there_is_nothing_to_plan(base: Path) -> None:
    """`sagedock plan` compares answers, and numbers of workers."""
    sample = Sample.of(None, None, None, base / "model", None)
    with pytest.raises(UserError, match=r"learns from the series .* Set SAGEDOCK_STREAMING to off"):
        plan(base / "model", sample, {"SAGEDOCK_DEVICE": "cpu"})
    with pytest.raises(UserError, match="--seconds is 1"):
        plan(base / "model", sample, {"SAGEDOCK_DEVICE": "cpu", **STILL}, seconds=1)
