"""Reservoir sampling: a uniform sample, without replacement, of rows that come by once and are not kept.

Park et al. (2004) is the reference of SageMaker's documentation. Memory is that of the sample alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


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
            numbers = np.arange(self.seen + room + 1, self.seen + len(rows) + 1)
            places = (self._random.random(len(late)) * numbers).astype(np.int64)
            taken = np.flatnonzero(places < self.capacity)
            self._places[places[taken]] = late[taken]  # of rows that take the same place the last stays
        self.seen += len(rows)

    def state(self) -> dict[str, Any]:
        """What goes on from here beside `rows`: JSON values."""
        return {"seen": self.seen, "random": self._random.bit_generator.state}

    def restore(self, rows: Floats, state: dict[str, Any]) -> None:
        """Go on from the rows and the state of another reservoir of this capacity, columns and seed."""
        self.seen = state["seen"]
        self._random.bit_generator.state = state["random"]
        self._places[: len(rows)] = rows


@dataclass(frozen=True)
class HostSample:
    """What a host has sampled: (sampled, columns) of the `seen` rows of its shard."""

    rows: Floats
    seen: int


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
    if share == len(sample.rows):
        return sample.rows
    random = np.random.default_rng([seed, 2, rank])
    return sample.rows[np.sort(random.permutation(len(sample.rows))[:share])]


def merged(parts: Sequence[Floats], seen: int, seed: int) -> Floats:
    """The hosts' rows as one sample of `seen` rows: one after the other where that is all, else in random order."""
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
