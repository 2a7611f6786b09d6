"""A real `sagedock serve` process on a free port, and plain HTTP to it."""

from __future__ import annotations

import http.client
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.ports import free_port

PATIENCE_SECONDS = 300
"""When a test that hangs has failed."""
PING_SECONDS = 30
"""What a health check may take here, less than the 60 s after which a silent client no longer holds one up.

SageMaker's 2 s (contract 3.3) are for a machine of its own; other tests keep a process from running for longer.
"""


@dataclass(frozen=True)
class Reply:
    """One HTTP answer; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def error(self) -> dict[str, Any]:
        """The content of an error body."""
        document = json.loads(self.body)
        assert set(document) == {"error"}
        assert set(document["error"]) == {"code", "message", "field", "row"}
        return document["error"]


@dataclass
class Server:
    """The server of the model directory below `base`; a context manager that ends it."""

    base: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    port: int = 0

    def __post_init__(self) -> None:
        self.port = self.port or free_port()
        self.log = self.base / f"serve-{self.port}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(self.command, env=self.variables, stdout=log, stderr=log)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        wait_until(lambda: not self.listens(), f"workers of {self.process.pid} outlive it")

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-m", "sagedock", "serve"]

    @property
    def variables(self) -> dict[str, str]:
        """What the process finds in its environment: no AWS variable at all."""
        dropped = ("AWS_", "SAGEMAKER", "SAGEDOCK", "OMP_")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
        own = {"SAGEMAKER_BASE_DIR": str(self.base), "SAGEMAKER_BIND_TO_PORT": str(self.port)}
        return {**inherited, "SAGEMAKER_MODEL_SERVER_WORKERS": "1", **own, **self.environment}

    @property
    def output(self) -> str:
        """What the server has written so far, both streams."""
        return self.log.read_text(errors="replace")

    @property
    def workers(self) -> list[int]:
        """Process ids of the server's children."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in children.read_text().split()]

    def connect(self, timeout: float = PATIENCE_SECONDS) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = PATIENCE_SECONDS,
    ) -> Reply:
        """One request over a connection of its own; an iterable body goes out in chunks."""
        connection = self.connect(timeout)
        try:
            connection.request(method, path, body, dict(headers or {}))
            return reply_of(connection)
        finally:
            connection.close()

    def ping(self, method: str = "GET") -> Reply:
        return self.request(method, "/ping", timeout=PING_SECONDS)

    def invoke(
        self, body: Any, content_type: str | None = "text/csv", accept: str | None = None, **headers: str
    ) -> Reply:
        named = {"Content-Type": content_type, "Accept": accept}
        extra = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.request("POST", "/invocations", body, {k: v for k, v in named.items() if v is not None} | extra)

    def listens(self) -> bool:
        """Whether somebody accepts connections on the port."""
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_SECONDS).close()
        except OSError:
            return False
        return True

    def wait_ready(self) -> Server:
        """Wait until /ping answers 200; returns the server."""
        wait_until(self.listens, "nothing listens", self)
        wait_until(lambda: self.ping().status == 200, "/ping is not 200", self)
        return self

    def stop(self) -> int:
        """Send SIGTERM and return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_SECONDS)


class PatientServer(Server):
    """A server that gives clients twenty seconds, not two, to close behind a refusal, or to ask again while it stops.

    A test that the machine keeps from its next step for that long finds its connection closed, and proves nothing.
    """

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-c", PATIENTLY]


PATIENTLY = """
import sys
from sagedock.cli import main
from sagedock.serving import connections, protocol
connections.LINGER_SECONDS = protocol.LINGER_SECONDS = 20.0
sys.exit(main(["serve"]))
"""


def reply_of(connection: http.client.HTTPConnection) -> Reply:
    """Read the answer to the request that was sent last."""
    response = connection.getresponse()
    return Reply(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())


def answered(connection: http.client.HTTPConnection) -> bool:
    """Whether an answer has begun to arrive."""
    return bool(select.select([connection.sock], [], [], 0)[0])


def wait_until(condition: Any, complaint: str, server: Server | None = None) -> None:
    """Wait for `condition`; fails when it does not come about in time or the server ends before it."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, complaint
        if server is not None:
            assert server.process.poll() is None, f"the server ended: {server.output}"
        time.sleep(0.02)
