"""The handshake of two hosts of one training job: each proves that it knows the job, and nothing it says gives it away.

    who listens:  MAGIC, a nonce
    who comes:    MAGIC, purpose, rank, number of hosts, a nonce of its own, a proof over all of it and the first nonce
    who listens:  a proof over the second nonce

A proof is an HMAC (RFC 2104) with SHA-256 under a key that every host makes from what all are told of the job. It keeps
out strangers, garbage and the hosts of another job; it hides nothing from somebody who has the job's description.
"""

from __future__ import annotations

import enum
import hashlib
import hmac
import json
import secrets
import struct
from collections.abc import Mapping
from dataclasses import dataclass

MAGIC = b"sagedock"
NONCE_BYTES = PROOF_BYTES = 32
CHALLENGE_BYTES = len(MAGIC) + NONCE_BYTES
_CLAIM = struct.Struct(f"!{len(MAGIC)}sBII{NONCE_BYTES}s")
HELLO_BYTES = _CLAIM.size + PROOF_BYTES


class Purpose(enum.IntEnum):
    """What a connection is for."""

    STAR = 1  # between rank 0 and another host
    RING = 2  # from each host to the next


def key(facts: Mapping[str, object]) -> bytes:
    """The key of a job, from JSON values that are the same on all its hosts."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).digest()


def challenge() -> bytes:
    """What a listener says first."""
    return MAGIC + secrets.token_bytes(NONCE_BYTES)


@dataclass(frozen=True)
class Handshake:
    """Both sides of the handshake between the `size` hosts of the job that has `key`."""

    key: bytes
    size: int

    def hello(self, challenge: bytes, purpose: Purpose, rank: int) -> bytes | None:
        """The answer to a challenge; None when it is none of ours."""
        if len(challenge) != CHALLENGE_BYTES or not challenge.startswith(MAGIC):
            return None
        claim = _CLAIM.pack(MAGIC, purpose, rank, self.size, secrets.token_bytes(NONCE_BYTES))
        return claim + self._proof(b"hello", challenge, claim)

    def rank_of(self, hello: bytes, challenge: bytes, purpose: Purpose) -> int | None:
        """The rank of the host that answered the challenge so; None for whoever is no host of this job."""
        if len(hello) != HELLO_BYTES:
            return None
        claim, proof = hello[: _CLAIM.size], hello[_CLAIM.size :]
        if not hmac.compare_digest(proof, self._proof(b"hello", challenge, claim)):
            return None
        magic, claimed, rank, size, _ = _CLAIM.unpack(claim)
        fits = magic == MAGIC and claimed == purpose and size == self.size and rank < size
        return int(rank) if fits else None

    def welcome(self, hello: bytes) -> bytes:
        """The listener's own proof, in answer to a hello that it believed."""
        return self._proof(b"welcome", hello)

    def welcomed(self, hello: bytes, welcome: bytes) -> bool:
        """Whether the listener has proved itself."""
        return hmac.compare_digest(welcome, self.welcome(hello))

    def _proof(self, *parts: bytes) -> bytes:
        return hmac.digest(self.key, b"".join(parts), "sha256")
