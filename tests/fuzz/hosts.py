"""What a network may say to the hosts of a training job: bytes for their handshake, and for their frames."""

from __future__ import annotations

import socket

import pytest

from sagedock.errors import SagedockError
from sagedock.training.connection import Connection, Kind, Waits
from sagedock.training.handshake import CHALLENGE_BYTES, HELLO_BYTES, PROOF_BYTES, Handshake, Purpose, challenge, key

OURS = Handshake(key({"job": "ours"}), 3)
CHALLENGE = challenge()
GOOD_HELLO = OURS.hello(CHALLENGE, Purpose.STAR, 1) or b""
HANDSHAKE_SEEDS = (CHALLENGE, GOOD_HELLO, OURS.welcome(GOOD_HELLO), CHALLENGE + GOOD_HELLO + OURS.welcome(GOOD_HELLO))


def handshake(data: bytes) -> None:
    """Nothing but what was made with the key is believed, as whatever it comes."""
    if data != GOOD_HELLO:
        assert OURS.rank_of(data, CHALLENGE, Purpose.STAR) is None
    for beginning in (HELLO_BYTES, CHALLENGE_BYTES):
        said = data[:beginning]
        assert said == GOOD_HELLO or OURS.rank_of(said, CHALLENGE, Purpose.STAR) is None
    assert data == OURS.welcome(GOOD_HELLO) or not OURS.welcomed(GOOD_HELLO, data)
    answer = OURS.hello(data[:CHALLENGE_BYTES], Purpose.RING, 2)
    assert answer is None or (len(answer) == HELLO_BYTES and data[:PROOF_BYTES] not in answer)


def _frames(*frames: tuple[Kind, int, bytes]) -> bytes:
    here, there = socket.socketpair()
    with here, there:
        sender = Connection(here, "algo-1", Waits(lambda: False))
        for kind, step, body in frames:
            sender.send(kind, step, body)
        sender.leave("host algo-1 failed: UserError: no records")
        return there.recv(1 << 16)


FRAME_SEEDS = (
    _frames((Kind.MEET, 1, b""), (Kind.PART, 2, b"part")),
    _frames((Kind.MEET, 1, b"\1"), (Kind.PART, 2, bytes(3000))),
    _frames((Kind.MEET, 1, b"")),
    _frames(),
)


def frames(data: bytes) -> None:
    """Two frames are read out of it and no more than they may hold; then it ends, with a reason or without."""
    here, there = socket.socketpair()
    with here, there:
        receiver = Connection(here, "algo-2", Waits(lambda: False))
        there.sendall(data)
        there.shutdown(socket.SHUT_WR)
        with pytest.raises(SagedockError) as raised:
            _read(receiver)
        assert len(str(raised.value)) < 5000, "a stranger's words are cut"


def _read(receiver: Connection) -> None:
    assert len(receiver.receive(Kind.MEET, 1, 8)) <= 8
    assert len(receiver.receive(Kind.PART, 2)) <= 4096
    receiver.receive(Kind.MEET, 3)
