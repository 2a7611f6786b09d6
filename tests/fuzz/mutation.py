"""Seeded mutation of bytes: the same seed gives the same inputs on every machine."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

NUMBERS = (b"0", b"-1", b"1e39", b"nan", b"inf", b"2147483648", b"18446744073709551616", b"1e-400", b"9" * 400, b"")
WORDS = tuple(
    value.to_bytes(width, order, signed=value < 0)
    for value in (0, 1, -1, 127, 32767, 2147483647, -2147483648)
    for width in (4, 8)
    for order in ("little", "big")
)
LONGEST = 1 << 16


class Mutator:
    """Endless inputs out of `seeds`, each a few changes away from one of them or from two spliced.

    `tokens` are what the format is made of.
    """

    def __init__(self, seeds: Sequence[bytes], tokens: Sequence[bytes], seed: int) -> None:
        self.seeds = list(seeds)
        self.tokens = [*tokens, *NUMBERS, *WORDS]
        self.random = random.Random(seed)
        self.changes = (
            self._flip,
            self._replace,
            self._insert,
            self._delete,
            self._repeat,
            self._move,
            self._cut,
            self._splice,
            self._number,
        )

    def inputs(self, count: int) -> Iterator[bytes]:
        for _ in range(count):
            data = bytearray(self.random.choice(self.seeds))
            for _ in range(self.random.choice((1, 1, 1, 2, 2, 3, 5, 8))):
                data = self.random.choice(self.changes)(data)[:LONGEST]
            yield bytes(data)

    def _place(self, data: bytearray) -> int:
        return self.random.randrange(len(data) + 1)

    def _slice(self, data: bytearray) -> slice:
        start = self._place(data)
        return slice(start, start + self.random.choice((1, 2, 3, 4, 8, 16, 64, 1000)))

    def _token(self) -> bytes:
        return self.random.choice(self.tokens)

    def _flip(self, data: bytearray) -> bytearray:
        if data:
            data[self.random.randrange(len(data))] ^= 1 << self.random.randrange(8)
        return data

    def _replace(self, data: bytearray) -> bytearray:
        place, token = self._place(data), self._token()
        data[place : place + len(token)] = token
        return data

    def _insert(self, data: bytearray) -> bytearray:
        place = self._place(data)
        data[place:place] = self._token()
        return data

    def _delete(self, data: bytearray) -> bytearray:
        del data[self._slice(data)]
        return data

    def _repeat(self, data: bytearray) -> bytearray:
        piece = data[self._slice(data)]
        place = self._place(data)
        data[place:place] = piece * self.random.choice((1, 2, 10, 200))
        return data

    def _move(self, data: bytearray) -> bytearray:
        cut = self._slice(data)
        piece = data[cut]
        del data[cut]
        place = self._place(data)
        data[place:place] = piece
        return data

    def _cut(self, data: bytearray) -> bytearray:
        return data[: self._place(data)]

    def _splice(self, data: bytearray) -> bytearray:
        other = self.random.choice(self.seeds)
        return data[: self._place(data)] + other[self.random.randrange(len(other) + 1) :]

    def _number(self, data: bytearray) -> bytearray:
        """Another value in the place of one byte, where lengths, types and counts stand."""
        if data:
            data[self.random.randrange(len(data))] = self.random.choice((0, 1, 0x7F, 0x80, 0xFF, 0x0A, 0x20, 0x2C))
        return data
