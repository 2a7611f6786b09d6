"""A client's connection that holds no thread for ever: not while it is silent, and not while it is being closed."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable
from typing import Any

from gunicorn.workers.gthread import TConn

SILENCE_SECONDS = 60
"""How long a client may send nothing in the middle of a request, or take nothing of its answer."""


class PatientSocket(socket.socket):
    """The socket of `accepted`, which is spent; blocking, it gives a silent client up after `seconds`."""

    def __init__(self, accepted: socket.socket, seconds: float = SILENCE_SECONDS) -> None:
        super().__init__(fileno=accepted.detach())
        self._seconds = seconds
        patience = struct.pack("@ll", int(seconds), int(seconds % 1 * 1_000_000))
        self.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, patience)
        self.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, patience)

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Raises ConnectionResetError for a client that sends nothing for too long: gunicorn makes no fuss of it."""
        try:
            return super().recv(size, flags)
        except BlockingIOError as error:
            raise self._translated(error, "sent") from None

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Raises ConnectionResetError for a client that does not read."""
        try:
            super().sendall(data, flags)
        except BlockingIOError as error:
            raise self._translated(error, "read") from None

    def _translated(self, error: BlockingIOError, what: str) -> OSError:
        if not self.getblocking():
            return error
        return ConnectionResetError(errno.ECONNRESET, f"the client {what} nothing for {self._seconds:g} s")


class Connection(TConn):  # type: ignore[misc]
    """`linger` takes over from here once the last answer is out; gunicorn would wait for the client on the spot."""

    def __init__(
        self, cfg: Any, client: socket.socket, address: Any, server: Any, linger: Callable[[Any], None]
    ) -> None:
        super().__init__(cfg, PatientSocket(client), address, server)
        self._linger = linger

    def close(self, graceful: bool = False) -> None:
        """Close at once, or when the client has heard the answer."""
        if graceful:
            self._linger(self)
        else:
            super().close()
