"""A real `sagedock serve` process on a port of its own, and what it takes of the machine."""

from __future__ import annotations

import ctypes
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from sagedock.errors import ModelError, PlatformError

START_SECONDS = 120
STOP_SECONDS = 30
REFUSAL = "cannot serve: "
"""So the server's log says that its model cannot be loaded."""
_PARENT_DEATH_SIGNAL = 1
_TICKS = os.sysconf("SC_CLK_TCK")


class LocalServer:
    """The server of one model directory while a block runs; its log is kept to explain a failure."""

    def __init__(self, model: Path, environment: Mapping[str, str], command: tuple[str, ...] = ()) -> None:
        """`environment` is what the server finds, but for its base directory and its port."""
        self.model = model
        self.environment = environment
        self.port = free_port()
        self.ready_seconds = 0.0
        self._command = command or (sys.executable, "-m", "sagedock", "serve")

    def __enter__(self) -> LocalServer:
        """Start, and wait until /ping answers 200.

        Raises ModelError when the model cannot be served, PlatformError with the log's end when /ping is never 200.
        """
        self._folder = tempfile.TemporaryDirectory(prefix="sagedock-")
        base = Path(self._folder.name)
        (base / "model").symlink_to(self.model.resolve(), target_is_directory=True)
        self._log = base / "serve.log"
        places = {"SAGEMAKER_BASE_DIR": str(base), "SAGEMAKER_BIND_TO_PORT": str(self.port)}
        private = {"TMPDIR": str(base)}  # its lock is its own: the model may be served to others meanwhile
        variables = {**self.environment, **places, **private}
        began = time.perf_counter()
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                self._command,
                env=variables,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                preexec_fn=_die_with_parent(),  # noqa: PLW1509 - it calls the kernel and nothing else
            )
        with ExitStack() as unless_ready:
            unless_ready.callback(self.stop)
            self._wait_until_ready(began + START_SECONDS)
            unless_ready.pop_all()
        self.ready_seconds = time.perf_counter() - began
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    @property
    def last_words(self) -> str:
        """The end of the server's log, in one line."""
        return " | ".join(self._said().strip().splitlines()[-5:])[:1000]

    def _said(self) -> str:
        """The log, in which the model has the name that the caller knows and not that of our link to it."""
        return self._log.read_text(errors="replace").replace(str(self._log.with_name("model")), str(self.model))

    def stop(self) -> None:
        """SIGTERM, and SIGKILL to whoever is left after SageMaker's 30 s."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        self._folder.cleanup()

    def post(self, path: str, body: bytes, content_type: str, accept: str | None = None) -> tuple[int, bytes]:
        """Status and body of the answer to one request over a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        try:
            headers = {"Content-Type": content_type} | ({"Accept": accept} if accept else {})
            connection.request("POST", path, body, headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def cpu_seconds(self) -> float:
        """User and system time that the server and its workers have spent so far."""
        return sum(_cpu_ticks(pid) for pid in self._pids()) / _TICKS

    def memory_bytes(self) -> list[int]:
        """The proportional share of memory (PSS) of each process, the parent's first."""
        return [_kibibytes(Path(f"/proc/{pid}/smaps_rollup"), "Pss") * 1024 for pid in self._pids()]

    def peak_bytes(self) -> int:
        """The sum of the most memory each process has had so far; what they share is counted for each."""
        return sum(_kibibytes(Path(f"/proc/{pid}/status"), "VmHWM") for pid in self._pids()) * 1024

    def _pids(self) -> list[int]:
        found = [self.process.pid]
        for pid in found:
            found.extend(_children(pid))
        return found

    def _wait_until_ready(self, deadline: float) -> None:
        while not self._ready():
            said = self._said()
            if REFUSAL in said:
                raise ModelError(said.partition(REFUSAL)[2].splitlines()[0])
            if not self.alive or time.perf_counter() > deadline:
                raise PlatformError(f"the server of {self.model} did not become ready: {self.last_words}")
            time.sleep(0.01)

    def _ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/ping")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _die_with_parent() -> Callable[[], None] | None:
    """What makes the kernel end the server when this process is killed and can no longer do it itself."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl

    def ask() -> None:
        prctl(_PARENT_DEATH_SIGNAL, int(signal.SIGTERM))

    return ask


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:  # it ended meanwhile
        return []


def _cpu_ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def _kibibytes(file: Path, name: str) -> int:
    try:
        found = re.search(rf"^{name}:\s+(\d+) kB", file.read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) if found else 0
