"""One container, from its start to its end: its log as it comes, its stop, and what it ended with."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sagedock.errors import PlatformError
from sagedock.local.engine import DOCUMENT_LABEL, require_image
from sagedock.local.interrupt import sigterm_like_ctrl_c

NANOSECONDS = 1_000_000_000
REMOVALS = 20
"""How often the engine is asked to remove a container, REMOVAL_SECONDS apart."""
REMOVAL_SECONDS = 0.5


@dataclass(frozen=True)
class Mount:
    """A directory of this machine at a place of the container."""

    source: Path
    target: str
    read_only: bool = True


@dataclass(frozen=True)
class Container:
    """What is to run, and how long it may.

    `document` is operation/name of its document. `seconds` bounds its life, `grace_seconds` is what it gets between
    SIGTERM and SIGKILL. `port` is this machine's, which leads to 8080. `user` is uid:gid.
    """

    document: str
    image: str
    command: Sequence[str] | None
    user: str
    mounts: Sequence[Mount] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    entrypoint: Sequence[str] | None = None
    memory: str | None = None
    isolated: bool = False
    port: int | None = None
    read_only: bool = False
    seconds: float | None = None
    grace_seconds: int = 120


def caller(directory: Path) -> str:
    """Whom a container runs as that writes to `directory`, as uid:gid: the caller, or for root the directory's owner.

    So whatever is written belongs to whom it should, and no file of root's is left in anybody's folder.
    """
    if os.geteuid() != 0:
        return f"{os.geteuid()}:{os.getegid()}"
    owner = directory.stat()
    return f"{owner.st_uid}:{owner.st_gid}"


@dataclass(frozen=True)
class Ended:
    """What is left of a container."""

    code: int
    out_of_memory: bool = False
    interrupted: bool = False
    timed_out: bool = False


def run(client: Any, container: Container, write: Callable[[str], None]) -> Ended:
    """Run a container to its end, each line of its log given to `write`; nothing is left of it afterwards.

    Ctrl-C and SIGTERM stop it as SageMaker stops a job. Raises UserError for an image that is not there, and
    PlatformError when the engine cannot start it.
    """
    with sigterm_like_ctrl_c(), started(client, container) as running, _bounded(running, container) as timed_out:
        interrupted = _followed(running, container, write)
        code = int(running.wait()["StatusCode"])
        running.reload()
        killed = bool(running.attrs["State"].get("OOMKilled"))
        return Ended(code, killed, interrupted, timed_out.is_set())


@contextmanager
def started(client: Any, container: Container) -> Iterator[Any]:
    """The engine's container while the block runs; afterwards nothing is left of it. Raises as `run` does."""
    require_image(client, container.image)
    with _engine_errors(container.image):
        running = client.containers.create(container.image, **_options(client, container))
    try:
        with _engine_errors(container.image):
            running.start()
        yield running
    finally:
        _remove(running)


def _remove(running: Any) -> None:
    """Remove a container with its volumes; the engine may need a moment, and one that it keeps is named."""
    from docker.errors import APIError, NotFound

    refusal = ""
    for _ in range(REMOVALS):
        try:
            running.remove(force=True, v=True)
        except NotFound:
            return
        except APIError as error:  # a busy engine unmounts late, or is removing it already
            refusal = str(error.explanation or error)
            time.sleep(REMOVAL_SECONDS)
        else:
            return
    sys.stderr.write(f"the container {running.short_id} could not be removed: {refusal}\n")


@contextmanager
def _engine_errors(image: str) -> Iterator[None]:
    from docker.errors import DockerException

    try:
        yield
    except DockerException as error:  # the package refuses some options itself, before it asks the engine
        raise PlatformError(f"Docker cannot start {image}: {getattr(error, 'explanation', None) or error}") from error


def _options(client: Any, container: Container) -> dict[str, Any]:
    from docker.types import Mount as Bind

    binds = [
        Bind(mount.target, str(mount.source), type="bind", read_only=mount.read_only) for mount in container.mounts
    ]
    return {
        "command": None if container.command is None else list(container.command),
        "entrypoint": None if container.entrypoint is None else list(container.entrypoint),
        "mounts": binds,
        "environment": dict(container.environment),
        "hostname": "algo-1",
        "user": container.user,
        "labels": {DOCUMENT_LABEL: container.document},
        "mem_limit": container.memory,
        "memswap_limit": container.memory,
        "network_mode": "none" if container.isolated else None,
        "ports": {} if container.port is None else {"8080/tcp": ("127.0.0.1", container.port)},
        "read_only": container.read_only,
        "tmpfs": {"/tmp": ""} if container.read_only else None,  # noqa: S108 - the container's
        **_gpus(client),
    }


def _gpus(client: Any) -> dict[str, Any]:
    """All GPUs, where the engine knows how to give them."""
    from docker.types import DeviceRequest

    if "nvidia" not in (client.info().get("Runtimes") or {}):
        return {}
    return {"device_requests": [DeviceRequest(count=-1, capabilities=[["gpu"]])]}


@contextmanager
def _bounded(running: Any, container: Container) -> Iterator[threading.Event]:
    """The container is stopped when its time is up; the event then tells so."""
    timed_out = threading.Event()

    def stop() -> None:
        timed_out.set()
        running.stop(timeout=container.grace_seconds)

    if container.seconds is None:
        yield timed_out
        return
    timer = threading.Timer(container.seconds, stop)
    timer.daemon = True
    timer.start()
    try:
        yield timed_out
    finally:
        timer.cancel()


def _followed(running: Any, container: Container, write: Callable[[str], None]) -> bool:
    """Follow the log to its end; True when Ctrl-C or SIGTERM came first and the container was stopped."""
    shown = 0
    try:
        for line in _lines(running.logs(stream=True, follow=True)):
            shown += 1
            write(line)
    except KeyboardInterrupt:
        seconds = container.grace_seconds
        sys.stderr.write(f"stopping: SIGTERM, SIGKILL after {seconds} s; Ctrl-C again kills at once\n")
        _stop(running, seconds)
        for line in list(_lines(iter([running.logs()])))[shown:]:
            write(line)
        return True
    return False


def _stop(running: Any, seconds: int) -> None:
    try:
        running.stop(timeout=seconds)
    except KeyboardInterrupt:
        running.kill()


def _lines(chunks: Iterator[bytes]) -> Iterator[str]:
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line.decode(errors="replace").rstrip("\r") for line in lines)
    if rest:
        yield rest.decode(errors="replace").rstrip("\r")
