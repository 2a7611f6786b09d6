"""`sagedock serve`: one listening socket, a process that minds the workers, and the workers that answer."""

from __future__ import annotations

import errno
import logging
import os
import signal
import socket
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger

from sagedock.contracts.hosting import HostingSettings
from sagedock.contracts.paths import Paths
from sagedock.errors import PlatformError
from sagedock.serving.app import create_app
from sagedock.serving.endpoint import Endpoint
from sagedock.serving.lock import only_server_of
from sagedock.serving.worker import Worker

THREAD_CAPS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "RAYON_NUM_THREADS",
)
"""Read by numerical libraries when they are imported: one process a core needs no more than one thread."""

BACKLOG = 2048
REQUEST_THREADS = 64
CONNECTIONS = 1024
KEEP_ALIVE_SECONDS = 300
DRAIN_SECONDS = 24
"""SageMaker sends SIGKILL 30 s after SIGTERM."""

_log = logging.getLogger(__name__)


def serve(environment: Mapping[str, str]) -> int:
    """Serve the model directory until SIGTERM; returns the exit code.

    Raises PlatformError when the port is taken, or when another server has the directory. A model that cannot be loaded
    does not end the server: /ping answers 503 and the log says why (contract D11).
    """
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signal_number, _leave)
    os.environ.update({name: environment.get(name) or "1" for name in THREAD_CAPS})
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    settings = HostingSettings.from_environment(environment)
    directory = Paths.from_environment(environment).model
    try:
        with only_server_of(directory, settings.port), _listen(settings.port) as listener:
            _log.info("serving %s on port %d with %d workers", directory, settings.port, settings.workers)
            application = Application(settings, directory, environment.get("SAGEDOCK_ALGORITHM"), listener)
            Minder(application).run()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0
    return 0


class Application(BaseApplication):  # type: ignore[misc]
    """Gunicorn's settings, and the application that each worker makes for itself."""

    def __init__(
        self, settings: HostingSettings, directory: Path, algorithm: str | None, listener: socket.socket
    ) -> None:
        self.settings = settings
        self.directory = directory
        self.algorithm = algorithm
        self.listener = listener
        super().__init__()

    def load_config(self) -> None:
        """Nothing is read from files, from the command line or from GUNICORN_CMD_ARGS."""
        chosen = {
            "bind": f"fd://{self.listener.detach()}",  # nobody else keeps it open: closed, it refuses connections
            "workers": self.settings.workers,
            "threads": REQUEST_THREADS,
            "worker_class": Worker,
            "worker_connections": CONNECTIONS,
            "keepalive": KEEP_ALIVE_SECONDS,
            "timeout": self.settings.timeout,
            "graceful_timeout": DRAIN_SECONDS,
            "control_socket_disable": True,
            "logger_class": Log,
        }
        for name, value in chosen.items():
            self.cfg.set(name, value)

    def application_of(self, worker: Worker) -> Flask:
        """The application of one worker, its model loading already.

        Of the first workers one speaks for all when the model cannot be loaded; a replacement speaks for itself.
        """

        def load() -> Any:
            from sagedock.serving.loading import load

            return load(self.directory, self.algorithm, self.settings)

        speaks = worker.age == 1 or worker.age > self.settings.workers
        endpoint = Endpoint(load, self.settings.threads, speaks=speaks)
        endpoint.start()
        return create_app(endpoint, self.settings)


class Log(Logger):  # type: ignore[misc]
    """Gunicorn's warnings in the shape of ours; no line for a request."""

    def setup(self, cfg: Any) -> None:
        """Let the root logger's handler write."""
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True
        self.error_log.setLevel(logging.WARNING)


class Minder(Arbiter):  # type: ignore[misc]
    """The parent: PID 1 in a container. It forks the workers, replaces those that die, and passes SIGTERM on."""

    def handle_hup(self) -> None:
        """A terminal that is closed, and Ctrl-C, end the server like SIGTERM; there is nothing to read again."""
        self.handle_term()

    handle_int = handle_hup

    def handle_usr2(self) -> None:
        """A server does not replace itself: SageMaker starts another container."""

    def spawn_worker(self) -> Any:
        """A SIGTERM that comes while a worker is being forked waits until the worker can take it."""
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        try:
            return super().spawn_worker()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def _listen(port: int) -> socket.socket:
    """The listening socket, bound before anything is loaded: a client that comes early waits instead of failing."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("0.0.0.0", port))  # noqa: S104 - what the hosting contract asks for
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            reason = "another process listens there: stop it"
        else:
            reason = f"{os.strerror(error.errno or 0).lower()}: choose a port above 1023"
        message = f"cannot listen on port {port}, {reason}, or set SAGEMAKER_BIND_TO_PORT to a free port"
        raise PlatformError(message) from error
    return listener


def _leave(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)
