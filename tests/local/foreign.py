"""A container that is not ours: a real HTTP server whose answers a test chooses, and which keeps what it was sent."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, bytes] | tuple[int, bytes, int] | None
"""Status and body, and the length that is promised where that is another; None hangs up without a word."""


@dataclass
class Asked:
    """One POST /invocations as it arrived, and the client's port it came from."""

    body: bytes
    headers: Mapping[str, str]
    port: int


@dataclass
class Foreign:
    """The container: `answer` makes an answer of a request; `parameters` is what /execution-parameters says."""

    answer: Callable[[Asked], Answer]
    parameters: Any = None
    asked: list[Asked] = field(default_factory=list)
    port: int = 0

    @property
    def bodies(self) -> list[bytes]:
        return [asked.body for asked in self.asked]


@contextmanager
def foreign(answer: Callable[[Asked], Answer], parameters: Any = None) -> Iterator[Foreign]:
    """A container that listens while the block runs."""
    container = Foreign(answer, parameters)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(container))
    server.daemon_threads = True
    container.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield container
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def echo(asked: Asked) -> Answer:
    """Answers with what was sent."""
    return 200, asked.body


def lengths(asked: Asked) -> Answer:
    """Answers each line with its length."""
    return 200, b"".join(b"%d\n" % len(line) for line in asked.body.splitlines())


def refusing(*bad: bytes, status: int = 400) -> Callable[[Asked], Answer]:
    """Answers as `lengths` unless a line holds one of `bad`; it says no more than that."""

    def answer(asked: Asked) -> Answer:
        found = [text for text in bad if text in asked.body]
        return (status, b"cannot read " + found[0]) if found else lengths(asked)

    return answer


def _handler(container: Foreign) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 65536  # headers and body leave together

        def do_GET(self) -> None:
            if self.path == "/execution-parameters" and container.parameters is None:
                self._send((404, b""))
            else:
                self._send((200, json.dumps(container.parameters).encode()))

        def do_POST(self) -> None:
            asked = Asked(_body(self), {k.lower(): v for k, v in self.headers.items()}, self.client_address[1])
            container.asked.append(asked)
            answer = container.answer(asked)
            if answer is None:
                self.close_connection = True
                self.connection.close()
            else:
                self._send(answer)

        def _send(self, answer: tuple[int, bytes] | tuple[int, bytes, int]) -> None:
            status, body, *promised = answer
            self.send_response(status)
            if "Content-Type" in self.headers:
                self.send_header("Content-Type", self.headers["Content-Type"])
            self.send_header("Content-Length", str(promised[0] if promised else len(body)))
            self.close_connection = self.close_connection or bool(promised)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def _body(request: BaseHTTPRequestHandler) -> bytes:
    if request.headers.get("Transfer-Encoding") != "chunked":
        return request.rfile.read(int(request.headers.get("Content-Length", 0)))
    body = b""
    while size := int(request.rfile.readline(), 16):
        body += request.rfile.read(size)
        request.rfile.readline()
    request.rfile.readline()
    return body
