"""How the hosts of a training job find one another: rank 0 listens, the others come, and each proves itself.

Hosts start at different times and their names may not resolve at once (contract 1.11), so all of it is tried again
until the patience of whoever waits is over. Anybody may come to a port on a network: nobody is believed, waited for or
kept longer than a handshake takes.
"""

from __future__ import annotations

import ipaddress
import logging
import selectors
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field

from sagedock.errors import PlatformError
from sagedock.training.handshake import (
    CHALLENGE_BYTES,
    HELLO_BYTES,
    PROOF_BYTES,
    Handshake,
    Purpose,
    challenge,
)

log = logging.getLogger(__name__)

VISITOR_SECONDS = 10
"""How long one handshake may take."""
VISITORS = 64
"""How many may be at it at once; one more, and the first of them has to go."""
_CONNECT_SECONDS, _FIRST_PAUSE, _LONGEST_PAUSE = 5.0, 0.05, 2.0


class Deadline:
    """A point in time, `seconds` from now."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds until then; 0 when it is over."""
        return max(0.0, self._end - time.monotonic())


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens where the others reach this host; raises PlatformError when the port is taken.

    That is the address that the host's own name stands for. A name that stands for a loopback address, or for none of
    this machine's, means nothing to the others: then it is every address.
    """
    for address in _own_addresses(host):
        with suppress(OSError):
            return listening(address, port)
    try:
        return listening("", port)
    except OSError as error:
        raise PlatformError(
            f"cannot listen on port {port} for the other hosts of this job: {error.strerror}; name a free one in "
            "SAGEDOCK_CLUSTER_PORT, the same on every host"
        ) from error


def listening(address: str, port: int) -> socket.socket:
    """A socket that listens on an address of this machine, "" for all of them; port 0 is any free one."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.create_server((address, port), family=family, backlog=VISITORS)


def _own_addresses(host: str) -> list[str]:
    try:
        found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]
    except OSError:
        return []
    return [address for address in found if address == host or not ipaddress.ip_address(address).is_loopback]


@dataclass
class _Visitor:
    """Somebody who has been challenged and has said `said` so far."""

    challenge: bytes
    deadline: Deadline
    said: bytes = b""


@dataclass
class Reception:
    """Takes the hosts in that come to a listening socket: `admit` is given the rank and the connection of each.

    A host that comes twice, since it lost patience, is admitted twice: its last connection counts.
    """

    listener: socket.socket
    handshake: Handshake
    purpose: Purpose
    admit: Callable[[int, socket.socket], None]
    _visitors: dict[socket.socket, _Visitor] = field(default_factory=dict)
    _missing: dict[int, str] = field(default_factory=dict)

    def receive(self, expected: Mapping[int, str], deadline: Deadline) -> None:
        """Return once all hosts have come, named here by rank; the listener is closed by then.

        Raises PlatformError naming those that did not come in time.
        """
        self._missing = dict(expected)
        self.listener.setblocking(False)
        with selectors.DefaultSelector() as selector, self.listener:
            selector.register(self.listener, selectors.EVENT_READ)
            try:
                while self._missing:
                    if not deadline.left:
                        names = ", ".join(self._missing.values())
                        raise PlatformError(
                            f"host {names} did not come within {deadline.seconds:.0f} s: its own log tells whether it "
                            "started; SAGEDOCK_CLUSTER_PATIENCE is that time in seconds"
                        )
                    self._look(selector, expected, min(0.5, deadline.left))
            finally:
                for visitor in self._visitors:
                    visitor.close()

    def _look(self, selector: selectors.BaseSelector, expected: Mapping[int, str], seconds: float) -> None:
        for key, _ in selector.select(seconds):
            if key.fileobj is self.listener:
                self._challenge_somebody(selector)
            elif isinstance(key.fileobj, socket.socket) and key.fileobj in self._visitors:
                self._hear(key.fileobj, selector, expected)
        for late in [visitor for visitor, state in self._visitors.items() if not state.deadline.left]:
            self._send_away(late, selector)

    def _challenge_somebody(self, selector: selectors.BaseSelector) -> None:
        with suppress(OSError):
            visitor, _ = self.listener.accept()
            visitor.setblocking(False)
            self._visitors[visitor] = _Visitor(challenge(), Deadline(VISITOR_SECONDS))
            selector.register(visitor, selectors.EVENT_READ)
            visitor.send(self._visitors[visitor].challenge)
        if len(self._visitors) > VISITORS:
            self._send_away(next(iter(self._visitors)), selector)

    def _hear(self, visitor: socket.socket, selector: selectors.BaseSelector, expected: Mapping[int, str]) -> None:
        state = self._visitors[visitor]
        try:
            said = visitor.recv(HELLO_BYTES - len(state.said))
        except BlockingIOError:
            return
        except OSError:
            said = b""
        state.said += said
        if not said:
            self._send_away(visitor, selector)
        elif len(state.said) == HELLO_BYTES:
            self._judge(visitor, selector, expected)

    def _judge(self, visitor: socket.socket, selector: selectors.BaseSelector, expected: Mapping[int, str]) -> None:
        state = self._visitors[visitor]
        rank = self.handshake.rank_of(state.said, state.challenge, self.purpose)
        if rank is None or rank not in expected:
            log.warning("a connection to the port of this job's hosts was refused: it came from none of them")
            self._send_away(visitor, selector)
            return
        del self._visitors[visitor]
        selector.unregister(visitor)
        try:
            visitor.send(self.handshake.welcome(state.said))
        except OSError:
            visitor.close()
            return
        self._missing.pop(rank, None)
        self.admit(rank, visitor)

    def _send_away(self, visitor: socket.socket, selector: selectors.BaseSelector) -> None:
        del self._visitors[visitor]
        selector.unregister(visitor)
        visitor.close()


def visit(host: str, port: int, handshake: Handshake, purpose: Purpose, rank: int, deadline: Deadline) -> socket.socket:
    """The connection of the host of `rank` to another one, which is tried again until the deadline.

    Raises PlatformError naming what stood in the way the last time.
    """
    pause, trouble = _FIRST_PAUSE, "it was not tried"
    while deadline.left:
        try:
            return _visit(host, port, handshake, purpose, rank)
        except socket.gaierror as error:
            trouble = f"its name does not resolve ({error.strerror})"
        except _Stranger:
            trouble = "whoever answers there is no host of this job, or takes this one for none: do all hosts have "
            trouble += "the same hyperparameters, hosts, TRAINING_JOB_NAME and image?"
        except OSError as error:
            trouble = f"it does not answer ({error.strerror or 'timed out'})"
        time.sleep(min(pause, deadline.left))
        pause = min(2 * pause, _LONGEST_PAUSE)
    raise PlatformError(
        f"host {host}, port {port}, was not reached within {deadline.seconds:.0f} s: {trouble}. Its own log tells "
        "whether it started; SAGEDOCK_CLUSTER_PORT moves the port, SAGEDOCK_CLUSTER_PATIENCE is the time in seconds"
    )


class _Stranger(Exception):
    """Whoever listens there does not know this job."""


def _visit(host: str, port: int, handshake: Handshake, purpose: Purpose, rank: int) -> socket.socket:
    with ExitStack() as closing:
        connected = closing.enter_context(socket.create_connection((host, port), _CONNECT_SECONDS))
        deadline = Deadline(VISITOR_SECONDS)
        hello = handshake.hello(_heard(connected, CHALLENGE_BYTES, deadline), purpose, rank)
        if hello is None:
            raise _Stranger
        connected.sendall(hello)
        if not handshake.welcomed(hello, _heard(connected, PROOF_BYTES, deadline)):
            raise _Stranger
        closing.pop_all()
        return connected


def _heard(connected: socket.socket, size: int, deadline: Deadline) -> bytes:
    """The next `size` bytes. Raises TimeoutError, and _Stranger for less."""
    heard = b""
    while len(heard) < size:
        if not deadline.left:
            raise TimeoutError
        connected.settimeout(deadline.left)
        said = connected.recv(size - len(heard))
        if not said:
            raise _Stranger
        heard += said
    return heard
