"""The first three moments of documents, whitened: what the spectral method finds topics from, without a V x V array.

Sources: SageMaker's developer guide, "How LDA Works"; Anandkumar et al., Tensor Decompositions for Learning Latent
Variable Models, 2014 (section 3.2, and the unbiased estimates of its appendix for words counted in documents).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sagedock.errors import UserError
from sagedock.topics.documents import Documents

LEAST_LENGTH = 3
"""Words of a document at least: a shorter one has no triple of words."""
POWER_ITERATIONS = 3
_OVERSAMPLED = 10
_NUMBERS_AT_ONCE = 1 << 24
LEAST_CERTAINTY = 4.0
"""Standard errors by which a direction's eigenvalue is above nothing: others are chance, or a few odd documents."""

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Whitened:
    """`third` (k, k, k) is the third moment seen along `whitening` (V, k); `back` (V, k) leads back from there."""

    third: Doubles
    whitening: Doubles
    back: Doubles


class Moments:
    """Those of documents of at least three words, for topics whose prior is `alpha0` together."""

    def __init__(self, documents: Documents, alpha0: float) -> None:
        """Raises UserError when no document is long enough."""
        from scipy.sparse import csr_array  # for training alone

        long_enough = np.flatnonzero(documents.lengths >= LEAST_LENGTH)
        if not len(long_enough):
            raise UserError(
                f"no document of the train channel has {LEAST_LENGTH} words, which the spectral method needs: give "
                "longer documents, or set _engine to gibbs"
            )
        used = documents.take(long_enough)
        shape = (used.rows, used.vocabulary_size)
        self.counts = csr_array((used.counts.astype(np.float64), used.words, used.starts), shape=shape)
        self.alpha0 = alpha0
        self.lengths = used.lengths.astype(np.float64)
        self.first: Doubles = self.counts.T @ (1 / self.lengths) / used.rows
        self._pairs = 1 / (self.lengths * (self.lengths - 1) * used.rows)
        self._triples = self._pairs / (self.lengths - 2)
        self._same: Doubles = self.counts.T @ self._pairs  # pairs of a word with itself

    def pairs(self, along: Doubles) -> Doubles:
        """The second moment E[x1 x2'] times `along` (V, n)."""
        seen = self.counts @ along
        times: Doubles = self.counts.T @ (seen * self._pairs[:, None]) - self._same[:, None] * along
        return times

    def second(self, along: Doubles) -> Doubles:
        """The second moment without what all documents have in common, times `along` (V, n)."""
        share = self.alpha0 / (self.alpha0 + 1)
        moved: Doubles = self.pairs(along) - share * np.outer(self.first, self.first @ along)
        return moved

    def whitened(self, topics: int, random: np.random.RandomState) -> Whitened:
        """Along the `topics` strongest directions of the second moment, without those that may be chance."""
        values, vectors = self._strongest(topics, random)
        roots = np.sqrt(values)
        whitening = vectors / roots
        return Whitened(self._third(whitening), whitening, vectors * roots)

    def _strongest(self, topics: int, random: np.random.RandomState) -> tuple[Doubles, Doubles]:
        """Eigenvalues and vectors by a randomised range finder (Halko, Martinsson and Tropp, 2011)."""
        width = min(topics + _OVERSAMPLED, len(self.first))
        basis = np.linalg.qr(self.second(random.standard_normal((len(self.first), width))))[0]
        for _ in range(POWER_ITERATIONS):
            basis = np.linalg.qr(self.second(basis))[0]
        values, vectors = np.linalg.eigh(basis.T @ self.second(basis))
        order = np.argsort(-values)[:topics]
        values, vectors = values[order], basis @ vectors[:, order]
        certain = (values > 0) & (values >= LEAST_CERTAINTY * self._standard_errors(vectors))
        certain[0] |= values[0] > 0
        return values[certain], vectors[:, certain]

    def _standard_errors(self, vectors: Doubles) -> Doubles:
        """(n,) of the second moment along each of `vectors` (V, n), from how much documents differ in it."""
        seen = self.counts @ vectors
        pairs = (seen**2 - self.counts @ vectors**2) / (self.lengths * (self.lengths - 1))[:, None]
        share = self.alpha0 / (self.alpha0 + 1)
        of_each = pairs - 2 * share * (self.first @ vectors) * (seen / self.lengths[:, None])
        errors: Doubles = of_each.std(axis=0) / np.sqrt(len(of_each))
        return errors

    def _third(self, whitening: Doubles) -> Doubles:
        """The third moment seen along `whitening`: k^3 numbers, made from the documents."""
        k = whitening.shape[1]
        seen: Doubles = self.counts @ whitening
        tensor = _triple(seen * self._triples[:, None], seen)
        words: Doubles = self.counts.T @ (seen * self._triples[:, None])
        tensor -= _symmetric(_triple(words, whitening))  # pairs of a word with itself, and another word
        tensor += 2 * _triple(whitening * (self.counts.T @ self._triples)[:, None], whitening)
        mean = self.first @ whitening
        pairs = whitening.T @ self.pairs(whitening)
        alpha0 = self.alpha0
        tensor -= alpha0 / (alpha0 + 2) * _symmetric(mean[:, None, None] * pairs)
        cube = mean[:, None, None] * mean[:, None] * mean
        moment: Doubles = tensor + 2 * alpha0**2 / ((alpha0 + 1) * (alpha0 + 2)) * cube
        return moment.reshape(k, k, k)


def _triple(first: Doubles, twice: Doubles) -> Doubles:
    """(k, k, k): the sum over rows of first x twice x twice."""
    k = twice.shape[1]
    sums = np.zeros((k, k * k))
    rows = max(1, _NUMBERS_AT_ONCE // (k * k))
    for begin in range(0, len(twice), rows):
        part = twice[begin : begin + rows]
        sums += first[begin : begin + rows].T @ (part[:, :, None] * part[:, None]).reshape(len(part), -1)
    return sums.reshape(k, k, k)


def _symmetric(tensor: Doubles) -> Doubles:
    """a x b x b, b x a x b and b x b x a together, of the first of them."""
    moved: Doubles = tensor + tensor.transpose(1, 0, 2) + tensor.transpose(1, 2, 0)
    return moved
