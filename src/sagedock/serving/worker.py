"""The worker process: gunicorn's in how it is minded, an asyncio loop of our own in how it serves."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import sys
from types import FrameType
from typing import Any

from gunicorn.workers.base import Worker as MindedWorker

from sagedock.serving.connections import Connections
from sagedock.serving.protocol import Connection

ENDINGS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""What ends a server that is alone; otherwise the parent passes SIGTERM on for all of them."""
TICK_SECONDS = 1.0
ACCEPTS_AT_ONCE = 16
COURTESY_SECONDS = 0.002
"""How long a worker leaves a new connection to a sibling that has fewer, before it takes it."""
ROOM_SECONDS = 0.005
"""How long a worker without free file descriptors waits for one."""


class Worker(MindedWorker):  # type: ignore[misc]
    """One process a core: one loop for all connections, and threads for inference (`sagedock.serving.service`)."""

    def init_signals(self) -> None:
        """SIGTERM was held back while this process was forked (`sagedock.serving.server`), until the loop listens."""
        for number in self.SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        for from_terminal in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGWINCH):
            signal.signal(from_terminal, signal.SIG_IGN)  # the parent gets them too, and passes SIGTERM on
        signal.signal(signal.SIGQUIT, self.handle_quit)
        signal.signal(signal.SIGABRT, self.handle_abort)

    def handle_quit(self, _signal: int, _frame: FrameType | None) -> None:
        """End at once."""
        os._exit(0)

    def handle_abort(self, _signal: int, _frame: FrameType | None) -> None:
        """The parent has heard nothing for too long (SAGEMAKER_MODEL_SERVER_TIMEOUT)."""
        os._exit(1)

    def load_wsgi(self) -> None:
        """There is no WSGI application: `run` makes what answers, on its loop."""

    def run(self) -> None:
        """Serve until told to stop, then answer every request that a client has begun; never returns.

        The process ends without joining its threads: one that waits for a model still loading would hold the exit up.
        """
        asyncio.run(self._serve())
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)

    async def _serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.drained = asyncio.Event()
        self.arriving: set[asyncio.Task[Any]] = set()
        self.slot = self.app.scoreboard.slot(self.number)
        self.slot.occupy()
        self.connections = Connections(self.slot, self.app.settings.body_memory_bytes)
        self.service = self.app.service_of(self)
        for number in ENDINGS if self.app.settings.single_process else ENDINGS[:1]:
            self.loop.add_signal_handler(number, self._drain)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        for listener in self.sockets:
            listener.setblocking(False)
            self.loop.add_reader(listener.fileno(), self._accept, listener)
        self._tick()
        await self.drained.wait()

    def _tick(self) -> None:
        """Once a second: a sign of life, and a look at the clock."""
        self.notify()
        self.connections.tick(self.loop.time())
        if self.app.settings.single_process:
            self.app.reporter.tick()
        elif os.getppid() != self.ppid:
            self._drain()  # the parent is gone
        self.loop.call_later(TICK_SECONDS, self._tick)

    # Connections

    def _accept(self, listener: socket.socket, *, politely: bool = True) -> None:
        """Take the connections that wait, unless a sibling has fewer: it gets a moment to take them."""
        for _ in range(ACCEPTS_AT_ONCE):
            if politely and self._is_ahead():
                self._look_away(listener, COURTESY_SECONDS)
                return
            if not self._accept_one(listener):
                return
            politely = True

    def _accept_one(self, listener: socket.socket) -> bool:
        try:
            client, _ = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return False
        except OSError as error:
            if error.errno not in {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}:
                raise
            self.connections.make_room(ACCEPTS_AT_ONCE)
            self._look_away(listener, ROOM_SECONDS)
            return False
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.slot.connected(1)
        task = self.loop.create_task(self.loop.connect_accepted_socket(self._connection, client))
        self.arriving.add(task)
        task.add_done_callback(self.arriving.discard)
        return True

    def _connection(self) -> Connection:
        return Connection(self.connections, self.service, self.app.settings.max_payload_bytes)

    def _is_ahead(self) -> bool:
        """Whether this worker has more connections than a sibling that lives."""
        return bool(self.slot.connections > self.app.scoreboard.fewest_connections())

    def _look_away(self, listener: socket.socket, seconds: float) -> None:
        if listener.fileno() >= 0 and self.loop.remove_reader(listener.fileno()):
            self.loop.call_later(seconds, self._look_again, listener)

    def _look_again(self, listener: socket.socket) -> None:
        if listener.fileno() >= 0:
            self.loop.add_reader(listener.fileno(), self._accept, listener)
            self._accept(listener, politely=False)

    # The end

    def _drain(self) -> None:
        """Take every connection that the kernel has accepted for us, listen no more, and answer what there is."""
        if self.connections.draining:
            return
        self.alive = False
        for listener in self.sockets:
            self.loop.remove_reader(listener.fileno())
            while self._accept_one(listener):
                pass
            listener.close()
        self.connections.drain()
        self.loop.call_later(self.cfg.graceful_timeout, self.drained.set)
        self._watch_the_end()

    def _watch_the_end(self) -> None:
        if not self.connections.open and not self.arriving:
            self.drained.set()
        else:
            self.loop.call_later(0.02, self._watch_the_end)
