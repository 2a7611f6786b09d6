"""From what the output matrix says of a text to the probabilities of labels, for each loss that fastText has.

Every sum has its order, so that the compiled core (src/core/classifier.cpp) comes to the same bits. Probabilities are
fastText's, which adds 1e-5 before it takes a logarithm: they may lie a little above 1. Source: src/loss.cc of fastText.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SOFTMAX, HIERARCHICAL, NEGATIVE, ONE_VS_ALL = "softmax", "hs", "ns", "ova"
LOSSES = (SOFTMAX, HIERARCHICAL, NEGATIVE, ONE_VS_ALL)

LANES = 16
_SMALL = 1e-5
_MOST_COUNT = 10**15  # what an inner node counts before it is made
_TABLE_SIZE, _TABLE_END = 512, 8.0
_LOG2_E, _LN2_HIGH, _LN2_LOW = 1.4426950408889634, 0.693147180369123816490, 1.90821492927058770002e-10
_SERIES = [1.0 / math.factorial(order) for order in range(14)]

Floats = NDArray[np.float32]


def dots(matrix: Floats, hidden: Floats) -> Floats:
    """The product of each row with `hidden`: sixteen sums side by side, then halves added to halves."""
    columns = -(-matrix.shape[1] // LANES) * LANES
    padded = np.zeros((len(matrix), columns), np.float32)
    padded[:, : matrix.shape[1]] = matrix * hidden
    sums = padded[:, :LANES].copy()
    for begin in range(LANES, columns, LANES):
        sums += padded[:, begin : begin + LANES]
    width = LANES
    while width > 1:
        width //= 2
        sums = sums[:, :width] + sums[:, width:]
    return sums[:, 0]


def exponential(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """e to the power of `values`, which are not positive, to the last digits of a double but a few."""
    bounded = np.maximum(values, -700.0)
    powers = np.rint(bounded * _LOG2_E)
    rest = (bounded - powers * _LN2_HIGH) - powers * _LN2_LOW
    total = np.full_like(rest, _SERIES[-1])
    for term in _SERIES[-2::-1]:
        total = total * rest + term
    found: NDArray[np.float64] = np.ldexp(total, powers.astype(np.int64))
    return found


def softmax(scores: Floats) -> Floats:
    """The shares of e to the power of each score."""
    shares = exponential((scores - scores.max()).astype(np.float64))
    found: Floats = (shares / np.add.accumulate(shares)[-1]).astype(np.float32)
    return found


def sigmoid(scores: Floats) -> NDArray[np.float64]:
    """1 / (1 + exp(-score))."""
    wide = scores.astype(np.float64)
    small = exponential(-np.abs(wide))
    return np.where(wide < 0, small / (1.0 + small), 1.0 / (1.0 + small))


def sigmoid_table() -> Floats:
    """fastText's sigmoid of -8 to 8 in steps of 1/32, by which it answers for one-vs-all and negative sampling."""
    places = (np.arange(_TABLE_SIZE + 1) * np.float32(2 * _TABLE_END) / np.float32(_TABLE_SIZE)) - np.float32(
        _TABLE_END
    )
    return sigmoid(places.astype(np.float32)).astype(np.float32)


def tabled_sigmoid(scores: Floats, table: Floats) -> Floats:
    """The sigmoid of the next lower entry in the table; 0 and 1 beyond its ends."""
    bounded = np.clip(scores, -_TABLE_END, _TABLE_END)
    places = ((bounded + np.float32(_TABLE_END)) * np.float32(_TABLE_SIZE / _TABLE_END / 2)).astype(np.int64)
    return np.where(scores < -_TABLE_END, 0, np.where(scores > _TABLE_END, 1, table[places])).astype(np.float32)


def answered(probabilities: NDArray[np.floating]) -> Floats:
    """Probabilities as fastText tells them: exp(log(p + 1e-5))."""
    return (probabilities.astype(np.float64) + _SMALL).astype(np.float32)


@dataclass(frozen=True)
class Tree:
    """The Huffman tree of hierarchical softmax, by the counts of the labels; leaf i is label i, the root comes last."""

    left: NDArray[np.int32]
    """(inner nodes,): inner node i is node labels + i, and asks row i of the output matrix."""
    right: NDArray[np.int32]

    @classmethod
    def of(cls, counts: Sequence[int]) -> Tree:
        """Raises ValueError for counts that no label can have."""
        if not all(0 <= count < _MOST_COUNT for count in counts):
            raise ValueError("the count of a label is negative or absurd")
        labels = len(counts)
        weights = [*counts, *[_MOST_COUNT] * (labels - 1)]
        children = np.zeros((labels - 1, 2), np.int32)
        leaf, node = labels - 1, labels
        for made in range(labels, 2 * labels - 1):
            for side in range(2):
                if leaf >= 0 and (node >= made or weights[leaf] < weights[node]):
                    children[made - labels, side], leaf = leaf, leaf - 1
                else:
                    children[made - labels, side], node = node, node + 1
            weights[made] = sum(weights[child] for child in children[made - labels])
        return cls(*np.ascontiguousarray(children.T))

    def probabilities(self, scores: Floats) -> NDArray[np.float64]:
        """The probability of each label, from the score of each inner node; 1e-5 is added at every branch."""
        labels = len(self.left) + 1
        right = sigmoid(scores[: labels - 1]).astype(np.float32).astype(np.float64)
        found = np.ones(2 * labels - 1)
        for inner in range(labels - 2, -1, -1):
            found[self.left[inner]] = found[labels + inner] * ((1.0 - right[inner]) + _SMALL)
            found[self.right[inner]] = found[labels + inner] * (right[inner] + _SMALL)
        return found[:labels]
