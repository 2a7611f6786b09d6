"""Requests to the container: kept connections, a time limit for each call, and retries (API: ModelClientConfig)."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

NO_ANSWER = 0
"""The status of a call that was not answered: SageMaker speaks of `server error (0)` (contract 3.5)."""
IDLE_SECONDS = 30.0
FIRST_PAUSE_SECONDS = 0.5
_PIECE = 1024 * 1024
_LONGEST_MESSAGE = 600

Body = Callable[[], bytes | Iterable[bytes]]
"""Makes the body of a request anew for each try; an iterable goes out in chunks."""


@dataclass(frozen=True)
class Reply:
    """What came back, or, with status NO_ANSWER, why nothing did."""

    status: int
    body: bytes
    content_type: str | None = None

    def whole(self) -> bytes:
        """The body, as the body of another request."""
        return self.body

    @property
    def good(self) -> bool:
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def transient(self) -> bool:
        """Whether the same call may well succeed a moment later."""
        return self.status in {NO_ANSWER, HTTPStatus.TOO_MANY_REQUESTS} or self.status >= 500

    @property
    def blames_records(self) -> bool:
        """Whether other records could be answered: not so for an unknown type or path."""
        return self.status in {NO_ANSWER, 400, 413, 422} or self.status >= 500

    @property
    def code(self) -> str:
        """`bad_request` and the like."""
        if self.status == NO_ANSWER:
            return "no_answer"
        try:
            return HTTPStatus(self.status).phrase.lower().replace(" ", "_").replace("-", "_")
        except ValueError:
            return str(self.status)

    @property
    def message(self) -> str:
        """The container's own words: the message of our JSON body, or the beginning of any other."""
        text = self.body.decode("utf-8", "replace").strip()
        return str(self._error.get("message") or text or "no message")[:_LONGEST_MESSAGE]

    @property
    def row(self) -> int | None:
        """The record at fault, counted from 1, where the container names it."""
        row = self._error.get("row")
        return row if isinstance(row, int) and row > 0 else None

    @property
    def _error(self) -> Mapping[str, Any]:
        try:
            error = json.loads(self.body)["error"]
        except (ValueError, KeyError, TypeError):
            return {}
        return error if isinstance(error, dict) else {}


class Client:
    """Calls one container; each thread that asks has a connection of its own."""

    def __init__(self, port: int, timeout: float = 600, retries: int = 3) -> None:
        """`timeout` in seconds is for a whole call."""
        self._port, self._timeout, self._retries = port, timeout, retries
        self._own = threading.local()
        self._closed = threading.Event()

    def invoke(self, body: Body, content_type: str | None, accept: str | None, *, patient: bool = True) -> Reply:
        """The last reply to POST /invocations, after retries with pauses where another try may help.

        Unless `patient` an answered failure is believed, and only a call without an answer is tried again.
        """
        named = {"Content-Type": content_type, "Accept": accept}
        headers = {name: value for name, value in named.items() if value is not None}
        reply = self._try(body, headers)
        for attempt in range(self._retries):
            if not reply.transient or (reply.status >= 500 and not patient):
                break
            if self._closed.wait(FIRST_PAUSE_SECONDS * 2**attempt):
                break
            reply = self._try(body, headers)
        return reply

    def execution_parameters(self) -> Mapping[str, Any]:
        """The container's answer, empty when it has none that can be read."""
        try:
            reply = self._call("GET", "/execution-parameters", b"", {}, self._timeout)
            content = json.loads(reply.body) if reply.status == HTTPStatus.OK else {}
        except (OSError, http.client.HTTPException, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    def close(self) -> None:
        """End all pauses: nothing is tried again."""
        self._closed.set()

    def _try(self, body: Body, headers: Mapping[str, str]) -> Reply:
        try:
            return self._call("POST", "/invocations", body(), headers, self._timeout)
        except TimeoutError:
            return Reply(NO_ANSWER, f"no answer within {self._timeout:g} seconds".encode())
        except (OSError, http.client.HTTPException) as error:
            return Reply(NO_ANSWER, f"the connection broke: {error or type(error).__name__}".encode())

    def _call(
        self, method: str, path: str, body: bytes | Iterable[bytes], headers: Mapping[str, str], timeout: float
    ) -> Reply:
        deadline = time.monotonic() + timeout
        connection = self._connection(timeout)
        self._own.connection = None  # whatever goes wrong, nobody uses it again
        usable = False
        try:
            connection.request(method, path, body, dict(headers))
            response = connection.getresponse()
            content = _read(connection, response, deadline)
            usable = not response.will_close
        finally:
            if not usable:
                connection.close()
        if usable:
            self._own.connection, self._own.idle_since = connection, time.monotonic()
        return Reply(response.status, content, response.headers.get("Content-Type"))

    def _connection(self, timeout: float) -> http.client.HTTPConnection:
        """This thread's connection, unless it has been idle for so long that the server may be closing it."""
        kept: http.client.HTTPConnection | None = getattr(self._own, "connection", None)
        if kept is not None and time.monotonic() - self._own.idle_since < IDLE_SECONDS:
            if kept.sock is not None:
                kept.sock.settimeout(timeout)
            return kept
        if kept is not None:
            kept.close()
        return http.client.HTTPConnection("127.0.0.1", self._port, timeout=timeout)


def _read(connection: http.client.HTTPConnection, response: http.client.HTTPResponse, deadline: float) -> bytes:
    """The whole body; the time limit holds for a trickle too."""
    pieces = []
    piece = b"?"
    while piece:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        if connection.sock is not None:
            connection.sock.settimeout(left)
        piece = response.read1(_PIECE)
        pieces.append(piece)
    if response.length:  # read1 does not tell a body that is cut short from a whole one
        raise http.client.IncompleteRead(b"", response.length)
    response.read()  # nothing is left; it makes the connection fit for the next request
    return b"".join(pieces)
