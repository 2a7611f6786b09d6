"""What gunicorn is told, and what each worker is made of: its model or models, and the service that answers."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger
from gunicorn.sock import create_sockets

from sagedock.contracts.hosting import HostingSettings
from sagedock.contracts.paths import Paths
from sagedock.serving.endpoint import Endpoint
from sagedock.serving.metrics import Reporter
from sagedock.serving.scoreboard import Scoreboard
from sagedock.serving.service import Service
from sagedock.serving.worker import Worker

SWITCH_SECONDS = 0.0005
"""How long a thread that reads a model may keep the interpreter's lock from the loop; 0.005 is Python's own choice."""
DRAIN_SECONDS = 24
"""SageMaker sends SIGKILL 30 s after SIGTERM."""


class Application(BaseApplication):  # type: ignore[misc]
    """One server: made before the workers are forked, and the same in all of them.

    `algorithm` reads model directories without a manifest (SAGEDOCK_ALGORITHM). `registry` is the file that says which
    models a replaced worker had.
    """

    def __init__(
        self,
        settings: HostingSettings,
        paths: Paths,
        algorithm: str | None,
        listener: socket.socket,
        registry: Path | None = None,
    ) -> None:
        self.settings = settings
        self.paths = paths
        self.algorithm = algorithm
        self.listener = listener
        self.registry = registry
        self.scoreboard = Scoreboard(settings.workers)
        self.reporter = Reporter(self.scoreboard, settings.metrics_seconds, _write_line if settings.metrics else _drop)
        super().__init__()

    def load_config(self) -> None:
        """Nothing is read from files, from the command line or from GUNICORN_CMD_ARGS."""
        chosen = {
            "bind": f"fd://{self.listener.detach()}",  # nobody else keeps it open: closed, it refuses connections
            "workers": self.settings.workers,
            "worker_class": Worker,
            "timeout": self.settings.timeout,
            "graceful_timeout": DRAIN_SECONDS,
            "control_socket_disable": True,
            "logger_class": Log,
            "pre_fork": self.before_fork,
            "child_exit": self.after_exit,
        }
        for name, value in chosen.items():
            self.cfg.set(name, value)

    def before_fork(self, _minder: Arbiter, worker: Worker) -> None:
        """A worker takes the place of one that is gone."""
        worker.number = self.scoreboard.free_slot()
        self.scoreboard.slot(worker.number).occupy()

    def after_exit(self, _minder: Arbiter, worker: Worker) -> None:
        self.scoreboard.slot(worker.number).vacate()

    def serve_alone(self) -> None:
        """Without a parent: for places where one process is all there may be."""
        log = Log(self.cfg)
        sockets = create_sockets(self.cfg, log)
        worker = Worker(1, os.getppid(), sockets, self, 0, self.cfg, log)
        self.before_fork(None, worker)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        worker.init_process()

    def service_of(self, worker: Worker) -> Service:
        """What answers the requests of one worker, its model loading already."""
        return self._many_models(worker) if self.settings.multi_model else self._one_model(worker)

    def _one_model(self, worker: Worker) -> Service:
        """Of the first workers one speaks for all when the model cannot be loaded; a replacement speaks for itself."""

        def load() -> Any:
            from sagedock.serving.loading import load

            return load(self.paths.model, self.algorithm, self.settings)

        speaks = worker.age == 1 or worker.age > self.settings.workers
        endpoint = Endpoint(load, speaks=speaks)
        endpoint.start()
        return Service(endpoint, self.settings, self.scoreboard, worker.slot)

    def _many_models(self, worker: Worker) -> Service:
        from sagedock.serving.management import Management
        from sagedock.serving.multi_model import MultiModelEndpoint
        from sagedock.serving.repository import Repository

        repository = Repository.of(self.settings, self.paths.models, self.registry, self.algorithm)
        repository.restore()
        sys.setswitchinterval(SWITCH_SECONDS)
        endpoint, management = MultiModelEndpoint(repository), Management(repository)
        return Service(endpoint, self.settings, self.scoreboard, worker.slot, management)


class Log(Logger):  # type: ignore[misc]
    """Gunicorn's warnings in the shape of ours; no line for a request."""

    def setup(self, cfg: Any) -> None:
        """Let the root logger's handler write."""
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True
        self.error_log.setLevel(logging.WARNING)


def _write_line(line: str) -> None:
    """A whole line on stdout: CloudWatch reads the embedded format only where nothing stands before it."""
    sys.stdout.write(line)
    sys.stdout.flush()


def _drop(_line: str) -> None:
    """Nobody asked."""
