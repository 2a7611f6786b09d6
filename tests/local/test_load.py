"""The load client against servers whose every answer is known: what it counts, and what it charges for."""

from __future__ import annotations

import math
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from sagedock.local.load import Exchange, Load, LoadClient, send
from sagedock.local.measurement import Latencies
from tests.ports import free_port
from tests.serving.models import COLUMNS
from tests.serving.process import Server

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n0.5\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\n0.\r\n2\r\n5\n\r\n0\r\n\r\n"
WRONG = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n0.6\n"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
HANG_UP = b""
ASK = Exchange.post("/invocations", b"1,2\n", "text/csv", b"0.5\n")


class Scripted:
    """Answers each request with the next of `answers`, around and around; `stall` seconds before the first.

    A stall ends early where `go_on` is set.
    """

    def __init__(self, listener: socket.socket, answers: list[bytes], stall: float) -> None:
        self.answers, self.stall = answers, stall
        self.seen = 0
        self.requests: list[bytes] = []
        self.lock = threading.Lock()
        self.go_on = threading.Event()
        self.went_on = math.nan
        self.listener = listener

    def accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError:
                return
            threading.Thread(target=self.answer, args=(client,), daemon=True).start()

    def answer(self, client: socket.socket) -> None:
        with client:
            while request := client.recv(65536):
                with self.lock:  # a stall holds everybody up, as that of a process would
                    if self.seen == 0:
                        self.go_on.wait(self.stall)
                        self.went_on = time.perf_counter()
                    answer = self.answers[self.seen % len(self.answers)]
                    self.seen += 1
                    self.requests.append(request)
                if answer == HANG_UP:
                    return
                with suppress(ConnectionError):  # a client whose patience has ended
                    for start in range(0, len(answer), 20):  # in pieces, as a network delivers
                        client.sendall(answer[start : start + 20])


@contextmanager
def scripted(*answers: bytes, stall: float = 0.0) -> Iterator[tuple[int, Scripted]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Scripted(listener, list(answers), stall)
        threading.Thread(target=server.accept, daemon=True).start()
        yield listener.getsockname()[1], server
        server.go_on.set()
        listener.shutdown(socket.SHUT_RDWR)


def test_a_closed_loop_counts_what_it_sent() -> None:
    with scripted(GOOD, CHUNKED) as (port, server):
        measured = send(Load(port, [ASK], connections=3, seconds=300, requests=200))
    assert (measured.answers, measured.errors, len(measured.latencies.sorted_ms)) == (200, {}, 200)
    assert server.requests == [ASK.request] * 200
    assert measured.rate > 0
    assert measured.client_cpu_seconds > 0


def test_an_introduction_is_not_measured() -> None:
    """A server that is slow to take connections is not slow to answer."""
    with scripted(GOOD, stall=1.0) as (port, server):
        measured = send(Load(port, [ASK], connections=3, seconds=300, requests=50, patience=300, introduced=True))
        since = time.perf_counter() - server.went_on
    assert (measured.answers, measured.errors) == (50, {})
    assert len(server.requests) == 53
    assert measured.latencies.sorted_ms[-1] < since * 1000, "what it was charged with began before the server went on"


def test_an_introduction_without_an_answer_counts_for_nothing() -> None:
    """What comes when patience is over would be more answers than there were requests."""
    with scripted(GOOD, stall=1.0) as (port, _):
        measured = send(Load(port, [ASK], connections=3, seconds=300, requests=50, patience=0.2, introduced=True))
    assert (measured.answers, measured.errors) == (50, {})


def test_every_kind_of_error_is_counted_by_its_reason() -> None:
    with scripted(GOOD, WRONG, BUSY, HANG_UP) as (port, _):
        measured = send(Load(port, [ASK], connections=1, seconds=300, requests=40))
    assert measured.answers == 10
    assert measured.errors == {"another answer than expected": 10, "status 503": 10, "connection lost": 10}
    assert measured.error_count == 30


def test_a_body_larger_than_the_socket_takes_at_once() -> None:
    class Counting(Scripted):
        def answer(self, client: socket.socket) -> None:
            left = len(large.request)
            while left:
                left -= len(client.recv(1 << 20))
            client.sendall(GOOD)

    large = Exchange.post("/invocations", b"1," * 16_000_000, "text/csv", b"0.5\n")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=Counting(listener, [], 0.0).accept, daemon=True).start()
        measured = send(Load(listener.getsockname()[1], [large], connections=1, seconds=300, requests=1))
        listener.shutdown(socket.SHUT_RDWR)
    assert (measured.answers, measured.errors) == (1, {})


def test_an_open_loop_charges_a_stall_to_every_request_that_was_due() -> None:
    """A client that waits for the stalled answer before it sends the next would note one slow request."""
    with scripted(GOOD, stall=1.0) as (port, _):
        measured = send(Load(port, [ASK], connections=2, seconds=2, rate=300, patience=300))
    assert measured.error_count == 0
    slow = [latency for latency in measured.latencies.sorted_ms if latency > 100]
    assert len(slow) > 100
    assert measured.p99_ms > 500


def test_what_was_due_and_never_sent_is_an_error() -> None:
    with scripted(GOOD, stall=300.0) as (port, _):
        measured = send(Load(port, [ASK], connections=1, seconds=0.5, rate=200, patience=0.5))
    assert measured.answers == 0
    assert set(measured.errors) == {"not answered in time"}
    assert measured.error_count > 10


def test_nobody_there_is_the_systems_own_error() -> None:
    with pytest.raises(ConnectionRefusedError):
        send(Load(free_port(), [ASK], connections=1, seconds=1))


def test_a_server_that_goes_away_ends_the_load() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def last() -> None:
            client, _ = listener.accept()
            client.recv(65536)
            listener.close()
            client.close()

        threading.Thread(target=last, daemon=True).start()
        measured = send(Load(port, [ASK], connections=1, seconds=600))
    assert (measured.answers, measured.errors) == (0, {"connection lost": 1, "connection refused": 1})


def test_a_process_of_its_own_measures_a_real_server(served: Server) -> None:
    record = b",".join([b"1"] * COLUMNS) + b"\n"
    expected = served.invoke(record).body
    with LoadClient() as client:
        closed = client.measure(
            Load(
                served.port, [Exchange.post("/invocations", record, "text/csv", expected)], 4, seconds=300, requests=100
            )
        )
        refused = client.measure(
            Load(served.port, [Exchange.post("/invocations", b"x\n", "text/csv")], 1, seconds=300, requests=3)
        )
    assert (closed.answers, closed.errors) == (100, {})
    assert (refused.answers, refused.errors) == (0, {"status 400": 3})


def test_percentiles_are_of_the_values_by_nearest_rank() -> None:
    latencies = Latencies.of([number / 1000 for number in range(100, 0, -1)])
    assert [round(latencies.percentile(share)) for share in (50, 95, 99, 100, 0)] == [50, 95, 99, 100, 1]
    assert math.isnan(Latencies.of([]).percentile(50))
    histogram = Latencies.of([0.0000005, 0.004, 0.0041, 100.0]).histogram()
    assert histogram == {0.01: 1, 5.0: 2, math.inf: 1}
