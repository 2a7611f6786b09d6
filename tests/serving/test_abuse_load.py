"""Issue 3 item 5: many clients at once, slow ones, workers that are killed, and machines that are too small."""

from __future__ import annotations

import http.client
import os
import resource
import signal
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.serving.limits import full_disk, memory_group
from tests.serving.models import csv, records, write_slow_model
from tests.serving.process import PATIENCE_SECONDS, Server, answered, reply_of, wait_until
from tests.serving.wire import GOOD, answers, assert_well, post, resident_bytes

MEBIBYTE = 1 << 20
SLOW_CLIENTS = 200
KILLS = 5
MEMORY_BYTES = (512 - 64) * MEBIBYTE
"""What the processes took before they are put under the limit stays charged elsewhere: less than 64 MB."""


def connected(server: Server, count: int, stack: ExitStack) -> list[socket.socket]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
    address = ("127.0.0.1", server.port)
    return [stack.enter_context(socket.create_connection(address, timeout=PATIENCE_SECONDS)) for _ in range(count)]


@contextmanager
def running(work: Callable[[threading.Event], None]) -> Iterator[None]:
    """`work` in a thread of its own until the block ends; its error is raised then."""
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(work, stop)
        try:
            yield
        finally:
            stop.set()
        done.result()


def exchanged(server: Server, count: int) -> list[tuple[int, bytes]]:
    """Status and body of `count` good requests over one connection."""
    connection = server.connect()
    found = []
    try:
        for _ in range(count):
            connection.request("POST", "/invocations", GOOD, {"Content-Type": "text/csv"})
            reply = reply_of(connection)
            found.append((reply.status, reply.body))
    finally:
        connection.close()
    return found


@pytest.mark.parametrize("part", ["head", "body"])
def test_slow_clients_hold_up_nobody(model_base: Path, part: str) -> None:
    """200 connections a byte at a time; normal clients and health checks are served, and in the end the slow ones."""
    with Server(model_base) as server, ExitStack() as stack:
        server.wait_ready()
        clients = connected(server, SLOW_CLIENTS, stack)
        request = post(GOOD)
        sent = request.index(b"\r\n\r\n") + 4 if part == "body" else 0
        for client in clients:
            client.sendall(request[:sent])
        places = dict.fromkeys(clients, sent)

        def drip(stop: threading.Event) -> None:
            while not stop.wait(0.5):
                for client in clients:
                    client.sendall(request[places[client] : places[client] + 1])
                    places[client] += 1

        with running(drip), ThreadPoolExecutor(4) as pool:
            for _ in range(5):
                replies = [found for part in pool.map(lambda _: exchanged(server, 50), range(4)) for found in part]
                assert {status for status, _ in replies} == {200}
                assert server.ping().status == 200
                time.sleep(0.3)  # the slow ones send a byte each
        for client in clients:
            client.sendall(request[places[client] :])
        assert {client.recv(65536)[:15] for client in clients} == {b"HTTP/1.1 200 OK"}


def test_a_thousand_idle_connections_cost_little(model_base: Path) -> None:
    with Server(model_base) as server, ExitStack() as stack:
        server.wait_ready()
        assert_well(server)
        before = resident_bytes(server.workers[0])
        clients = connected(server, 1000, stack)
        assert_well(server)
        assert resident_bytes(server.workers[0]) - before < 30 * MEBIBYTE
        for client in clients[:100]:
            client.sendall(post())
            assert client.recv(65536)[:15] == b"HTTP/1.1 200 OK"
        assert len(server.workers) == 1


@dataclass
class Client:
    """Sends requests one after the other until told to stop, and notes how each ended."""

    server: Server
    good: bytes
    outcomes: Counter[str]

    def run(self, stop: threading.Event) -> None:
        connection = self.server.connect()
        while not stop.is_set():
            try:
                connection.request("POST", "/invocations", GOOD, {"Content-Type": "text/csv"})
                reply = reply_of(connection)
            except (ConnectionError, http.client.HTTPException) as error:
                self.outcomes[type(error).__name__] += 1
                connection.close()
                connection = self.server.connect()
                continue
            same = reply.status == 200 and reply.body == self.good
            self.outcomes["good" if same else f"{reply.status} {reply.body!r}"] += 1
        connection.close()


def test_workers_that_are_killed_lose_their_own_requests_only(model_base: Path) -> None:
    """A SIGKILL a second, to one of two workers: what fails fails by a closed connection, and no answer is mixed up."""
    clients = 8
    with Server(model_base, {"SAGEMAKER_MODEL_SERVER_WORKERS": "2"}) as server:
        server.wait_ready()
        good = server.invoke(GOOD).body
        outcomes: Counter[str] = Counter()

        def kill(stop: threading.Event) -> None:
            for number in range(KILLS):
                stop.wait(1)
                wait_until(lambda least=25 * (number + 1): outcomes["good"] > least, "nothing is answered", server)
                wait_until(lambda: len(server.workers) == 2, "no second worker", server)
                os.kill(server.workers[0], signal.SIGKILL)

        stop = threading.Event()
        with ThreadPoolExecutor(clients + 1) as pool:
            waiting = [pool.submit(Client(server, good, outcomes).run, stop) for _ in range(clients)]
            pool.submit(kill, stop).result()
            stop.set()
            for client in waiting:
                client.result()
        failed = outcomes.total() - outcomes["good"]
        assert set(outcomes) <= {"good", "ConnectionResetError", "RemoteDisconnected", "BrokenPipeError"}, outcomes
        assert outcomes["good"] > 100
        assert failed <= KILLS * clients, outcomes
        wait_until(lambda: len(server.workers) == 2, "a worker is missing", server)
        assert_well(server)


def test_sigterm_with_64_requests_in_every_state(tmp_path: Path) -> None:
    """Predicted, waiting for a thread, arriving, and in the listen queue unseen: 64 answers, then the exit."""
    base = write_slow_model(tmp_path / "ml")
    body = csv(records(20))
    request = post(body)
    head = request.index(b"\r\n\r\n") + 4
    with Server(base, {"SAGEMAKER_INFERENCE_ENSEMBLE": "true"}) as server, ExitStack() as stack:
        server.wait_ready()
        good = server.invoke(body).body
        clients = connected(server, 48, stack)
        for number, client in enumerate(clients):
            client.sendall(request[: (len(request), head, head + 100)[number % 3]])
        wait_until(lambda: server.ping().status == 200, "not well", server)
        (worker,) = server.workers
        server.process.send_signal(signal.SIGSTOP)
        os.kill(worker, signal.SIGSTOP)
        clients += connected(server, 16, stack)
        for client in clients[48:]:
            client.sendall(request[:head])
        server.process.send_signal(signal.SIGTERM)
        server.process.send_signal(signal.SIGCONT)
        os.kill(worker, signal.SIGCONT)
        wait_until(lambda: not server.listens(), "it still accepts connections", server)
        for number, client in enumerate(clients):
            client.sendall(request[head if number >= 48 else (len(request), head, head + 100)[number % 3] :])
        replies = [answers(_until_closed(client)) for client in clients]
        assert [[(reply.status, reply.body) for reply in found] for found in replies] == [[(200, good)]] * 64
        assert server.process.wait(PATIENCE_SECONDS) == 0


def _until_closed(client: socket.socket) -> bytes:
    received = b""
    while piece := client.recv(65536):
        received += piece
    return received


def test_a_full_disk_is_no_reason_to_fail(model_base: Path, tmp_path: Path) -> None:
    """Serving needs no disk: not for large bodies, not for its log."""
    with full_disk(tmp_path / "full") as full:
        server = Server(model_base, {"TMPDIR": str(full), "TMP": str(full), "TEMP": str(full)})
        with server:
            server.wait_ready()
            body = GOOD * (20 * MEBIBYTE // len(GOOD))
            assert server.invoke(body).status == 200
            assert server.invoke(b"x").status == 400
            assert_well(server)
            assert server.stop() == 0
    assert "Traceback" not in server.output


class Unlogged(Server):
    """A server whose log goes to a disk that is full."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.process.kill()
        self.process.wait()
        wait_until(lambda: not self.listens(), "the first server lives on")
        with Path("/dev/full").open("wb") as full:
            self.process = subprocess.Popen(self.command, env=self.variables, stdout=full, stderr=full)


def test_a_log_that_cannot_be_written_stops_nothing(model_base: Path) -> None:
    with Unlogged(model_base) as server:
        server.wait_ready()
        assert server.invoke(b"x").status == 400
        assert server.invoke(b"1,2\n" * 1000).status == 400
        assert_well(server)
        assert server.stop() == 0


def test_many_large_bodies_in_512_megabytes(model_base: Path) -> None:
    """Sixteen uploads of 25 MB at once: each is answered or refused, and the kernel kills nobody."""
    body = GOOD * (24 * MEBIBYTE // len(GOOD))
    with memory_group(MEMORY_BYTES) as group, Server(model_base) as server:
        group.add(server.process.pid)
        for pid in server.workers:
            group.add(pid)
        server.wait_ready()
        workers = server.workers
        with ThreadPoolExecutor(16) as pool:
            replies = list(pool.map(lambda _: server.invoke(body), range(16)))
        lines = body.count(b"\n")
        for reply in replies:
            assert reply.status in {200, 413, 503}
            assert reply.status != 200 or reply.body.count(b"\n") == lines
        assert sum(reply.status == 200 for reply in replies) >= 1
        assert group.kills == 0
        assert group.peak_bytes <= MEMORY_BYTES
        assert server.workers == workers
        assert_well(server)
        assert server.stop() == 0


def test_an_upload_of_a_hundred_megabytes(model_base: Path) -> None:
    """contract E04: what a batch job may send, in one piece, with health checks beside it."""
    body = GOOD * (100 * MEBIBYTE // len(GOOD))
    with Server(model_base, {"SAGEMAKER_MAX_PAYLOAD_IN_MB": "100"}) as server, ThreadPoolExecutor(1) as pool:
        server.wait_ready()
        for _ in range(3):  # uploads, in case that this process does not run while the first is answered
            upload = server.connect()
            sent = pool.submit(upload.request, "POST", "/invocations", body, {"Content-Type": "text/csv"})
            while not sent.done():
                assert server.ping().status == 200
                time.sleep(0.1)  # a few health checks are enough
            sent.result()
            assert server.ping().status == 200
            in_time = not answered(upload)
            reply = reply_of(upload)
            assert reply.status == 200
            assert reply.body.count(b"\n") == body.count(b"\n")
            if in_time:
                break
        assert in_time, "no health check came back before the answer"
        assert_well(server)
