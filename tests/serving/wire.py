"""Bytes to a server and whatever comes back, for clients that no HTTP library would be."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from pathlib import Path

from tests.serving.models import csv, records
from tests.serving.process import PATIENCE_SECONDS, Reply, Server

GOOD = csv(records(1))


def post(body: bytes = GOOD, *fields: bytes, path: bytes = b"/invocations", length: bytes | None = None) -> bytes:
    """A request of text/csv, its Content-Length being `length` where that is given."""
    size = str(len(body)).encode() if length is None else length
    lines = [b"POST " + path + b" HTTP/1.1", b"Host: t", b"Content-Type: text/csv", b"Content-Length: " + size, *fields]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def head(*fields: bytes, line: bytes = b"POST /invocations HTTP/1.1") -> bytes:
    """The head of a request, its fields just as given."""
    return b"\r\n".join([line, b"Host: t", b"Content-Type: text/csv", *fields]) + b"\r\n\r\n"


def chunked(*pieces: bytes) -> bytes:
    """A chunked body."""
    return b"".join(f"{len(piece):x}\r\n".encode() + piece + b"\r\n" for piece in (*pieces, b""))


def talk(server: Server, *pieces: bytes, finish: bool = True) -> list[Reply]:
    """The answers to `pieces` on one connection that the client half-closes behind them, if it is to `finish`.

    Fails unless the server closes, and unless everything that it sent is whole answers.
    """
    return answers(conversation(server, pieces, finish=finish))


def conversation(server: Server, pieces: Iterable[bytes], *, finish: bool = True) -> bytes:
    """All that the server sends until it closes."""
    received = bytearray()
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_SECONDS) as client:
        try:
            for piece in pieces:
                client.sendall(piece)
            if finish:
                client.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before it was all sent; the answer is there to be read
        try:
            while piece := client.recv(1 << 16):
                received += piece
        except ConnectionResetError:
            pass
    return bytes(received)


def answers(data: bytes) -> list[Reply]:
    """The HTTP answers that `data` consists of."""
    found = []
    while data:
        start, blank, rest = data.partition(b"\r\n\r\n")
        assert blank, f"half an answer: {data[:200]!r}"
        status, *fields = start.decode("latin-1").split("\r\n")
        version, code, _ = status.split(" ", 2)
        assert version == "HTTP/1.1", status
        headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
        length = int(headers.get("content-length", 0))
        assert len(rest) >= length, f"a shortened answer: {data[:200]!r}"
        if int(code) != 100:
            found.append(Reply(int(code), headers, rest[:length]))
        data = rest[length:]
    return found


def assert_well(server: Server) -> None:
    """The next good request succeeds, and /ping answers."""
    assert server.ping().status == 200
    reply = server.invoke(GOOD)
    assert reply.status == 200, reply
    assert server.process.poll() is None


def resident_bytes(pid: int) -> int:
    """Memory that is a process's own, which the kernel does not take away and read from a file again (RssAnon)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("RssAnon:")[1].split()[0]) * 1024
