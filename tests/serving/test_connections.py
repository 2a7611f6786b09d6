"""Clients that dawdle, linger or pile up: they hold up neither health checks nor each other."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from sagedock.serving.connections import MOST
from tests.serving.models import csv, records
from tests.serving.process import Server

UNFINISHED = {
    "headers": b"GET /ping HTTP/1.1\r\nHost: x\r\n",
    "body": b"POST /ping HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n",
    "chunks": b"POST /ping HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
}


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    """Closes what a test opens."""
    with ExitStack() as stack:
        yield stack


def connect(server: Server, opened: ExitStack, sent: bytes = b"") -> socket.socket:
    connection = opened.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=300))
    connection.sendall(sent)
    return connection


@pytest.mark.parametrize("part", UNFINISHED)
def test_an_unfinished_health_check_holds_up_no_other(served: Server, opened: ExitStack, part: str) -> None:
    """contract D03, 3.3: more of them than there are threads for health checks."""
    for _ in range(8):
        connect(served, opened, UNFINISHED[part])
    for _ in range(3):
        assert served.ping().status == 200


def test_clients_that_close_late_hold_up_no_health_check(served: Server, opened: ExitStack) -> None:
    """contract D03: the server has closed its side, and the client's may take its time."""
    for _ in range(8):
        late = connect(served, opened, b"GET /ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert late.recv(12) == b"HTTP/1.1 200"
    assert served.ping().status == 200


def test_a_worker_out_of_file_descriptors_closes_idle_connections(model_base: Path, opened: ExitStack) -> None:
    """contract D31: it does not end over it."""
    with Server(model_base) as server:
        workers = server.wait_ready().workers
        resource.prlimit(workers[0], resource.RLIMIT_NOFILE, (100, 100))
        for _ in range(150):
            connect(server, opened)
        assert server.ping().status == 200
        assert server.invoke(csv(records(1))).status == 200
        assert server.workers == workers


def test_more_idle_connections_than_a_worker_keeps(model_base: Path, opened: ExitStack) -> None:
    """contract 3.3: the one that was idle for longest makes room."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = MOST + 300
    if most < needed:
        pytest.skip(f"needs {needed} open files, allowed are {most}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with Server(model_base) as server:
        server.wait_ready()
        for _ in range(MOST + 50):
            connect(server, opened)
        assert server.ping().status == 200
        assert server.invoke(csv(records(1))).status == 200
