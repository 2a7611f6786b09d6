"""`sagedock serve`: one listening socket, a process that minds the workers, and the workers that answer."""

from __future__ import annotations

import errno
import gc
import logging
import os
import signal
import socket
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

from gunicorn.arbiter import Arbiter

from sagedock.contracts.hosting import HostingSettings
from sagedock.contracts.paths import Paths
from sagedock.errors import PlatformError
from sagedock.serving.application import Application
from sagedock.serving.lock import only_server_of
from sagedock.serving.registry import new_registry

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
_log = logging.getLogger(__name__)


def serve(environment: Mapping[str, str], model: Path | None = None) -> int:
    """Serve the model directory, or `model` in its place, until SIGTERM; returns the exit code.

    Raises PlatformError when the port is taken, or when another server has the directory. A model that cannot be loaded
    does not end the server: /ping answers 503 and the log says why (contract D11).
    """
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signal_number, _leave)
    os.environ.update({name: environment.get(name) or "1" for name in THREAD_CAPS})
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    settings = HostingSettings.from_environment(environment, model)
    paths = replace(Paths.from_environment(environment), hosted=model)
    directory = paths.models if settings.multi_model else paths.model
    try:
        with ExitStack() as held:
            held.enter_context(only_server_of(directory, settings.port))
            listener = held.enter_context(_bound(settings.port))
            _log.info("serving %s on port %d with %d workers", directory, settings.port, settings.workers)
            _import_what_workers_need()
            listener.listen(BACKLOG)  # not before: who is accepted is answered at once, be it with 503
            outlives = settings.multi_model and not settings.single_process
            registry = held.enter_context(new_registry()) if outlives else None
            application = Application(settings, paths, environment.get("SAGEDOCK_ALGORITHM"), listener, registry)
            application.serve_alone() if settings.single_process else Minder(application).run()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0
    return 0


class Minder(Arbiter):  # type: ignore[misc]
    """The parent: PID 1 in a container. It forks the workers, replaces those that die, and passes SIGTERM on."""

    def handle_hup(self) -> None:
        """A terminal that is closed, and Ctrl-C, end the server like SIGTERM; there is nothing to read again."""
        self.handle_term()

    handle_int = handle_hup

    def handle_usr2(self) -> None:
        """A server does not replace itself, nor change its size: SageMaker starts another container."""

    handle_ttin = handle_ttou = handle_usr2

    def spawn_workers(self) -> None:
        """All at once: they have nothing to compete for while they start."""
        for _ in range(self.num_workers - len(self.WORKERS)):
            self.spawn_worker()

    def murder_workers(self) -> None:
        """What the parent does about once a second."""
        self.app.reporter.tick()
        super().murder_workers()

    def spawn_worker(self) -> Any:
        """A SIGTERM that comes while a worker is being forked waits until the worker can take it."""
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        try:
            return super().spawn_worker()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def _bound(port: int) -> socket.socket:
    """The socket that is to listen, bound before anything is imported: a port that is taken is told at once."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("0.0.0.0", port))  # noqa: S104 - what the hosting contract asks for
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            reason = "another process listens there: stop it"
        else:
            reason = f"{os.strerror(error.errno or 0).lower()}: choose a port above 1023"
        message = f"cannot listen on port {port}, {reason}, or set SAGEMAKER_BIND_TO_PORT to a free port"
        raise PlatformError(message) from error
    return listener


def _import_what_workers_need() -> None:
    """Before they are forked, so that they share its memory and start at once; then nothing of it is collected."""
    import sagedock.serving.loading  # noqa: F401

    gc.collect()
    gc.freeze()


def _leave(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)
