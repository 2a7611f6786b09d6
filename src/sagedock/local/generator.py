"""The loop that sends a load: one thread, sockets that never block, as little work for a request as Python allows."""

from __future__ import annotations

import random
import select
import socket
import time
from array import array
from collections import Counter
from typing import TYPE_CHECKING

from sagedock.local.measurement import Latencies, Measurement

if TYPE_CHECKING:
    from sagedock.local.load import Exchange, Load

PIECE = 262144
END_OF_HEAD = b"\r\n\r\n"
CHUNKED = -1
"""In place of a length: the body says itself where it ends."""
SEED = 20


class Connection:
    """One connection to the server and the request on it, if there is one."""

    __slots__ = ("answer", "began", "exchange", "rest", "sock")

    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setblocking(False)
        self.exchange: Exchange | None = None
        self.began = 0.0
        self.rest = memoryview(b"")
        """What of the request the socket has not taken yet."""
        self.answer = b""


class Generator:
    """Sends one load and measures it."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.latencies = array("d")
        self.errors: Counter[str] = Counter()
        self.heads: dict[bytes, tuple[str, int]] = {}
        """Heads of answers seen before, since most are equal: reason to refuse, or none, and length of the body."""
        self.poller = select.epoll()
        self.busy: dict[int, Connection] = {}
        self.idle: list[Connection] = []
        self.sent = 0
        self.gaps = random.Random(SEED)  # noqa: S311 - arrivals, no secrets

    def run(self) -> Measurement:
        """Open the connections, send until the end, wait for what is under way."""
        self.idle = [self._connected() for _ in range(self.load.connections)]
        if self.load.introduced:
            self._introduce()
        spent, began = time.process_time(), time.perf_counter()
        self.due, self.end = began, began + self.load.seconds
        last = self._loop()
        for connection in (*self.idle, *self.busy.values()):
            connection.sock.close()
        self.poller.close()
        return Measurement(
            answers=len(self.latencies),
            seconds=max(last - began, 1e-9),
            latencies=Latencies.of(self.latencies),
            client_cpu_seconds=time.process_time() - spent,
            errors=dict(self.errors),
        )

    def _introduce(self) -> None:
        """One request on each connection, answered before the clock starts."""
        deadline = time.perf_counter() + self.load.patience
        while self.idle:
            self._send(self.idle.pop(), time.perf_counter())
        while self.busy and (left := deadline - time.perf_counter()) > 0:
            for descriptor, event in self.poller.poll(left):
                self._serve(descriptor, event)
        for descriptor in list(self.busy):  # it was not answered in time, and its answer is none of the load's
            self._replace(descriptor)
        del self.latencies[:]
        self.sent = 0

    def _loop(self) -> float:
        """Returns when the last answer came."""
        deadline = self.end + self.load.patience
        last = now = time.perf_counter()
        while now < deadline:
            self._send_what_is_due(now)
            if not self.busy and not (self.idle and self._more(now)):
                return last
            for descriptor, event in self._events(now, deadline):
                self._serve(descriptor, event)
                last = time.perf_counter()
            now = time.perf_counter()
        self.errors["not answered in time"] += len(self.busy) + self._overdue()
        return now

    def _serve(self, descriptor: int, event: int) -> None:
        connection = self.busy.get(descriptor)
        if connection is None:
            self._replace(descriptor)
        elif event & select.EPOLLOUT and connection.rest:
            self._push(connection)
        else:
            self._receive(connection)

    def _more(self, now: float) -> bool:
        """Whether a request is still to be sent: due before the end in an open loop, however late it is."""
        if self.sent >= self.load.requests:
            return False
        return (now if self.load.rate is None else self.due) < self.end

    def _overdue(self) -> int:
        """Requests of an open loop that were due before the end, for which no connection was free until now."""
        missed = 0
        while self.load.rate is not None and self.due < self.end and self.sent + missed < self.load.requests:
            missed += 1
            self.due += self.gaps.expovariate(self.load.rate)
        return missed

    def _send_what_is_due(self, now: float) -> None:
        while self.idle and self._more(now) and (self.load.rate is None or self.due <= now):
            began = now
            if self.load.rate is not None:
                began = self.due
                self.due += self.gaps.expovariate(self.load.rate)
            self._send(self.idle.pop(), began)

    def _events(self, now: float, deadline: float) -> list[tuple[int, int]]:
        wait = deadline - now
        if self.load.rate is None or not self.idle or not self._more(now):
            return self.poller.poll(wait)
        wait = max(self.due - now, 0.0)
        if wait < 0.01:  # epoll counts in whole milliseconds, select in microseconds
            select.select([self.poller], [], [], wait)
            wait = 0.0
        return self.poller.poll(wait)

    def _send(self, connection: Connection, began: float) -> None:
        exchange = self.load.exchanges[self.sent % len(self.load.exchanges)]
        self.sent += 1
        connection.exchange, connection.began, connection.answer = exchange, began, b""
        self.busy[connection.sock.fileno()] = connection
        try:
            taken = connection.sock.send(exchange.request)
        except BlockingIOError:
            taken = 0
        except OSError:  # the server has closed the connection: reading it says so
            taken = len(exchange.request)
        if taken < len(exchange.request):
            connection.rest = memoryview(exchange.request)[taken:]
            self.poller.modify(connection.sock.fileno(), select.EPOLLIN | select.EPOLLOUT)

    def _push(self, connection: Connection) -> None:
        try:
            connection.rest = connection.rest[connection.sock.send(connection.rest) :]
        except BlockingIOError:
            return
        except OSError:  # an early answer may still be there to read
            connection.rest = memoryview(b"")
        if not connection.rest:
            self.poller.modify(connection.sock.fileno(), select.EPOLLIN)

    def _receive(self, connection: Connection) -> None:
        try:
            piece = connection.sock.recv(PIECE)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        if not piece:
            self._lost(connection)
            return
        answer = connection.answer = connection.answer + piece if connection.answer else piece
        end = answer.find(END_OF_HEAD)
        if end < 0:
            return
        head = answer[:end]
        known = self.heads.get(head)
        if known is None:
            known = self.heads[head] = _framing(head)
        body = _whole_body(answer, end + len(END_OF_HEAD), known[1])
        if body is not None:
            self._answered(connection, known[0], body)

    def _answered(self, connection: Connection, refusal: str, body: bytes) -> None:
        exchange = connection.exchange
        if refusal:
            self.errors[refusal] += 1
        elif exchange is not None and exchange.answer is not None and exchange.answer != body:
            self.errors["another answer than expected"] += 1
        else:
            self.latencies.append(time.perf_counter() - connection.began)
        if connection.rest:
            self._replace(connection.sock.fileno())
            return
        del self.busy[connection.sock.fileno()]
        self.idle.append(connection)

    def _lost(self, connection: Connection) -> None:
        self.errors["connection lost"] += 1
        self._replace(connection.sock.fileno())

    def _replace(self, descriptor: int) -> None:
        """Another connection in place of one that the server has closed, or that is in the middle of a request."""
        gone = self.busy.pop(descriptor, None)
        if gone is None:
            gone = next(connection for connection in self.idle if connection.sock.fileno() == descriptor)
            self.idle.remove(gone)
        self.poller.unregister(descriptor)
        gone.sock.close()
        try:
            self.idle.append(self._connected())
        except OSError:
            self.errors["connection refused"] += 1

    def _connected(self) -> Connection:
        connection = Connection(self.load.port)
        self.poller.register(connection.sock.fileno(), select.EPOLLIN)
        return connection


def _framing(head: bytes) -> tuple[str, int]:
    """Why the answer with this head is none, or '', and the length of its body."""
    status, *lines = head.decode("latin-1").split("\r\n")
    fields = {name.strip().lower(): value.strip().lower() for name, _, value in (line.partition(":") for line in lines)}
    code = status.split(" ")[1] if " " in status else status
    length = CHUNKED if fields.get("transfer-encoding") == "chunked" else int(fields.get("content-length", "0"))
    return "" if code == "200" else f"status {code}", length


def _whole_body(answer: bytes, start: int, length: int) -> bytes | None:
    """The body that begins at `start`, once it is all there."""
    if length == CHUNKED:
        return _joined_chunks(answer, start)
    return answer[start:] if len(answer) - start >= length else None


def _joined_chunks(answer: bytes, start: int) -> bytes | None:
    pieces: list[bytes] = []
    while (end := answer.find(b"\r\n", start)) >= 0:
        size = int(answer[start:end].partition(b";")[0], 16)
        start = end + 2
        if len(answer) < start + size + 2:
            return None
        if size == 0:
            return b"".join(pieces)
        pieces.append(answer[start : start + size])
        start += size + 2
    return None
