"""The mixture of topics that makes a document's words most likely, found by expectation maximisation.

Topics whose share comes out below LEAST_SHARE have none at all, and the others are 1 together: mixtures hold exact
zeros, as those of the built-in do. The likelihood has no other maximum than the highest, and the start is the same for
every document, so that there is no chance in the answers. Sums are made in an order of their own, which compiled code
keeps: the numbers are the same to the bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sagedock import core
from sagedock.topics.documents import Documents

LEAST_SHARE = 0.001
"""A smaller share is none."""
MOST_ROUNDS = 200
TOLERANCE = 0.0001
"""A round that changes no share by more is the last."""
_GROUP = 8

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Topics:
    """Topics ready to be asked: `words` (vocabulary, padded topics) are the probabilities of words, word by word, and
    `prior` (topics) is the mixture of a document that tells nothing.
    """

    words: Floats
    prior: Floats

    @classmethod
    def of(cls, alpha: Floats, beta: Floats) -> Topics:
        """Of a prior (topics,) and the probabilities (topics, vocabulary) of words."""
        topics, vocabulary = beta.shape
        words = np.zeros((vocabulary, -(-topics // _GROUP) * _GROUP), np.float32)
        words[:, :topics] = beta.T
        return cls(words, (alpha / alpha.sum(dtype=np.float64)).astype(np.float32))

    def mixtures(self, documents: Documents) -> Floats:
        """(documents, topics) shares, 0 or more and 1 together; a document's do not depend on the others."""
        if core.native is not None:
            return core.native.topic_mixtures(
                self.words,
                self.prior,
                documents.starts,
                documents.words,
                documents.counts,
                rounds=MOST_ROUNDS,
                tolerance=TOLERANCE,
                least=LEAST_SHARE,
            )
        found = np.empty((documents.rows, len(self.prior)), np.float32)
        for row, (begin, end) in enumerate(zip(documents.starts[:-1], documents.starts[1:], strict=True)):
            found[row] = self._mixture(self.words[documents.words[begin:end]], documents.counts[begin:end])
        return found

    def log_likelihood(self, documents: Documents) -> float:
        """Natural logarithm of the probability of all words, given each document's mixture."""
        total = 0.0
        mixtures = self.mixtures(documents)
        for begin in range(0, documents.rows, 1024):
            part = documents.part(begin, begin + 1024)
            rows = np.repeat(np.arange(part.rows) + begin, np.diff(part.starts))
            likely = np.einsum("ij,ij->i", mixtures[rows], self.words[part.words, : len(self.prior)], dtype=np.float64)
            total += float(part.counts @ np.log(np.maximum(likely, np.finfo(np.float64).tiny)))
        return total

    def _mixture(self, rows: Floats, counts: Floats) -> Floats:
        topics = len(self.prior)
        shares = np.zeros(rows.shape[1], np.float32)
        shares[:topics] = np.float32(1) / np.float32(topics)
        for _ in range(MOST_ROUNDS):
            likely = _sums((rows * shares).reshape(len(rows), rows.shape[1] // _GROUP, _GROUP))
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                ratios = np.where(likely > 0, counts / likely, np.float32(0)).astype(np.float32)
                weights = np.multiply(shares, _in_order(ratios[:, None] * rows), dtype=np.float32)
                total = _sums(weights.reshape(1, -1, _GROUP))[0]
            if not 0 < total <= np.finfo(np.float32).max:
                return self.prior
            before, shares = shares, np.divide(weights, total, dtype=np.float32)
            if np.abs(shares - before)[:topics].max() <= np.float32(TOLERANCE):
                break
        kept = shares[:topics] * (shares[:topics] >= np.float32(LEAST_SHARE))
        return np.divide(kept, _in_order(kept), dtype=np.float32)


def _sums(groups: Floats) -> Floats:
    """(rows,) of (rows, groups, 8): one group after the other, then its halves, then pairs."""
    eight = _in_order(groups.transpose(1, 0, 2))
    four = eight[:, :4] + eight[:, 4:]
    sums: Floats = (four[:, 0] + four[:, 1]) + (four[:, 2] + four[:, 3])
    return sums


def _in_order(numbers: Floats) -> Floats:
    """The sum along the first axis, one number after the other; 0 of none."""
    if not len(numbers):
        return np.zeros(numbers.shape[1:], np.float32)
    sums: Floats = np.cumsum(numbers, axis=0, dtype=np.float32)[-1]
    return sums
