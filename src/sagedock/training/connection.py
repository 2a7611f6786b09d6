"""A connection to another host of the job: frames with lengths and limits, and waits that always end.

Whether the other machine is there is asked by the kernel (TCP keep-alive) while a host waits, however long the other
computes. A large body is sent only to a host that is ready to take it, so one that stalls on its way has lost its host.
"""

from __future__ import annotations

import enum
import select
import socket
import struct
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from sagedock.errors import AlgorithmError, PlatformError

STALL_SECONDS = 60
"""How long a body may stand still on its way, and a host be out of reach, until it counts as lost."""
STOP_SECONDS = 80
"""How long after SIGTERM the others are still waited for; SageMaker kills after 120 (contract 1.8)."""
SMALL = 4096
"""Bytes of a body that fits into any socket's buffer: it may be sent to a host that is busy."""
_SLICE_MILLISECONDS, _NEWS_MILLISECONDS = 500, 2000
_TCP_OPTIONS = {
    socket.TCP_NODELAY: 1,
    socket.TCP_KEEPIDLE: 15,
    socket.TCP_KEEPINTVL: 5,
    socket.TCP_KEEPCNT: 9,
    socket.TCP_USER_TIMEOUT: STALL_SECONDS * 1000,
}
_HEADER = struct.Struct("!4sB3xIQ")
_MAGIC = b"SDFR"


class Kind(enum.IntEnum):
    """What a frame is."""

    MEET = 1  # to rank 0: I have come here
    MET = 2  # from rank 0: all have
    OFFER = 3  # to rank 0: I have a part
    INVITATION = 4  # from rank 0: send it now
    PART = 5
    READY = 6  # to rank 0: send the whole now
    WHOLE = 7
    FAREWELL = 8  # I have failed, for this reason


class HostLost(PlatformError):
    """Another host has failed or is gone; `story` says which and why, for the hosts that have yet to hear of it."""

    def __init__(self, story: str) -> None:
        super().__init__(f"{story}; a job of several hosts ends when one of them does")
        self.story = story


class Waits:
    """What ends a wait: data, the loss of any host in `company`, or a stop of the job and `grace` seconds."""

    def __init__(self, stopping: Callable[[], bool], grace: float = STOP_SECONDS) -> None:
        self.company: list[Connection] = []
        self._stopping, self._grace = stopping, grace
        self._stopped: float | None = None

    def until(self, wanted: Sequence[tuple[Connection, int]], *, moving: bool) -> None:
        """Return once one of the connections is ready for its events (poll(2)); `moving` bodies may not stand still."""
        poller = select.poll()
        for connection in self.company:
            poller.register(connection.socket, select.POLLRDHUP)
        for connection, events in wanted:
            poller.register(connection.socket, events)
        ready_for = {connection.socket.fileno() for connection, _ in wanted}
        begun = time.monotonic()
        while not (ready := {descriptor for descriptor, _ in poller.poll(_SLICE_MILLISECONDS)}) & ready_for:
            for connection in self.company:
                if connection.socket.fileno() in ready:
                    raise connection.lost()
            self._look_at_the_clock(wanted, begun if moving else None)

    def news(self) -> HostLost | None:
        """The loss that those connected tell of within a moment; one of them may have heard the reason."""
        if not self.company:
            return None
        poller = select.poll()
        for connection in self.company:
            poller.register(connection.socket, select.POLLRDHUP)
        gone = {descriptor for descriptor, _ in poller.poll(_NEWS_MILLISECONDS)}
        return next((one.lost() for one in self.company if one.socket.fileno() in gone), None)

    def _look_at_the_clock(self, wanted: Sequence[tuple[Connection, int]], begun: float | None) -> None:
        now, names = time.monotonic(), ", ".join(sorted({connection.host for connection, _ in wanted}))
        if begun is not None and now - begun > STALL_SECONDS:
            raise HostLost(f"host {names} is not heard any more: nothing moved for {STALL_SECONDS} s")
        if self._stopping():
            self._stopped = self._stopped or now
            if now - self._stopped > self._grace:
                raise HostLost(f"host {names} did not come to the same point within {self._grace} s of SIGTERM")


class Connection:
    """One proven connection to `host`, whose bytes are believed to be in good faith but never to be all."""

    def __init__(self, connected: socket.socket, host: str, waits: Waits) -> None:
        self.socket, self.host, self._waits, self._sending = connected, host, waits, False
        connected.setblocking(False)

    @classmethod
    def over_tcp(cls, connected: socket.socket, host: str, waits: Waits) -> Connection:
        """The same over TCP, whose kernel is to find out when the other machine is gone."""
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _TCP_OPTIONS.items():
            connected.setsockopt(socket.IPPROTO_TCP, option, value)
        return cls(connected, host, waits)

    def send(self, kind: Kind, step: int, body: bytes | memoryview = b"") -> None:
        """Send one frame of the job's `step`-th common operation. Raises HostLost."""
        content = memoryview(body).cast("B")
        self._sending = True
        self._send_all(memoryview(_HEADER.pack(_MAGIC, kind, step, len(content))))
        self._send_all(content)
        self._sending = False

    def receive(self, kind: Kind, step: int, limit: int = SMALL) -> bytes:
        """The body of the next frame, `limit` bytes at most, however long it takes until the frame comes.

        Raises HostLost, and AlgorithmError for a frame that has no place here.
        """
        magic, found, at, length = _HEADER.unpack(self._exactly(_HEADER.size, moving=False))
        if magic == _MAGIC and found == Kind.FAREWELL:
            raise HostLost(self._exactly(min(length, SMALL), moving=True).decode(errors="replace"))
        if magic != _MAGIC or (found, at) != (kind, step):
            raise AlgorithmError(
                f"the hosts are out of step: {self.host} sent a frame of kind {found} in step {at}, where "
                f"{kind.name} in step {step} was expected; they must run the same program"
            )
        if length > limit:
            raise PlatformError(
                f"host {self.host} sends {length} bytes, and this host can take {limit}: choose an instance type with "
                "more memory"
            )
        return bytes(self._exactly(length, moving=True))

    def read_some(self, buffer: memoryview) -> int | None:
        """Bytes read into the buffer; None when there are none yet. Raises HostLost."""
        try:
            count = self.socket.recv_into(buffer)
        except BlockingIOError:
            return None
        except OSError as error:
            raise self.lost() from error
        if count == 0:
            raise self.lost()
        return count

    def write_some(self, content: memoryview) -> int | None:
        """Bytes of the content that are on their way; None when none can be taken yet. Raises HostLost."""
        try:
            return self.socket.send(content)
        except BlockingIOError:
            return None
        except OSError as error:
            raise self.lost() from error

    def leave(self, story: str) -> None:
        """Tell the host why this one ends, as far as that can be told at once, and close.

        The header stands before and after the reason, so that it is found behind frames that nobody will read. In the
        middle of a frame nothing is said: it would be taken for what was to come.
        """
        text = story.encode()[: SMALL - 2 * _HEADER.size]
        header = _HEADER.pack(_MAGIC, Kind.FAREWELL, 0, len(text))
        with suppress(OSError):
            if not self._sending:
                self.socket.send(header + text + header)
            self._rest()  # closing while something is unread would cut off what was just sent
            self.socket.shutdown(socket.SHUT_WR)
        self.close()

    def close(self) -> None:
        self.socket.close()

    def lost(self) -> HostLost:
        """The loss of this host, with the reason that it left, if it did: with rank 0, where this is the ring."""
        told = None if self in self._waits.company else self._waits.news()
        if told is not None:
            return told
        end = self._rest()
        if len(end) >= 2 * _HEADER.size:
            magic, kind, _, length = _HEADER.unpack(end[-_HEADER.size :])
            if magic == _MAGIC and kind == Kind.FAREWELL and length <= len(end) - 2 * _HEADER.size:
                text = end[-_HEADER.size - length : -_HEADER.size]
                return HostLost(text.decode(errors="replace"))
        return HostLost(f"host {self.host} ended without a word: its process was killed, or its machine is gone")

    def _rest(self) -> bytes:
        """The end of what has arrived and was not read yet."""
        end = b""
        with suppress(OSError):
            while arrived := self.socket.recv(1 << 16):
                end = (end + arrived)[-SMALL:]
        return end

    def _send_all(self, content: memoryview) -> None:
        while content:
            sent = self.write_some(content)
            if sent is None:
                self._waits.until([(self, select.POLLOUT)], moving=True)
            else:
                content = content[sent:]

    def _exactly(self, size: int, *, moving: bool) -> bytearray:
        """The next `size` bytes; memory is taken as they arrive."""
        received = bytearray()
        block = memoryview(bytearray(min(size, 1 << 20)))
        while len(received) < size:
            count = self.read_some(block[: size - len(received)])
            if count is None:
                self._waits.until([(self, select.POLLIN)], moving=moving or len(received) > 0)
            else:
                received += block[:count]
        return received
