"""A request while it arrives: what has come of its head and its body, and how large both may be."""

from __future__ import annotations

import io
from http import HTTPStatus

LONGEST_TARGET = 8190
LONGEST_HEAD = 32 * 1024
MOST_FIELDS = 100
UPGRADE = b"upgrade"
"""The field that asks for another protocol."""
MOST_FRAMING = 8
"""Bytes sent for each byte of a body in chunks; chunks of one byte take six."""


class Message:
    """`headers` have lower-case names; `received` are the bytes of the body so far, without its transfer coding."""

    __slots__ = ("_body", "_body_bytes", "_fields", "_head_bytes", "headers", "in_body", "received", "target")

    def __init__(self) -> None:
        self.target = b""
        self.headers: dict[bytes, bytes] = {}
        self.in_body = False
        self.received = 0
        self._fields = 0
        self._head_bytes = self._body_bytes = 0
        self._body: bytes | io.BytesIO = b""

    def add_field(self, name: bytes, value: bytes) -> None:
        """A header field; a trailer is counted, and changes nothing (RFC 9110 section 6.5.1)."""
        self._fields += 1
        self._head_bytes += len(name) + len(value) + 4
        if not self.in_body:
            name = name.lower()
            before = self.headers.get(name)
            self.headers[name] = value if before is None else before + b", " + value

    def head(self, method: bytes, version: str) -> bytes:
        """The head as it came, without UPGRADE."""
        lines = [b"%b %b HTTP/%b" % (method, self.target, version.encode())]
        lines += [b"%b: %b" % field for field in self.headers.items() if field[0] != UPGRADE]
        return b"\r\n".join([*lines, b"", b""])

    def measure(self, size: int) -> None:
        """Count what neither fields nor body account for: an unfinished line, or what stands around chunks."""
        if self.in_body:
            self._body_bytes += size
        else:
            self._head_bytes += size

    def excess(self) -> tuple[HTTPStatus, str] | None:
        """What is too large about it besides its body, and the status that says so."""
        if self._fields > MOST_FIELDS or self._head_bytes > LONGEST_HEAD:
            text = f"the header fields are more than {MOST_FIELDS} or larger than {LONGEST_HEAD} bytes"
            return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, text
        if len(self.target) > LONGEST_TARGET:
            return HTTPStatus.REQUEST_URI_TOO_LONG, f"the request target is longer than {LONGEST_TARGET} bytes"
        if self._body_bytes > LONGEST_HEAD + MOST_FRAMING * self.received:
            return HTTPStatus.BAD_REQUEST, "the body's chunks are mostly extensions: send larger chunks"
        return None

    @property
    def coding(self) -> bytes | None:
        """Transfer-Encoding in lower case."""
        found = self.headers.get(b"transfer-encoding")
        return None if found is None else found.strip().lower()

    @property
    def length(self) -> int:
        """Content-Length, which the parser has checked; 0 without one."""
        return int(self.headers.get(b"content-length", 0))

    def add(self, piece: bytes) -> None:
        """A piece of the body; a body in one piece is not copied."""
        if not self.received:
            self._body = piece
        else:
            if isinstance(self._body, bytes):
                first, self._body = self._body, io.BytesIO()
                self._body.write(first)
            self._body.write(piece)
        self.received += len(piece)

    def body(self) -> bytes:
        """The whole body, which is forgotten here."""
        body = self._body if isinstance(self._body, bytes) else self._body.getvalue()
        self.forget_body()
        return body

    def forget_body(self) -> None:
        self._body, self.received = b"", 0
