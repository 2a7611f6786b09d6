"""Vectors of words by the documents that they share: the nearer two are, the more often their words meet."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sagedock.topics.documents import Documents, Floats

RANK = 100
"""Dimensions of a vector at most."""
MOST_WORDS = 4000
"""So many of the words that stand in most documents have vectors; those of others are zeros."""
MEETING = 0.4
"""How much nearer are words that meet as often as by chance than words that never do."""
MOST_PAIRS = 10**9
"""Pairs of words in one document that are counted, about; beyond it every so many documents is."""
_ITERATIONS = 6
_MORE = 10


def vectors(documents: Documents, rank: int = RANK) -> Floats:
    """(words, up to `rank`): dot products of which are about MEETING + NPMI of two words in these documents, 0 where
    that is below 0 or they never meet.

    The truncated eigendecomposition of that matrix (Levy and Goldberg, Neural word embedding as implicit matrix
    factorization, 2014), by subspace iteration from a fixed beginning (Halko, Martinsson and Tropp, 2011).
    """
    frequent = _frequent(documents)
    found = np.zeros((documents.vocabulary_size, min(rank, max(len(frequent), 1))), np.float32)
    if len(frequent):
        decomposed = _decomposed(_nearness(documents, frequent), found.shape[1])
        found[frequent, : decomposed.shape[1]] = decomposed
    return found


def _frequent(documents: Documents) -> NDArray[np.int64]:
    held = np.bincount(documents.words, minlength=documents.vocabulary_size)
    chosen = np.argsort(-held, kind="stable")[:MOST_WORDS]
    return np.sort(chosen[held[chosen] > 0])


def _nearness(documents: Documents, words: NDArray[np.int64]) -> Floats:
    """(words, words): MEETING + NPMI of two of these words, at least 0; 0 on the diagonal."""
    from scipy.sparse import csr_matrix

    pairs = np.square(np.diff(documents.starts).astype(np.float64)).sum()
    shape = (documents.rows, documents.vocabulary_size)
    held = csr_matrix((np.ones(len(documents.words), np.float32), documents.words, documents.starts), shape=shape)
    some = held[:: max(1, -(-int(pairs) // MOST_PAIRS)), words]
    together: Floats = (some.T @ some).toarray()
    alone = np.maximum(together.diagonal(), 1.0)
    shares = together / some.shape[0]
    usual = (shares > 0) & (shares < 1)
    scores = np.zeros_like(together)
    lift = together[usual] * some.shape[0] / np.outer(alone, alone)[usual]
    scores[usual] = np.maximum(MEETING + np.log(lift) / -np.log(shares[usual]), 0)
    np.fill_diagonal(scores, 0)
    return np.asarray(scores, np.float32)


def _decomposed(matrix: Floats, rank: int) -> Floats:
    """(rows, rank or fewer): eigenvectors of the greatest eigenvalues, times the roots of these."""
    chance = np.random.default_rng(0)
    basis = chance.standard_normal((len(matrix), min(rank + _MORE, len(matrix))), np.float32)
    for _ in range(_ITERATIONS):
        basis, _upper = np.linalg.qr(matrix @ basis)
    values, turned = np.linalg.eigh(basis.T @ matrix @ basis)
    best = np.argsort(-values)[:rank]
    best = best[values[best] > 0]
    found: Floats = ((basis @ turned[:, best]) * np.sqrt(values[best])).astype(np.float32)
    return found
