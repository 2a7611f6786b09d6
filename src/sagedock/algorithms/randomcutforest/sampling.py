"""Reservoir sampling: a uniform sample, without replacement, of rows that come by once and are not kept.

Park et al. (2004) is the reference of SageMaker's documentation. Memory is that of the sample alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]
Rows = TypeVar("Rows", Floats, Integers)

_BLOCK = 1 << 20
_APART = 40  # no host has seen two to the power of so many rows


class Reservoir:
    """At most `capacity` of the rows given so far, each of them with the same probability.

    The first rows fill the places in order; row n then takes a place in `capacity` / n of all cases, drawn from the
    seed and from n alone. How the rows were cut into blocks makes no difference.
    """

    def __init__(self, capacity: int, columns: int, seed: int | Sequence[int]) -> None:
        self.capacity = capacity
        self.seen = 0
        self._random = np.random.default_rng(seed)
        self._columns = columns

    @property
    def rows(self) -> Floats:
        """(min(seen, capacity), columns) the sample; a view, which the next rows change."""
        return self._places[: min(self.seen, self.capacity)]

    @cached_property
    def _places(self) -> Floats:
        return np.empty((self.capacity, self._columns), np.float32)  # what is never written to takes no memory

    def add(self, rows: Floats) -> None:
        """Let `rows` (rows, columns) come by."""
        room = max(0, min(self.capacity - self.seen, len(rows)))
        self._places[self.seen : self.seen + room] = rows[:room]
        late = rows[room:]
        if len(late):
            places, taken = _taken(self._random, self.seen + room, self.seen + len(rows), self.capacity)
            self._places[places] = late[taken]
        self.seen += len(rows)

    def state(self) -> dict[str, Any]:
        """What goes on from here beside `rows`: JSON values."""
        return {"seen": self.seen, "random": self._random.bit_generator.state}

    def restore(self, rows: Floats, state: dict[str, Any]) -> None:
        """Go on from the rows and the state of another reservoir of this capacity, columns and seed."""
        self.seen = state["seen"]
        self._random.bit_generator.state = state["random"]
        self._places[: len(rows)] = rows


def _taken(random: np.random.Generator, first: int, last: int, capacity: int) -> tuple[Integers, Integers]:
    """The places that rows number `first` (counted from 0) up to `last` take, and which of these rows take them.

    Of rows that take the same place the last stays, as of two assignments.
    """
    places = (random.random(last - first) * np.arange(first + 1, last + 1)).astype(np.int64)
    taken = np.flatnonzero(places < capacity)
    return places[taken], taken


@dataclass(frozen=True)
class HostSample:
    """What a host has sampled: (sampled, columns) of the `seen` rows of its shard.

    `last` are the points that the next shingle of the series would begin with, where rows are shingles.
    """

    rows: Floats
    seen: int
    last: Floats = field(default_factory=lambda: np.empty((0, 0), np.float32))


@dataclass(frozen=True)
class Sample:
    """The sample of all hosts' rows, (sampled, columns), and how many rows each of them has seen."""

    rows: Floats
    shards: Sequence[int]

    @property
    def seen(self) -> int:
        return sum(self.shards)


def numbers(shards: Sequence[int], capacity: int, seed: int) -> Integers:
    """(sampled,) which rows the sample of `shards` holds: the number of each, one host's far behind another's.

    Draws anew what the reservoirs drew, which depends on the numbers of rows alone.
    """
    held = [_numbers(seen, capacity, [seed, rank]) + (rank << _APART) for rank, seen in enumerate(shards)]
    counts = shares(shards, capacity, seed)
    parts = [_drawn(mine, share, seed, rank) for rank, (mine, share) in enumerate(zip(held, counts, strict=True))]
    return _merged(parts, sum(shards), seed)


def _numbers(seen: int, capacity: int, seed: Sequence[int]) -> Integers:
    held, random = np.arange(min(seen, capacity)), np.random.default_rng(seed)
    for first in range(capacity, seen, _BLOCK):
        places, taken = _taken(random, first, min(first + _BLOCK, seen), capacity)
        held[places] = first + taken
    return held


def shares(seen: Sequence[int], capacity: int, seed: int) -> list[int]:
    """How many rows of each host belong to a uniform sample of at most `capacity` of all rows that the hosts have seen.

    Every host finds the same. Each row is thought of as having an exponential waiting time; the `capacity` shortest are
    the sample. Those of n rows, in order, differ by exponentials of means 1/n, 1/(n - 1) and so on (Renyi, 1953).
    """
    if sum(seen) <= capacity:
        return list(seen)
    random = np.random.default_rng([seed, 1])
    waits = []
    for rows in seen:
        shortest = min(rows, capacity)
        waits.append(np.cumsum(random.standard_exponential(shortest) / (rows - np.arange(shortest))))
    owner = np.repeat(np.arange(len(seen)), [len(times) for times in waits])
    chosen = np.argpartition(np.concatenate(waits), capacity - 1)[:capacity]
    return [int(count) for count in np.bincount(owner[chosen], minlength=len(seen))]


def drawn(sample: HostSample, share: int, seed: int, rank: int) -> Floats:
    """(share, columns) rows of the sample, any as likely as any other, in the order in which they stand."""
    return _drawn(sample.rows, share, seed, rank)


def _drawn(rows: Rows, share: int, seed: int, rank: int) -> Rows:
    if share == len(rows):
        return rows
    random = np.random.default_rng([seed, 2, rank])
    return rows[np.sort(random.permutation(len(rows))[:share])]


def merged(parts: Sequence[Floats], seen: int, seed: int) -> Floats:
    """The hosts' rows as one sample of `seen` rows: one after the other where that is all, else in random order."""
    return _merged(parts, seen, seed)


def _merged(parts: Sequence[Rows], seen: int, seed: int) -> Rows:
    rows = np.concatenate(parts)
    if seen <= len(rows) or len(parts) == 1:
        return rows
    return rows[np.random.default_rng([seed, 3]).permutation(len(rows))]


def for_trees(rows: Floats, trees: int, most: int) -> Floats:
    """(trees, samples of a tree, columns): the sample cut into equal runs, at most `most` rows each; what is left over
    is dropped, as the built-in algorithm does. Few rows make small trees, and none when there are fewer than trees.
    """
    per_tree = min(most, len(rows) // trees)
    return rows[: trees * per_tree].reshape(trees, per_tree, rows.shape[1])


def overlapping(rows: Floats, trees: int, most: int, seed: int) -> Floats:
    """(trees, samples of a tree, columns): for each tree `most` rows of the sample, or all where there are fewer, drawn
    without replacement and whatever the other trees were given.
    """
    random = np.random.default_rng([seed, 4])
    per_tree = min(most, len(rows))
    chosen = np.stack([random.choice(len(rows), per_tree, replace=False, shuffle=True) for _ in range(trees)])
    return rows[chosen]
