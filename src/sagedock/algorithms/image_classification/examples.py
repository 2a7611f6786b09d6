"""Pictures with their labels, as training takes them from a channel: encoded as they came, one at a time in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Label = int | NDArray[np.float32]
"""The number of a class; of several labels one 0 or 1 for each class, (classes,)."""


@dataclass(frozen=True)
class Example:
    """One picture: `encoded` is its file's content, `place` what messages call it."""

    place: str
    encoded: bytes
    label: Label


class Source(Protocol):
    """The examples of a channel."""

    @property
    def classes(self) -> int:
        """num_classes; every label has been, or will be, checked against it."""

    @property
    def names(self) -> tuple[str, ...] | None:
        """The names of the classes in order of their numbers, where the data tell them."""

    @property
    def rows(self) -> int | None:
        """How many examples there are; None for a pipe of which no pass has ended."""

    def epoch(
        self, number: int, shuffle: np.random.Generator | None, host: int = 0, hosts: int = 1
    ) -> Iterator[Example]:
        """One pass, in the data's order or, with `shuffle`, in another, which is drawn when this is called.

        Every `hosts`-th example from place `host` on is passed: with equal generators on all hosts, each example goes
        to one of them. `number` is the epoch, from 0. Raises UserError for what is wrong with the data.
        """

    def counts(self) -> NDArray[np.int64]:
        """Examples of each class, (classes,), over all hosts' shares."""


class Shelf(Protocol):
    """Examples that can be taken in any order, as often as wanted."""

    def __len__(self) -> int:
        """How many there are."""

    def example(self, number: int) -> Example:
        """The one of this number, from 0."""


@dataclass(frozen=True)
class FileSource:
    """A source of examples in files, each of which was looked at once and found right; `found` are their counts."""

    classes: int
    names: tuple[str, ...] | None
    shelf: Shelf
    found: NDArray[np.int64]

    @property
    def rows(self) -> int:
        return len(self.shelf)

    def epoch(
        self, number: int, shuffle: np.random.Generator | None, host: int = 0, hosts: int = 1
    ) -> Iterator[Example]:
        """The permutation is drawn from `shuffle` now; `number` makes no difference."""
        order = np.arange(self.rows) if shuffle is None else shuffle.permutation(self.rows)
        return map(self.shelf.example, order[host::hosts].tolist())

    def counts(self) -> NDArray[np.int64]:
        return self.found.copy()
