"""HTTP/1.1 on one connection (RFC 9112), read by llhttp: whole requests in, answers out in their order."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from http import HTTPStatus
from typing import cast

import httptools

from sagedock.serving import errors
from sagedock.serving.answer import CLOSE, CONTINUE, KEEP_ALIVE, LAST_CHUNK, Answer, Answers, chunk
from sagedock.serving.connections import LINGER_SECONDS, SILENCE_SECONDS, Connections
from sagedock.serving.message import UPGRADE, Message
from sagedock.serving.request import CUSTOM_ATTRIBUTES, Request, too_large

MOST_WAITING = 16
"""Requests of one connection that are read ahead of their answers."""
LONGEST_ECHO = 1024
PATIENCE_SECONDS = 20.0
"""How long a client may go on sending what is refused already, so that it can hear why."""
SMALL = 64 * 1024
"""Bodies up to this size are not counted against the memory for bodies."""

_log = logging.getLogger(__name__)


class Connection(asyncio.Protocol):
    """One client. Requests are read while others are answered; answers go out in the order of their requests."""

    def __init__(self, connections: Connections, service: Answers, limit: int) -> None:
        self._connections = connections
        self._service = service
        self._limit = limit
        self._parser = httptools.HttpRequestParser(self)
        self._message = Message()
        self._queue: deque[Request] = deque()
        self._current: Request | None = None
        self._pieces: Answer | None = None
        self._refusal: Answer | None = None
        self._last = False  # no request is read any more: the connection closes behind the last answer
        self._ended = False  # the client sends no more
        self._lingers = False
        self._blocked = False  # the client takes its answers too slowly
        self._unsent = 0
        self._proceeding = False  # a piece of the answer is being made
        self._is_ahead = False  # requests wait for answers, and no more of them are read
        self._begun = False
        self._fresh = False  # the request began in the bytes at hand
        self._invites = False  # the client waits for 100 Continue
        self._give_up = 0.0
        self.deadline = 0.0

    # The transport's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._connections.add(self)

    def connection_lost(self, _error: Exception | None) -> None:
        self._connections.remove(self)
        self._forget_body()
        self._connections.release(sum(self._counted(len(request.body)) for request in self._queue))
        self._queue.clear()
        self._last = True
        if self._pieces is not None and not self._proceeding:
            self._end_pieces()

    def data_received(self, data: bytes) -> None:
        if self._last:  # what a client sends after its last request is dropped, until it closes
            if self._lingers:
                self.deadline = min(self._connections.now + LINGER_SECONDS, self._give_up)
            return
        self._fresh = False
        if not self._begun:
            self._begin()
        elif self._message.in_body:
            self.deadline = self._connections.now + SILENCE_SECONDS
        try:
            self._feed(memoryview(data))
        except httptools.HttpParserError as error:
            self._refuse_damaged(error)
        if self._begun and not self._fresh:
            self._message.measure(len(data))
            self._check_size()
        self._advance()

    def _feed(self, data: memoryview) -> None:
        """No other protocol is spoken here: who asks for one is answered in this (RFC 9110 section 7.8)."""
        while data and not self._last:
            try:
                self._parser.feed_data(data)
                data = data[:0]
            except httptools.HttpParserUpgrade as upgrade:
                data = data[upgrade.args[0] :]
                if UPGRADE in self._message.headers:
                    self._read_again()
                else:
                    self._last = True  # CONNECT: what follows is not HTTP; the request itself is answered

    def _read_again(self) -> None:
        """The parser takes nothing behind a head that asks for another protocol: give another one the head without."""
        parser, self._parser = self._parser, httptools.HttpRequestParser(self)
        self._parser.feed_data(self._message.head(parser.get_method(), parser.get_http_version()))

    def eof_received(self) -> bool:
        """The client sends no more; what it has sent is answered."""
        self._ended = True
        if self._last or self._refusal is not None:
            return not self._lingers
        message = self._message
        if message.in_body:
            wanted = message.headers.get(b"content-length", b"its").decode("latin-1")
            self._refuse(HTTPStatus.BAD_REQUEST, f"the request body ended after {message.received} of {wanted} bytes")
        self._last = True
        self._advance()
        return self._current is not None or bool(self._queue)

    def pause_writing(self) -> None:
        self._blocked = True
        self._unsent = self._transport.get_write_buffer_size()
        self.deadline = self._connections.now + SILENCE_SECONDS

    def resume_writing(self) -> None:
        self._blocked = False
        self._proceed()
        self._advance()

    # The parser's side

    def _begin(self) -> None:
        self._begun = True
        self._connections.begun(self)

    def on_message_begin(self) -> None:
        self._message = Message()
        self._fresh = True
        if not self._begun:
            self._begin()

    def on_url(self, target: bytes) -> None:
        self._message.target += target
        self._check_size()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._refusal is None:
            self._message.add_field(name, value)
            self._check_size()

    def on_headers_complete(self) -> None:
        message = self._message
        message.in_body = True
        coding, length = message.coding, message.length
        if coding is not None and not self._is_chunked(coding):
            return
        if length > self._limit:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, str(too_large(self._limit)))
        elif b"expect" in message.headers:
            self._expect(message.headers[b"expect"])
        elif length or coding:
            self.deadline = self._connections.now + SILENCE_SECONDS

    def on_body(self, piece: bytes) -> None:
        if self._refusal is not None or self._last:
            return
        message = self._message
        before = message.received
        if before + len(piece) > self._limit:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, str(too_large(self._limit)))
            return
        message.add(piece)
        if message.received > SMALL:
            self._connections.hold(self, message.received - self._counted(before))

    def on_message_complete(self) -> None:
        message, parser = self._message, self._parser
        if self._refusal is not None or self._last or (UPGRADE in message.headers and parser.should_upgrade()):
            return
        keeps_alive = parser.should_keep_alive()
        self._last = not keeps_alive
        if message.received > SMALL:
            self._connections.grown(self)
        self._queue.append(
            Request(
                parser.get_method(),
                message.target,
                message.headers,
                message.body(),
                keeps_alive,
                parser.get_http_version(),
            )
        )
        message.in_body = self._begun = self._invites = False
        if len(self._queue) >= MOST_WAITING:
            self._is_ahead = True
            self.wait()

    # What is no good

    def _is_chunked(self, coding: bytes) -> bool:
        """Whether the body is chunked and nothing else; whatever else it is, two parsers might see two requests."""
        if self._parser.get_http_version() == "1.0":
            self._refuse(HTTPStatus.BAD_REQUEST, "no valid HTTP request: HTTP/1.0 has no Transfer-Encoding")
        elif coding != b"chunked":
            self._refuse_coding(coding)
        return self._refusal is None

    def _refuse_coding(self, coding: bytes | None) -> None:
        shown = (coding or b"")[:40].decode("latin-1")
        self._refuse(HTTPStatus.NOT_IMPLEMENTED, f"Transfer-Encoding {shown!r} is not supported: send chunked")

    def _expect(self, expectation: bytes) -> None:
        if expectation.lower() != b"100-continue":
            text = f"Expect {expectation[:40].decode('latin-1')!r} is not supported: expect 100-continue, or nothing"
            self._refuse(HTTPStatus.EXPECTATION_FAILED, text)
        else:
            self._invites = self._parser.get_http_version() != "1.0"

    def _check_size(self) -> None:
        excess = self._message.excess()
        if excess is not None:
            self._refuse(*excess)

    def _refuse_damaged(self, error: httptools.HttpParserError) -> None:
        coding = self._message.coding
        if coding not in {None, b"chunked"} and b"content-length" not in self._message.headers:
            self._refuse_coding(coding)
        else:
            self._refuse(HTTPStatus.BAD_REQUEST, f"no valid HTTP request: {error}")

    def _refuse(self, status: HTTPStatus, text: str) -> None:
        """Answer so after the requests before this one, and close; the first reason counts."""
        if self._refusal is None:
            self._forget_body()
            self._refusal = Answer(status, errors.body(status, text), errors.JSON)
            _log.warning("%s", json.dumps({"event": "request_refused", "status": status, "message": text}))

    def _forget_body(self) -> None:
        """What has come of a body that nobody will read."""
        self._connections.grown(self)
        self._connections.release(self._counted(self._message.received))
        self._message.forget_body()

    # Answers

    def _advance(self) -> None:
        """Answer the requests that wait, until one takes its time or the client does not read."""
        while self._queue and self._current is None and not self._blocked:
            self._current = self._queue.popleft()
            if self._is_ahead and len(self._queue) < MOST_WAITING:
                self._is_ahead = False
                self._connections.read_on(self)
            answer = self._service.answer(self._current, self._deliver)
            if answer is not None:
                self._send(answer)
        if self._current is None and not self._queue and not self._lingers:
            self._rest()

    def _rest(self) -> None:
        if self._refusal is not None:
            self._last = True
            self._write(self._refusal, CLOSE)
            self._refusal = None
            self._close()
        elif self._last:
            self._close()
        elif self._invites:
            self._invites = False
            self._transport.write(CONTINUE)
        elif not self._begun and not self._blocked:
            self._connections.idle(self)
            self.go_on()

    def _deliver(self, answer: Answer) -> None:
        """An answer that took its time, on the loop."""
        if self._transport.is_closing():
            self._service.end(answer)
            self._finish()
            return
        self._send(answer)
        self._advance()

    def _send(self, answer: Answer) -> None:
        request = cast("Request", self._current)
        if self._connections.draining and not self._queue and not self._begun:
            request.keeps_alive = False
            self._last = True
        self._write(answer, self._fields_for(request), only_head=request.method == b"HEAD")
        if answer.pieces is None:
            self._finish()
        else:
            self._release_body(request)
            self._pieces = answer
            self._proceed()

    def _fields_for(self, request: Request) -> bytes:
        attributes = request.headers.get(CUSTOM_ATTRIBUTES)
        fields = b""
        if attributes is not None and len(attributes) <= LONGEST_ECHO:
            fields = b"X-Amzn-SageMaker-Custom-Attributes: %b\r\n" % attributes
        if not request.keeps_alive:
            return fields + CLOSE
        return fields + KEEP_ALIVE if request.version == "1.0" else fields

    def _write(self, answer: Answer, fields: bytes, *, only_head: bool = False) -> None:
        head = answer.head(self._connections.date + fields)
        self._transport.write(head if only_head or not answer.body or answer.pieces else head + answer.body)
        if answer.pieces is not None and answer.body:
            self._transport.write(chunk(answer.body))

    def _proceed(self) -> None:
        if self._pieces is not None and not self._blocked and not self._proceeding:
            self._proceeding = True
            self._service.proceed(self._pieces, self._send_piece, self._break_off)

    def _send_piece(self, piece: bytes | None) -> None:
        self._proceeding = False
        if self._transport.is_closing():
            self._end_pieces()
        elif piece is None:
            self._transport.write(LAST_CHUNK)
            self._end_pieces()
            self._advance()
        else:
            self._transport.write(chunk(piece))
            self._proceed()

    def _break_off(self) -> None:
        """The client must not take what it has for the whole answer."""
        self._proceeding = False
        self._end_pieces()
        self.abandon()

    def _end_pieces(self) -> None:
        answer, self._pieces = self._pieces, None
        if answer is not None:
            self._service.end(answer)
        self._finish()

    def _finish(self) -> None:
        request, self._current = self._current, None
        if request is not None:
            self._release_body(request)

    def _release_body(self, request: Request) -> None:
        """It has been read; pieces of an answer may be taken slowly, and need it no more."""
        size, request.body = len(request.body), b""
        self._connections.release(self._counted(size))

    @staticmethod
    def _counted(size: int) -> int:
        return size if size > SMALL else 0

    # The end, and waiting

    def _close(self) -> None:
        """Half-close, and wait for the client's side: a client that still sends would lose its answer."""
        if self._lingers or self._transport.is_closing():
            return
        if self._ended:
            self._transport.close()
            return
        self._lingers = True
        self.deadline = self._connections.now + LINGER_SECONDS
        self._give_up = self._connections.now + PATIENCE_SECONDS
        self.go_on()
        self._transport.write_eof()

    def abandon(self) -> None:
        """Close at once."""
        self._transport.abort()

    def expire(self) -> None:
        """The time for whatever this connection is doing is over."""
        if self._current is not None and not self._blocked:
            return  # its answer is being made, and takes the time it takes
        if self._blocked and self._transport.get_write_buffer_size() < self._unsent:
            self.pause_writing()  # the client reads, slowly
            return
        if not self._blocked and not self._transport.is_reading():
            self.deadline = self._connections.now + SILENCE_SECONDS  # it waits for us
            return
        if self._begun and not self._last and self._current is None:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "the client sent nothing for too long in the middle of a request")
            self._advance()
        else:
            self.abandon()

    def wait(self) -> None:
        """Read nothing for now."""
        self._transport.pause_reading()

    def go_on(self) -> None:
        """Read again."""
        self._transport.resume_reading()
