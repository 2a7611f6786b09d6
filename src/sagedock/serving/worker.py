"""The worker process: gunicorn's threaded worker, with health checks that nothing can block and a complete drain."""

from __future__ import annotations

import errno
import json
import os
import re
import selectors
import signal
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from types import FrameType
from typing import Any

from gunicorn.http import errors as protocol
from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, ThreadWorker

from sagedock.serving import errors
from sagedock.serving.connection import Connection

PEEK_BYTES = 4096
QUICK = re.compile(rb"(?:(?:GET|HEAD|POST) /ping|GET /execution-parameters)[ ?/]")
"""Requests that need no model: they have threads of their own, once their last header is there."""
WITH_BODY = re.compile(rb"\r\n(?:content-length:[ \t]*0*[1-9]|transfer-encoding:)", re.IGNORECASE)
QUICK_THREADS = 2
ACCEPTS_AT_ONCE = 64
COURTESY_SECONDS = 0.001
"""How long a busy worker leaves a new connection to its siblings before it takes it."""
LINGER_SECONDS = 2.0
"""How long a client has to close its side after its last answer."""
PIECE = 65536

STATUSES: tuple[tuple[type[Exception], HTTPStatus], ...] = (
    (protocol.LimitRequestLine, HTTPStatus.REQUEST_URI_TOO_LONG),
    (protocol.LimitRequestHeaders, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE),
    (protocol.ExpectationFailed, HTTPStatus.EXPECTATION_FAILED),
    (protocol.UnsupportedTransferCoding, HTTPStatus.NOT_IMPLEMENTED),
    (protocol.ParseException, HTTPStatus.BAD_REQUEST),
)
"""What a request that is no HTTP is told; the first class that fits decides."""


class Worker(ThreadWorker):  # type: ignore[misc]
    """Waits for the first bytes of a request on the poller, looks at them, and picks the threads that answer it."""

    def init_process(self) -> None:
        """Never returns."""
        sys.setswitchinterval(0.001)  # seconds; a health check gets the interpreter's lock this soon
        self.quick_pool = ThreadPoolExecutor(QUICK_THREADS, thread_name_prefix="quick")
        self.busy = 0
        self.alive: bool = True
        super().init_process()

    def init_signals(self) -> None:
        """SIGTERM was held back while this process was forked (`sagedock.serving.server`)."""
        super().init_signals()
        for from_terminal in (signal.SIGINT, signal.SIGHUP):  # the parent gets them too, and passes SIGTERM on
            signal.signal(from_terminal, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})

    def handle_quit(self, _signal: int, _frame: FrameType | None) -> None:
        """End at once."""
        os._exit(0)

    def load_wsgi(self) -> None:
        """Each worker has an application of its own, whose model begins to load here."""
        self.wsgi = self.app.application_of(self)

    def run(self) -> None:
        """Serve until told to stop, then answer every request that a client has begun; never returns.

        The process ends without joining its threads: one that still waits for bytes of a client gone silent, or for a
        model still loading, would hold the exit up.
        """
        super().run()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)

    def accept(self, listener: socket.socket) -> None:
        """Take the connections that wait; a worker in the middle of an inference lets an idle sibling go first."""
        if self.busy:
            time.sleep(COURTESY_SECONDS)
        for _ in range(ACCEPTS_AT_ONCE if self.alive else sys.maxsize):
            try:
                client, address = listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in {errno.EMFILE, errno.ENFILE}:
                    raise
                if not self._make_room():
                    time.sleep(COURTESY_SECONDS)
                return
            self.nr_conns += 1
            self._await_request(Connection(self.cfg, client, address, listener.getsockname(), self.linger))
            if self.nr_conns >= self.worker_connections:
                self._make_room()

    def _make_room(self) -> bool:
        """Close the connection that has been idle for longest; False when none is."""
        if not self.keepalived_conns:
            return False
        self.keepalived_conns[0].timeout = time.monotonic()
        self.murder_keepalived()
        return True

    def set_accept_enabled(self, enabled: bool) -> None:
        """A worker that stops first takes every connection the kernel has accepted on its behalf."""
        super().set_accept_enabled(enabled)
        if not self.alive and not enabled:
            self.busy = 0
            for listener in self.sockets:
                self.accept(listener)
                listener.close()

    def is_parent_alive(self) -> bool:
        """A worker that outlives its parent stops as if it had been told to."""
        if not super().is_parent_alive():
            self.alive = False
        return bool(self.alive)

    def on_client_socket_readable(self, conn: Connection, client: socket.socket) -> None:
        """The first bytes of a request have come, or the client has gone."""
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
        self._dispatch(conn)

    def _dispatch(self, conn: Connection) -> None:
        try:
            start = conn.sock.recv(PEEK_BYTES, socket.MSG_PEEK)
        except BlockingIOError:
            self._await_request(conn)
            return
        except OSError:
            start = b""
        if not start:
            self.nr_conns -= 1
            conn.close()
            return
        conn.data_ready = True
        quick = _is_quick(start)
        self.busy += not quick
        future = (self.quick_pool if quick else self.tpool).submit(self.handle, conn)
        future.add_done_callback(lambda done: self.method_queue.defer(self._finish, conn, done, quick))

    def linger(self, conn: Connection) -> None:
        """Half-close, and wait on the poller for the client's side: a client that still sends would lose its answer."""
        try:
            conn.sock.shutdown(socket.SHUT_WR)
            conn.sock.setblocking(False)
        except OSError:
            conn.close()
            return
        self.nr_conns += 1
        conn.timeout = time.monotonic() + LINGER_SECONDS
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def on_pending_socket_readable(self, conn: Connection, client: socket.socket) -> None:
        """What a client sends after its last answer is dropped, until it closes."""
        try:
            if client.recv(PIECE):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self.poller.unregister(client)
        self.pending_conns.remove(conn)
        self.nr_conns -= 1
        conn.close()

    def _finish(self, conn: Connection, done: Any, quick: bool) -> None:
        self.busy -= not quick
        self.finish_request(conn, done)

    def _await_request(self, conn: Connection) -> None:
        """Watch a connection that has sent nothing yet; it is closed like one that is kept alive."""
        conn.set_timeout()
        if not self.alive:
            conn.timeout = min(conn.timeout, time.monotonic() + STOP_KEEPALIVE_LINGER)
        self.keepalived_conns.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.on_client_socket_readable, conn))

    def handle_request(self, req: Any, conn: Connection) -> bool:
        """Do not invite a body that will be refused: a client that waits for 100 Continue hears 413 instead."""
        length = next((value for name, value in req.headers if name == "CONTENT-LENGTH"), "0")
        if req._expected_100_continue and int(length) > self.app.settings.max_payload_bytes:
            req._expected_100_continue = False
            req.must_close = True
        return bool(super().handle_request(req, conn))

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: Exception) -> None:
        """Answer bytes that are no HTTP request; gunicorn's own answer is HTML."""
        status = next((found for kind, found in STATUSES if isinstance(exc, kind)), HTTPStatus.INTERNAL_SERVER_ERROR)
        if status is HTTPStatus.INTERNAL_SERVER_ERROR:
            self.log.exception("error while handling a connection")
        else:
            self.log.warning("%s", json.dumps({"event": "request_refused", "status": status, "message": str(exc)}))
        text = errors.INTERNAL if status >= HTTPStatus.INTERNAL_SERVER_ERROR else f"no valid HTTP request: {exc}"
        body = errors.body(status, text)
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\nConnection: close\r\nContent-Type: {errors.JSON}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        try:
            client.sendall(head.encode("latin-1") + body)
        except OSError:
            self.log.debug("the client had gone before it could be told of %s", status)


def _is_quick(start: bytes) -> bool:
    """Whether the request that begins with `start` is answered from here on without waiting for its client."""
    head, complete, _ = start.partition(b"\r\n\r\n")
    return bool(complete and QUICK.match(head) and not WITH_BODY.search(head))
