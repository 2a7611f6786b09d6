"""Nearest neighbours and analogies of word vectors, by cosine, as gensim's most_similar has them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sagedock.errors import ModelError, UserError

Floats = NDArray[np.float32]
_AT_ONCE = 1 << 14


@dataclass(frozen=True)
class Neighbour:
    """A word of the vocabulary by its number, and the cosine between it and what was asked for."""

    word: int
    similarity: float


@dataclass(frozen=True)
class Neighbourhood:
    """Vectors of a vocabulary that can be searched; `rows` makes those of the words from one up to another."""

    count: int
    rows: Callable[[int, int], Floats]

    @cached_property
    def _lengths(self) -> Floats:
        """(count,): 1 for a vector of zeros, which is near to nothing."""
        found = [np.linalg.norm(block, axis=1) for block in self._blocks()]
        lengths = np.concatenate([*found, np.empty(0, np.float32)]).astype(np.float32)
        return np.where(lengths > 0, lengths, np.float32(1))

    def nearest(self, direction: Floats, k: int, without: Sequence[int] = ()) -> list[Neighbour]:
        """The `k` words whose vectors point most nearly like `direction` (dim,), the best first, but for some.

        Raises ModelError when a vector holds what is no finite number.
        """
        similar = self._similarities(unit_of(direction))
        similar[list(without)] = -np.inf
        wanted = min(k, self.count - len(set(without)))
        order = np.argpartition(-similar, wanted - 1)[:wanted] if 0 < wanted < self.count else np.arange(self.count)
        order = order[np.lexsort((order, -similar[order]))][: max(wanted, 0)]
        return [Neighbour(int(number), float(similar[number])) for number in order]

    def _similarities(self, unit: Floats) -> Floats:
        """(count,): the cosine between each vector and one of length 1."""
        with np.errstate(invalid="ignore", over="ignore"):
            products = np.concatenate([*(block @ unit for block in self._blocks()), np.empty(0, np.float32)])
            similar = np.asarray(products / self._lengths, np.float32)
        if not np.isfinite(similar).all():
            raise ModelError("the model holds numbers that are not finite: train it again with a lower learning_rate")
        return similar

    def _blocks(self) -> Iterator[Floats]:
        for begin in range(0, self.count, _AT_ONCE):
            yield self.rows(begin, min(begin + _AT_ONCE, self.count))


def unit_of(vector: Floats) -> Floats:
    """The vector of length 1 in the same direction; zeros stay zeros."""
    length = np.linalg.norm(vector)
    return vector / length if length > 0 else vector


def analogy(first: Floats, second: Floats, third: Floats) -> Floats:
    """Where the word lies that is to `third` as `second` is to `first`."""
    return unit_of(second) - unit_of(first) + unit_of(third)


def known(vector: Floats, word: str) -> Floats:
    """The vector; raises UserError for zeros, which a word has that the model does not know."""
    if not vector.any():
        raise UserError(
            f"the word {word!r} is not in the vocabulary and has no known subwords, so nothing is near it: ask for a "
            "word that was in the training data, in the same case",
            field="neighbours",
        )
    return vector
