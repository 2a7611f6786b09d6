"""One connection over a real socket pair, its clock turned by hand: time-outs, memory, answers in pieces."""

from __future__ import annotations

import asyncio
import select
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from sagedock.serving.answer import Answer
from sagedock.serving.connections import HEAD_SECONDS, IDLE_SECONDS, SILENCE_SECONDS, Connections
from sagedock.serving.message import LONGEST_HEAD, MOST_FIELDS
from sagedock.serving.protocol import SMALL, Connection
from sagedock.serving.request import Request
from sagedock.serving.scoreboard import Scoreboard

LIMIT = 8 * 1024 * 1024
HEAD = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
BUDGET = 1024 * 1024


@dataclass
class Echo:
    """Answers each request with its body; `/later` a moment later, `/never` not at all.

    `/pieces` gets the body three times in pieces, `/broken` breaks after one.
    """

    requests: list[Request] = field(default_factory=list)
    ended: int = 0

    def answer(self, request: Request, deliver: Callable[[Answer], None]) -> Answer | None:
        self.requests.append(request)
        if request.path == "/later":
            asyncio.get_running_loop().call_later(0.01, deliver, Answer(200, request.body, "text/plain"))
            return None
        if request.path == "/never":
            return None
        if request.path in {"/pieces", "/broken"}:
            return Answer(200, b"first;", "text/plain", pieces=self._pieces(request.path, request.body))
        return Answer(200, request.body, "text/plain")

    def _pieces(self, path: str, body: bytes) -> Iterator[bytes]:
        yield body
        if path == "/broken":
            raise ValueError("no more")
        yield body

    def proceed(self, answer: Answer, deliver: Callable[[bytes | None], None], fail: Callable[[], None]) -> None:
        assert answer.pieces is not None
        loop = asyncio.get_running_loop()
        try:
            loop.call_soon(deliver, next(answer.pieces, None))
        except ValueError:
            loop.call_soon(fail)

    def end(self, _answer: Answer) -> None:
        self.ended += 1


@dataclass
class Serving:
    """What stands behind the sockets of a test."""

    connections: Connections
    service: Echo
    pairs: list[tuple[Connection, asyncio.StreamWriter]] = field(default_factory=list)

    @asynccontextmanager
    async def client(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """A client's end of a new connection."""
        ours, theirs = socket.socketpair()
        loop = asyncio.get_running_loop()
        connection = Connection(self.connections, self.service, LIMIT)
        await loop.connect_accepted_socket(lambda: connection, ours)
        reader, writer = await asyncio.open_connection(sock=theirs)
        self.pairs.append((connection, writer))
        try:
            yield reader, writer
        finally:
            writer.transport.abort()

    async def settled(self) -> None:
        """Return once the server has read all that its clients have sent, as far as it reads."""
        while any(_unread(connection, writer) for connection, writer in self.pairs):
            await asyncio.sleep(0)

    def later(self, seconds: float) -> None:
        """What the worker does once a second, `seconds` from now."""
        self.connections.tick(self.connections.now + seconds)


def _unread(connection: Connection, writer: asyncio.StreamWriter) -> bool:
    transport = connection._transport
    socket_here = transport.get_extra_info("socket")
    sent = writer.transport.get_write_buffer_size() or select.select([socket_here], [], [], 0)[0]
    return transport.is_reading() and bool(sent)


def serve(test: Callable[[Serving], Awaitable[None]]) -> None:
    """Run `test` on a loop, against a worker's connections without a worker."""

    async def run() -> None:
        await asyncio.wait_for(test(Serving(Connections(Scoreboard(1).slot(0), BUDGET), Echo())), 300)

    asyncio.run(run())


async def read_answer(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Head and body of an answer with a length."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
    return head, await reader.readexactly(length)


@pytest.mark.parametrize(
    ("sent", "seconds"),
    [
        (b"POST /echo HTTP/1.1\r\nHost: x\r\n", HEAD_SECONDS),
        (HEAD % 10 + b"12345", SILENCE_SECONDS),
        (b"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", SILENCE_SECONDS),
    ],
    ids=["head", "body", "chunk"],
)
def test_a_client_silent_in_the_middle_of_a_request_is_told(sent: bytes, seconds: float) -> None:
    async def test(serving: Serving) -> None:
        async with serving.client() as (reader, writer):
            writer.write(sent)
            await serving.settled()
            serving.later(seconds - 2)
            assert serving.connections.open
            serving.later(2 + 1)
            assert (await read_answer(reader))[0].startswith(b"HTTP/1.1 408 ")
            assert await reader.read() == b""

    serve(test)


def test_an_idle_connection_is_closed_after_long() -> None:
    async def test(serving: Serving) -> None:
        async with serving.client() as (reader, writer):
            writer.write(HEAD % 2 + b"ab")
            assert (await read_answer(reader))[1] == b"ab"
            serving.later(IDLE_SECONDS - 2)
            writer.write(HEAD % 2 + b"cd")
            assert (await read_answer(reader))[1] == b"cd"
            serving.later(IDLE_SECONDS + 1)
            assert await reader.read() == b""
            assert not serving.connections.open

    serve(test)


def test_an_answer_that_takes_its_time_is_not_cut() -> None:
    """contract D28: whatever the clock says."""

    async def test(serving: Serving) -> None:
        async with serving.client() as (_, writer):
            writer.write(b"POST /never HTTP/1.1\r\nHost: x\r\n\r\n")
            await serving.settled()
            serving.later(3600)
            assert serving.service.requests
            assert len(serving.connections.open) == 1

    serve(test)


def test_a_client_that_does_not_read_is_given_up_and_a_slow_one_is_not() -> None:
    async def test(serving: Serving) -> None:
        body = bytes(4 * 1024 * 1024)
        async with serving.client() as (reader, writer):
            reader._transport.pause_reading()  # type: ignore[attr-defined]
            writer.write(HEAD % len(body) + body)
            while not serving.service.requests:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)
            reader._transport.resume_reading()  # type: ignore[attr-defined]
            await reader.readexactly(300_000)
            serving.later(SILENCE_SECONDS + 1)
            assert serving.connections.open, "it has read something"
            await asyncio.sleep(0.05)
            serving.later(SILENCE_SECONDS + 1)
            serving.later(SILENCE_SECONDS + 1)
            await asyncio.sleep(0)
            assert not serving.connections.open

    serve(test)


def test_large_bodies_take_turns_above_the_budget() -> None:
    """The body that began first is read to its end; the other waits in its client and comes after it."""

    async def test(serving: Serving) -> None:
        body = bytes(3 * BUDGET)
        async with serving.client() as (first, to_first), serving.client() as (second, to_second):
            to_first.write(HEAD % len(body) + body[:BUDGET])
            await serving.settled()
            to_second.write(HEAD % len(body) + body)
            await serving.settled()
            assert serving.connections._held <= BUDGET + 4 * 256 * 1024
            to_first.write(body[BUDGET:])
            for reader in (first, second):
                assert len((await read_answer(reader))[1]) == len(body)
            assert serving.connections._held == 0

    serve(test)


def test_a_body_that_waits_for_others_is_not_called_silent() -> None:
    """contract 3.8: the server has not read on, however long that takes."""

    async def test(serving: Serving) -> None:
        async with serving.client() as (_, to_first), serving.client() as (reader, to_second):
            to_first.write((HEAD % (2 * BUDGET)).replace(b"echo", b"never") + bytes(2 * BUDGET))
            while not serving.service.requests:
                await asyncio.sleep(0.01)
            to_second.write(HEAD % BUDGET + bytes(BUDGET))
            await serving.settled()
            serving.later(SILENCE_SECONDS + 1)
            serving.later(SILENCE_SECONDS + 1)
            serving.connections.release(2 * BUDGET)  # as the end of its answer would
            head, body = await read_answer(reader)
            assert head.startswith(b"HTTP/1.1 200 ")
            assert len(body) == BUDGET

    serve(test)


def test_a_body_refused_for_its_length_leaves_nothing_in_the_books() -> None:
    async def test(serving: Serving) -> None:
        async with serving.client() as (reader, writer):
            writer.write(b"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % (LIMIT + 1))
            writer.write(bytes(LIMIT + 1) + b"\r\n0\r\n\r\n")
            assert (await read_answer(reader))[0].startswith(b"HTTP/1.1 413 ")
        while serving.connections.open:
            await asyncio.sleep(0.01)
        assert serving.connections._held == 0

    serve(test)


def test_a_client_that_sent_its_body_uninvited_gets_no_late_invitation() -> None:
    """contract 3.4: a 100 behind the answer would pass for the answer to the next request."""

    async def test(serving: Serving) -> None:
        async with serving.client() as (reader, writer):
            head = (HEAD % 2).replace(b"Host: x", b"Expect: 100-continue")
            writer.write(head + b"ab" + head + b"cd")
            for body in (b"ab", b"cd"):
                answer = await read_answer(reader)
                assert answer[0].startswith(b"HTTP/1.1 200 ")
                assert answer[1] == body
            writer.write_eof()
            assert await reader.read() == b""

    serve(test)


@pytest.mark.parametrize("cut", [1, 60, 10_000])
def test_a_request_that_asks_for_another_protocol_is_answered_in_this_one(cut: int) -> None:
    """RFC 9110 section 7.8; Java's HttpClient sends its first request so, body and all."""
    fields = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAA"
    sent = (HEAD % 2).replace(b"Host: x", fields) + b"ab" + HEAD % 2 + b"cd"

    async def test(serving: Serving) -> None:
        async with serving.client() as (reader, writer):
            for start in range(0, len(sent), cut):
                writer.write(sent[start : start + cut])
                await asyncio.sleep(0)
            for body in (b"ab", b"cd"):
                assert (await read_answer(reader))[1] == body

    serve(test)


def test_a_half_closed_client_that_reads_late_gets_every_answer() -> None:
    async def test(serving: Serving) -> None:
        body = bytes(1024 * 1024)
        async with serving.client() as (reader, writer):
            reader._transport.pause_reading()  # type: ignore[attr-defined]
            writer.write((HEAD % len(body) + body) * 2 + (HEAD % 2 + b"ab").replace(b"echo", b"later") * 3)
            writer.write_eof()
            await asyncio.sleep(0.3)
            reader._transport.resume_reading()  # type: ignore[attr-defined]
            for wanted in (body, body, b"ab", b"ab", b"ab"):
                assert (await read_answer(reader))[1] == wanted

    serve(test)


def test_what_a_lost_client_had_sent_is_forgotten() -> None:
    async def test(serving: Serving) -> None:
        async with serving.client() as (_, writer):
            writer.write(HEAD % LIMIT + bytes(2 * SMALL))
            await serving.settled()
            assert serving.connections._held == 2 * SMALL
        while serving.connections.open:
            await asyncio.sleep(0.01)
        assert serving.connections._held == 0

    serve(test)


def test_an_answer_in_pieces() -> None:
    """contract 3.6: chunked."""

    async def test(serving: Serving) -> None:
        async with serving.client() as (reader, writer):
            writer.write(b"POST /pieces HTTP/1.1\r\nContent-Length: 2\r\nConnection: close\r\n\r\nab")
            answer = await reader.read()
        assert b"Transfer-Encoding: chunked" in answer
        assert answer.endswith(b"\r\n\r\n6\r\nfirst;\r\n2\r\nab\r\n2\r\nab\r\n0\r\n\r\n")
        assert serving.service.ended == 1

    serve(test)


def test_an_answer_that_breaks_off_does_not_look_whole() -> None:
    async def test(serving: Serving) -> None:
        async with serving.client() as (reader, writer):
            writer.write(b"POST /broken HTTP/1.1\r\nContent-Length: 2\r\n\r\nab")
            answer = await reader.read()
            assert answer.endswith(b"first;\r\n2\r\nab\r\n")
            assert serving.service.ended == 1

    serve(test)


@pytest.mark.parametrize(
    "sent",
    [
        b"".join(b"X-%d: 1\r\n" % number for number in range(MOST_FIELDS + 1)),
        b"X-Long: " + bytes(LONGEST_HEAD).replace(b"\0", b"a"),
        b"X-Endless: " + b"a" * 2 * LONGEST_HEAD,
    ],
    ids=["many fields", "long field", "endless line"],
)
@pytest.mark.parametrize("pieces", [1, 40])
def test_a_flood_of_header_fields_is_431(sent: bytes, pieces: int) -> None:
    async def test(serving: Serving) -> None:
        async with serving.client() as (reader, writer):
            writer.write(b"GET /echo HTTP/1.1\r\n")
            size = len(sent) // pieces + 1
            for start in range(0, len(sent), size):
                writer.write(sent[start : start + size])
                await writer.drain()
                await asyncio.sleep(0)
            await asyncio.sleep(0.05)
            writer.write(b"\r\n\r\n")
            assert (await read_answer(reader))[0].startswith(b"HTTP/1.1 431 ")
            assert not serving.service.requests

    serve(test)


def test_a_hundred_pipelined_requests_are_answered_in_their_order() -> None:
    async def test(serving: Serving) -> None:
        async with serving.client() as (reader, writer):
            writer.write(b"".join(HEAD % 3 + b"%03d" % number for number in range(100)))
            assert [(await read_answer(reader))[1] for _ in range(100)] == [b"%03d" % number for number in range(100)]

    serve(test)
