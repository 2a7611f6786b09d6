"""A load on a server of this machine, sent by a process of its own, and every answer compared.

A closed loop keeps each connection busy: the next request follows the answer. An open loop sends at a rate, whatever
the server does, as clients who do not know each other; a latency then begins when the request was due, not when it
could be sent, so that a server that stalls is charged for all that it kept waiting (no coordinated omission).
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from sagedock.local.generator import Generator
from sagedock.local.measurement import Measurement


@dataclass(frozen=True)
class Exchange:
    """A request, whole, and the body that its answer has to have (None: whatever comes with status 200)."""

    request: bytes
    answer: bytes | None = None

    @classmethod
    def post(
        cls, path: str, body: bytes, content_type: str, answer: bytes | None = None, accept: str | None = None
    ) -> Exchange:
        """POST `body` to `path`, over a connection that stays open."""
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\n"
        head += f"Accept: {accept}\r\n" if accept else ""
        return cls(f"{head}Content-Length: {len(body)}\r\n\r\n".encode("latin-1") + body, answer)


@dataclass(frozen=True)
class Load:
    """What is sent: `exchanges` in turn over `connections`, for `seconds` but no more than `requests`.

    `rate` is requests per second of an open loop, with the gaps of a Poisson process (seeded); None is a closed loop.
    `patience` is how many seconds after the end a request may still be answered before it counts as an error.
    `introduced` sends one request on each connection first, which is not measured: the server may take its time to
    accept a connection, and a short load is not to be charged with that.
    """

    port: int
    exchanges: Sequence[Exchange]
    connections: int = 8
    seconds: float = 1.0
    rate: float | None = None
    requests: int = 1_000_000
    patience: float = 10.0
    introduced: bool = False


class LoadClient:
    """The process that sends loads, one after the other; a context manager that ends it."""

    def __init__(self) -> None:
        self._pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))

    def __enter__(self) -> LoadClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def measure(self, load: Load) -> Measurement:
        """Send `load`; raises OSError when nobody listens on its port."""
        return self._pool.submit(send, load).result()


def send(load: Load) -> Measurement:
    """Send `load` from this process."""
    return Generator(load).run()
