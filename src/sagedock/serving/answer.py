"""What goes back to an HTTP client, and how it looks on the wire."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from http import HTTPStatus
from typing import Protocol

from sagedock.serving.request import Request


@dataclass(slots=True)  # not frozen: freezing doubles what it costs to make one
class Answer:
    """`content_type` is None when there is no body. `pieces` follow `body` one by one, of an answer of many rows."""

    status: int
    body: bytes = b""
    content_type: str | None = None
    pieces: Iterator[bytes] | None = None
    headers: tuple[tuple[str, str], ...] = ()

    def whole(self) -> bytes:
        """The body with all its pieces, which are spent by this."""
        return self.body if self.pieces is None else self.body + b"".join(self.pieces)

    def in_one(self) -> Answer:
        """The same answer with all its pieces in the body; making them takes its time."""
        return self if self.pieces is None else replace(self, body=self.whole(), pieces=None)

    def head(self, extra: bytes = b"") -> bytes:
        """Status line and header fields up to the empty line; `extra` are whole fields more.

        The length is that of `body`; an answer in pieces is announced as chunked instead.
        """
        start = _start(int(self.status), self.content_type)
        if self.headers:
            extra += b"".join(f"{name}: {value}\r\n".encode("latin-1") for name, value in self.headers)
        if self.pieces is not None:
            return b"%bTransfer-Encoding: chunked\r\n%b\r\n" % (start, extra)
        if not self.body and self.status == HTTPStatus.NO_CONTENT:
            return b"%b%b\r\n" % (start, extra)
        return b"%bContent-Length: %d\r\n%b\r\n" % (start, len(self.body), extra)


class Answers(Protocol):
    """What answers requests (`sagedock.serving.service`)."""

    def answer(self, request: Request, deliver: Callable[[Answer], None]) -> Answer | None:
        """The answer at once, or None: then `deliver` is called with it later, on the loop."""

    def proceed(self, answer: Answer, deliver: Callable[[bytes | None], None], fail: Callable[[], None]) -> None:
        """Make the next piece of an answer and `deliver` it on the loop, None when there is none; or `fail` there."""

    def end(self, answer: Answer) -> None:
        """An answer in pieces goes no further, be it whole or not."""


@lru_cache(maxsize=256)
def _start(status: int, content_type: str | None) -> bytes:
    """The fields that are the same for many answers."""
    line = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
    kind = f"Content-Type: {content_type}\r\n" if content_type is not None else ""
    return (line + kind).encode("latin-1")


def chunk(piece: bytes) -> bytes:
    """`piece` as one chunk of the chunked coding (RFC 9112 section 7.1); an empty one would end the answer."""
    return b"%x\r\n%b\r\n" % (len(piece), piece)


LAST_CHUNK = b"0\r\n\r\n"
CLOSE = b"Connection: close\r\n"
KEEP_ALIVE = b"Connection: keep-alive\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
