"""All connections of one worker: how many there may be, how long each may be silent, and what their bodies may take."""

from __future__ import annotations

import asyncio
from email.utils import formatdate
from itertools import islice
from typing import TYPE_CHECKING

from sagedock.serving.scoreboard import Slot

if TYPE_CHECKING:
    from sagedock.serving.protocol import Connection

IDLE_SECONDS = 300.0
"""How long a connection is kept for its client's next request."""
SILENCE_SECONDS = 60.0
"""How long a client may send nothing in the middle of a request, or take nothing of its answer."""
HEAD_SECONDS = 60.0
"""How long the head of a request may take from its first byte to its last."""
LINGER_SECONDS = 2.0
"""How long a client has to close its side after its last answer, and to begin a request while the server stops."""
MOST = 1024
"""Connections that a worker keeps; the one that has been idle for longest makes room for another."""


class Connections:
    """`memory` is how many bytes of request bodies may be held at once, over all connections.

    Above it bodies wait in their clients until one that is whole has been answered; where none is whole, the one that
    began first is read on. So a worker takes any number of large uploads and always finishes one.
    """

    def __init__(self, slot: Slot, memory: int) -> None:
        self.slot = slot
        self.memory = memory
        self.draining = False
        self.now = 0.0
        """The loop's time, a second old at most."""
        self.date = b""
        """The field Date of every answer."""
        self.open: set[Connection] = set()
        self._idle: dict[Connection, None] = {}
        self._growing: dict[Connection, int] = {}
        self._held = 0
        self.tick(asyncio.get_running_loop().time())

    def tick(self, now: float) -> None:
        """Once a second: give up the connections whose time has come."""
        self.now = now
        self.date = f"Date: {formatdate(usegmt=True)}\r\n".encode()
        for connection in [connection for connection in self.open if connection.deadline <= now]:
            connection.expire()

    def add(self, connection: Connection) -> None:
        self.open.add(connection)
        self.idle(connection)
        if len(self.open) > MOST and not self.draining:  # what is taken while the server stops is answered
            self.make_room(1)

    def remove(self, connection: Connection) -> None:
        if connection in self.open:
            self.open.discard(connection)
            self.slot.connected(-1)
        self._idle.pop(connection, None)
        self.grown(connection)

    def idle(self, connection: Connection) -> None:
        """`connection` waits for a request: for long, or for a moment where the server stops."""
        self._idle[connection] = None
        connection.deadline = self.now + (LINGER_SECONDS if self.draining else IDLE_SECONDS)

    def begun(self, connection: Connection) -> None:
        """The first byte of a request has come."""
        self._idle.pop(connection, None)
        connection.deadline = self.now + HEAD_SECONDS

    def make_room(self, count: int) -> None:
        """Close the connections, `count` at most, that have been idle for longest."""
        for connection in list(islice(self._idle, count)):
            del self._idle[connection]
            connection.abandon()

    def drain(self) -> None:
        """The server stops: idle connections have a moment left, and no answer invites another request."""
        self.draining = True
        for connection in list(self._idle):
            self.idle(connection)

    def hold(self, connection: Connection, size: int) -> None:
        """`size` bytes more of a body have come; the connection is told to wait where they are too many."""
        self._held += size
        self._growing[connection] = self._growing.get(connection, 0) + size
        if not self._may_grow(connection):
            connection.wait()

    def read_on(self, connection: Connection) -> None:
        """`connection` reads again, unless its body has to wait for others."""
        if connection not in self._growing or self._may_grow(connection):
            connection.go_on()

    def grown(self, connection: Connection) -> None:
        """The body of `connection` is whole, or given up: the next one may go on."""
        if self._growing.pop(connection, None) is not None:
            self._go_on()

    def release(self, size: int) -> None:
        """`size` bytes of bodies are held no longer."""
        self._held -= size
        if size and self._growing:
            self._go_on()

    def _may_grow(self, connection: Connection) -> bool:
        """Below the budget everybody may; above it the eldest, once no whole body waits to be answered."""
        if self._held <= self.memory:
            return True
        whole = self._held - sum(self._growing.values())
        return whole <= 0 and connection is next(iter(self._growing))

    def _go_on(self) -> None:
        for connection in list(self._growing):
            if self._may_grow(connection):
                connection.go_on()
