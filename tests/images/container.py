"""Containers of the images under test, run by the engine itself, and plain HTTP to those that serve."""

from __future__ import annotations

import http.client
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
from docker.models.containers import Container

PATIENCE_SECONDS = 300
STOP_SECONDS = 120
"""SageMaker sends SIGKILL so long after SIGTERM to a training job (contract 1.8)."""
COMPLAINT = re.compile(r"WARNING|ERROR|CRITICAL|Traceback")


@dataclass(frozen=True)
class Ended:
    """What is left of a container: its exit code and everything it wrote to both streams."""

    code: int
    log: str

    @property
    def complaints(self) -> list[str]:
        """Lines at level WARNING and above, and tracebacks: in a good run there are none."""
        return [line for line in self.log.splitlines() if COMPLAINT.search(line)]


@dataclass(frozen=True)
class Engine:
    """The Docker engine with the image under test."""

    client: docker.DockerClient
    image: str

    @property
    def configuration(self) -> dict[str, Any]:
        """The image's configuration: entry point, environment, labels and the like."""
        return self.client.images.get(self.image).attrs["Config"]

    @contextmanager
    def started(self, command: Any = None, base: Path | None = None, **options: Any) -> Iterator[Container]:
        """A container over `base` as /opt/ml that is removed at the end, whatever state it is in."""
        volumes = dict(options.pop("volumes", {}))
        if base is not None:
            volumes[str(base)] = {"bind": "/opt/ml", "mode": "rw"}
        environment = {"OMP_NUM_THREADS": "1", **options.pop("environment", {})}
        container = self.client.containers.run(
            self.image, command, detach=True, volumes=volumes, environment=environment, **options
        )
        try:
            yield container
        finally:
            container.remove(force=True, v=True)

    def run(self, command: Any = None, base: Path | None = None, **options: Any) -> Ended:
        """Run a container to its end."""
        with self.started(command, base, **options) as container:
            return ended(container)

    def shell(self, script: str) -> Ended:
        """Run a shell script in a container of the image."""
        return self.run(["-c", script], entrypoint=["/bin/bash"], network_mode="none")

    @contextmanager
    def serving(self, base: Path | None = None, port: int = 8080, **options: Any) -> Iterator[Served]:
        """A server whose `port` is published, once /ping answers at all."""
        options.setdefault("ports", {f"{port}/tcp": ("127.0.0.1", None)})
        with self.started(options.pop("command", "serve"), base, **options) as container:
            served = Served(container, published(container, port))
            served.wait(lambda: served.ping() is not None)
            yield served


@dataclass(frozen=True)
class Served:
    """A running server: its container and the port that leads to it."""

    container: Container
    port: int

    def request(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
        """The status and the body of one answer; underscores in header names stand for hyphens."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def ping(self) -> int | None:
        """The status of GET /ping; None while nobody listens (Docker's proxy then hangs up)."""
        try:
            return self.request("GET", "/ping")[0]
        except (OSError, http.client.HTTPException):
            return None

    def invoke(self, body: bytes, content_type: str = "text/csv") -> bytes:
        """The body of a good answer from /invocations, once the model is loaded."""
        self.wait(lambda: self.ping() == 200)
        status, answer = self.request("POST", "/invocations", body, Content_Type=content_type)
        assert status == 200, answer
        return answer

    def wait(self, condition: Callable[[], bool]) -> None:
        """Wait for `condition`; fails with the log when it does not come about or the container ends before it."""
        wait_until(condition, self.container)

    def stop(self, seconds: int = 30) -> Ended:
        """SIGTERM, and SIGKILL after `seconds`, as SageMaker does with an endpoint."""
        self.container.stop(timeout=seconds)
        return ended(self.container)

    @property
    def log(self) -> str:
        return self.container.logs().decode()


def ended(container: Container) -> Ended:
    """Wait for the container's end and collect what it left."""
    code = container.wait(timeout=PATIENCE_SECONDS)["StatusCode"]
    return Ended(code, container.logs().decode())


def published(container: Container, port: int) -> int:
    """The port of this machine that leads to `port` of the container; 0 when none does."""
    container.reload()
    bindings = container.attrs["NetworkSettings"]["Ports"].get(f"{port}/tcp")
    return int(bindings[0]["HostPort"]) if bindings else 0


def wait_until(condition: Callable[[], bool], container: Container) -> None:
    """Wait for `condition`; fails with the log when it does not come about or the container ends before it."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        container.reload()
        assert container.status == "running", f"the container ended early:\n{container.logs().decode()}"
        assert time.monotonic() < deadline, f"waited in vain:\n{container.logs().decode()}"
        time.sleep(0.05)
