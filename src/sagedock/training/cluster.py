"""The hosts of one training job: what they tell one another while they train one model."""

from __future__ import annotations

import hashlib
import logging
import socket
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sagedock import __version__
from sagedock.contracts import failure, machine
from sagedock.contracts.training import TrainingJob
from sagedock.errors import AlgorithmError, UserError
from sagedock.training import handshake, rendezvous
from sagedock.training.connection import Connection, HostLost, Kind, Waits
from sagedock.training.handshake import Handshake, Purpose
from sagedock.training.rendezvous import Deadline, Reception
from sagedock.training.ring import Ring

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

log = logging.getLogger(__name__)

PORT, PATIENCE = 7777, 540
"""Where rank 0 listens, and for how many seconds hosts wait for one another at first (contract C18 allows 600)."""
RING_SECONDS = 60
_WEIGHT = struct.Struct("!d")
_ADDRESS = struct.Struct("!46sH")


@dataclass(frozen=True)
class Meeting:
    """Where and for how long the hosts of a job look for one another."""

    port: int = PORT
    patience: float = PATIENCE

    @classmethod
    def by(cls, environment: Mapping[str, str], hyperparameters: Mapping[str, object]) -> Meeting:
        """By SAGEDOCK_CLUSTER_PORT, else `_ftp_port` where an algorithm has it, and by SAGEDOCK_CLUSTER_PATIENCE.

        Raises UserError for a value that is none.
        """
        port = environment.get("SAGEDOCK_CLUSTER_PORT") or hyperparameters.get("_ftp_port") or PORT
        patience = environment.get("SAGEDOCK_CLUSTER_PATIENCE") or PATIENCE
        return cls(
            _whole("SAGEDOCK_CLUSTER_PORT", port, 1, 65_535),
            _whole("SAGEDOCK_CLUSTER_PATIENCE", patience, 1, 86_400),
        )


def _whole(name: str, given: object, least: int, most: int) -> int:
    text = str(given).strip()
    if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
        raise UserError(f"{name} is {given!r}: it must be a whole number from {least} to {most}", field=name)
    return int(text)


@dataclass(frozen=True)
class Alone:
    """The cluster of a job of one host: no sockets, no waits."""

    host: str

    @property
    def rank(self) -> int:
        """0: this host writes the model."""
        return 0

    @property
    def hosts(self) -> Sequence[str]:
        """This host's name."""
        return (self.host,)

    def gather(self, part: bytes | memoryview) -> list[bytes]:
        """The one part."""
        return [bytes(part)]

    def broadcast(self, whole: bytes | memoryview = b"") -> bytes:
        """The same."""
        return bytes(whole)

    def barrier(self) -> None:
        """Nobody is waited for."""

    def anyone(self, wish: bool) -> bool:
        """The wish."""
        return wish

    def mean(self, arrays: Sequence[NDArray[np.float32]], weight: float = 1.0) -> None:
        """Leave the arrays as they are."""


class Cluster:
    """The cluster of a job of several hosts: rank 0 has a connection to every other host, and they have one to it."""

    def __init__(self, rank: int, hosts: Sequence[str], key: bytes, stopping: Callable[[], bool]) -> None:
        self.rank, self.hosts = rank, tuple(hosts)
        self._handshake = Handshake(key, len(self.hosts))
        self._waits = Waits(stopping)
        self._star: dict[int, Connection] = {}
        self._ring: Ring | None = None
        self._step = 0

    def join(self, meeting: Meeting) -> None:
        """Return once rank 0 and all others are connected. Raises PlatformError when some are not in time."""
        deadline, names = Deadline(meeting.patience), dict(enumerate(self.hosts))
        if self.rank == 0:
            listener = rendezvous.listen(names.pop(0), meeting.port)
            Reception(listener, self._handshake, Purpose.STAR, self._admit).receive(names, deadline)
        else:
            self._admit(0, rendezvous.visit(names[0], meeting.port, self._handshake, Purpose.STAR, self.rank, deadline))
        self.barrier()

    def gather(self, part: bytes | memoryview) -> list[bytes]:
        """On rank 0 the parts of all hosts in order of rank, on the others an empty list."""
        step = self._next_step()
        if self.rank > 0:
            self._star[0].send(Kind.OFFER, step)
            self._star[0].receive(Kind.INVITATION, step)
            self._star[0].send(Kind.PART, step, part)
            return []
        parts = [bytes(part)]
        for rank in range(1, len(self.hosts)):
            self._star[rank].receive(Kind.OFFER, step)
            self._star[rank].send(Kind.INVITATION, step)
            parts.append(self._star[rank].receive(Kind.PART, step, machine.memory_limit()))
        return parts

    def broadcast(self, whole: bytes | memoryview = b"") -> bytes:
        """What rank 0 gives, on every host."""
        step = self._next_step()
        if self.rank > 0:
            self._star[0].send(Kind.READY, step)
            return self._star[0].receive(Kind.WHOLE, step, machine.memory_limit())
        for rank in range(1, len(self.hosts)):
            self._star[rank].receive(Kind.READY, step)
            self._star[rank].send(Kind.WHOLE, step, whole)
        return bytes(whole)

    def barrier(self) -> None:
        """Return once every host has come here."""
        self._exchange(b"")

    def anyone(self, wish: bool) -> bool:
        """Whether any host wishes it: the same answer on all."""
        return any(body != b"\0" for body in self._exchange(b"\1" if wish else b"\0"))

    def mean(self, arrays: Sequence[NDArray[np.float32]], weight: float = 1.0) -> None:
        """Replace the contents of arrays by their mean over the hosts, the same bits on every host."""
        sizes = struct.pack(f"!{len(arrays)}Q", *(array.size for array in arrays))
        told = self._exchange(_WEIGHT.pack(weight) + hashlib.sha256(sizes).digest())
        if len({body[_WEIGHT.size :] for body in told}) > 1:
            raise AlgorithmError("the hosts have arrays of different sizes to take the mean of")
        total = sum(_WEIGHT.unpack_from(body)[0] for body in told)
        if not total > 0:
            raise AlgorithmError(f"the weights of the hosts add up to {total}: at least one must be above 0")
        if self._ring is None:
            self._ring = self._joined_ring()
        for array in arrays:
            self._ring.add_up(array, weight / total)

    def part(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """Close all connections; the others are told of the error, if that is why."""
        if error is not None:
            us = f"host {self.hosts[self.rank]} failed: {failure.reason(error)}"
            for connection in self._star.values():
                connection.leave(error.story if isinstance(error, HostLost) else us)
        for connection in [*self._star.values(), *(self._ring.connections if self._ring else ())]:
            connection.close()

    def _admit(self, rank: int, connected: socket.socket) -> None:
        earlier, self._star[rank] = self._star.get(rank), self._connection(connected, rank)
        self._waits.company = list(self._star.values())
        if earlier is not None:
            earlier.close()

    def _next_step(self) -> int:
        self._step += 1
        return self._step

    def _exchange(self, body: bytes) -> list[bytes]:
        """What each host has to say here, in order of rank, on every host; all bodies are of one small size."""
        step, others = self._next_step(), range(1, len(self.hosts))
        if self.rank > 0:
            self._star[0].send(Kind.MEET, step, body)
            told = self._star[0].receive(Kind.MET, step, len(body) * len(self.hosts))
            return [told[begin : begin + len(body)] for begin in range(0, len(told), len(body) or 1)]
        bodies = [body, *(self._star[rank].receive(Kind.MEET, step, len(body)) for rank in others)]
        for rank in others:
            self._star[rank].send(Kind.MET, step, b"".join(bodies))
        return bodies

    def _joined_ring(self) -> Ring:
        """The ring of all hosts, on ports that the kernel picks: even ranks call first, or all would wait for all."""
        size, deadline = len(self.hosts), Deadline(RING_SECONDS)
        before, after = (self.rank - 1) % size, (self.rank + 1) % size
        here = next(iter(self._star.values())).socket.getsockname()[0]
        listener = rendezvous.listening(here, 0)
        told = self._exchange(_ADDRESS.pack(here.encode(), listener.getsockname()[1]))
        address, port = _ADDRESS.unpack(told[after])
        ends: dict[int, Connection] = {}

        def receive() -> None:
            Reception(
                listener,
                self._handshake,
                Purpose.RING,
                lambda _, come: ends.update({0: self._connection(come, before)}),
            ).receive({before: self.hosts[before]}, deadline)

        if self.rank % 2:
            receive()
        name = address.rstrip(b"\0").decode()
        called = rendezvous.visit(name, port, self._handshake, Purpose.RING, self.rank, deadline)
        if self.rank % 2 == 0:
            receive()
        return Ring(self.rank, size, ends[0], self._connection(called, after), self._waits)

    def _connection(self, connected: socket.socket, rank: int) -> Connection:
        return Connection.over_tcp(connected, self.hosts[rank], self._waits)


@contextmanager
def joined(
    job: TrainingJob, facts: Mapping[str, object], meeting: Meeting, stopping: Callable[[], bool]
) -> Iterator[Alone | Cluster]:
    """The hosts of the job, together from here to the end of the block, which none leaves before the others.

    `facts` are JSON values that are the same on all hosts and tell this job from any other. An error that leaves the
    block ends the other hosts too, with its reason.
    """
    if len(job.hosts) == 1:
        yield Alone(job.current_host)
        return
    known = {**facts, "job": job.name, "hosts": list(job.hosts), "version": __version__}
    cluster = Cluster(job.rank, job.hosts, handshake.key(known), stopping)
    with ExitStack() as leaving:
        leaving.push(cluster.part)
        log.info("host %s, number %d of %d: looking for the others", job.current_host, job.rank + 1, len(job.hosts))
        cluster.join(meeting)
        log.info("all %d hosts have come", len(job.hosts))
        yield cluster
        cluster.barrier()
