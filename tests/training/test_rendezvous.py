"""Whoever comes to the port of a job's hosts: its own are taken in, whatever else is there."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from sagedock.training.handshake import CHALLENGE_BYTES, PROOF_BYTES, Handshake, Purpose, key
from sagedock.training.rendezvous import VISITORS, Deadline, Reception, listen, listening, visit
from tests.ports import free_port

OURS = Handshake(key({"job": "ours"}), 4)
THEIRS = Handshake(key({"job": "theirs"}), 4)
NAMES = {1: "algo-2", 2: "algo-3", 3: "algo-4"}


class Desk:
    """A reception in a thread, at a port of its own."""

    def __init__(self) -> None:
        listener = listening("127.0.0.1", free_port())
        self.port = listener.getsockname()[1]
        self.admitted: list[tuple[int, socket.socket]] = []
        reception = Reception(listener, OURS, Purpose.STAR, lambda rank, come: self.admitted.append((rank, come)))
        self.thread = threading.Thread(target=reception.receive, args=(NAMES, Deadline(300)), daemon=True)
        self.thread.start()

    def call(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), 300)

    def visit(self, rank: int, handshake: Handshake = OURS, purpose: Purpose = Purpose.STAR) -> socket.socket:
        return visit("127.0.0.1", self.port, handshake, purpose, rank, Deadline(300))

    def everybody_comes(self) -> None:
        with ExitStack() as closing:
            for rank in NAMES:
                closing.enter_context(self.visit(rank))
            self.thread.join(300)
            assert not self.thread.is_alive()
        assert {rank for rank, _ in self.admitted} == set(NAMES)


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    for _, connection in desk.admitted:
        connection.close()


def answer(connection: socket.socket, handshake: Handshake, purpose: Purpose, rank: int) -> bytes:
    """What comes back to a hello made so; nothing when the door is shut."""
    hello = handshake.hello(connection.recv(CHALLENGE_BYTES, socket.MSG_WAITALL), purpose, rank)
    assert hello is not None
    connection.sendall(hello)
    return connection.recv(PROOF_BYTES, socket.MSG_WAITALL)


def test_the_hosts_are_taken_in_once_and_the_door_is_shut(desk: Desk) -> None:
    desk.everybody_comes()
    with pytest.raises(ConnectionRefusedError):
        desk.call()


@pytest.mark.parametrize(
    ("handshake", "purpose", "rank"),
    [
        (THEIRS, Purpose.STAR, 1),
        (OURS, Purpose.RING, 1),
        (OURS, Purpose.STAR, 0),
        (OURS, Purpose.STAR, 4),
        (Handshake(OURS.key, 5), Purpose.STAR, 1),
    ],
    ids=["another job", "another purpose", "a rank not expected", "no rank", "another size"],
)
def test_who_is_no_host_of_this_job_is_sent_away(desk: Desk, handshake: Handshake, purpose: Purpose, rank: int) -> None:
    with desk.call() as stranger:
        assert answer(stranger, handshake, purpose, rank) == b""
    desk.everybody_comes()


def test_garbage_and_silence_hold_nobody_up(desk: Desk) -> None:
    """More silent visitors than there is room for, half a hello, and a web browser."""
    with ExitStack() as closing:
        silent = [closing.enter_context(desk.call()) for _ in range(VISITORS + 8)]
        half = closing.enter_context(desk.call())
        half.sendall(b"sagedock")
        browser = closing.enter_context(desk.call())
        browser.recv(CHALLENGE_BYTES, socket.MSG_WAITALL)
        browser.sendall(b"GET / HTTP/1.1\r\nHost: algo-1\r\nUser-Agent: a browser with a long name\r\n\r\n" + bytes(99))
        desk.everybody_comes()
        assert silent[0].recv(CHALLENGE_BYTES + 1, socket.MSG_WAITALL)[CHALLENGE_BYTES:] == b""


def test_a_hello_heard_elsewhere_opens_no_door(desk: Desk) -> None:
    """Its proof is over a challenge that is never given again."""
    with desk.call() as first, desk.call() as second:
        hello = OURS.hello(first.recv(CHALLENGE_BYTES, socket.MSG_WAITALL), Purpose.STAR, 1)
        second.recv(CHALLENGE_BYTES, socket.MSG_WAITALL)
        assert hello is not None
        second.sendall(hello)
        assert second.recv(PROOF_BYTES) == b""
    desk.everybody_comes()


def test_a_host_that_comes_again_is_taken_at_its_last_coming(desk: Desk) -> None:
    with desk.visit(1):
        desk.everybody_comes()
    assert [rank for rank, _ in desk.admitted].count(1) == 2


def test_a_listener_that_proves_nothing_is_not_believed() -> None:
    """It gives challenges of our making, and any answer that it likes."""
    with socket.create_server(("127.0.0.1", 0)) as impostor:

        def serve() -> None:
            while True:
                visitor, _ = impostor.accept()
                with visitor:
                    visitor.sendall(b"sagedock" + bytes(32))
                    visitor.recv(1 << 12)
                    visitor.sendall(bytes(PROOF_BYTES))

        threading.Thread(target=serve, daemon=True).start()
        port = impostor.getsockname()[1]
        with pytest.raises(Exception, match="whoever answers there is no host of this job"):
            visit("127.0.0.1", port, OURS, Purpose.STAR, 1, Deadline(5))


def test_the_port_is_open_where_the_hosts_name_leads() -> None:
    """No more is bound than needed: one address, unless its name says nothing that others could use."""
    bound = []
    for name in ("127.0.0.9", "localhost", "no.such.host.invalid"):
        with listen(name, 0) as listener:
            bound.append(listener.getsockname()[0])
    assert bound == ["127.0.0.9", "0.0.0.0", "0.0.0.0"]  # noqa: S104
