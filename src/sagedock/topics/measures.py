"""How good topics are, told by their top words: uniqueness, closeness of word vectors, co-occurrence in documents."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sagedock.topics.documents import Documents, Floats, Ints

Scores = NDArray[np.float64]
PRINTED = 20
"""Top words that the built-in prints, and whose scores it tells."""
SCORED = 10
"""Top words by which coherence is usually told."""


def top_words(weights: NDArray[Any], n: int) -> Ints:
    """(topics, n): the words of the highest `weights` (topics, words), best first, of equals the lower word first."""
    n = min(n, weights.shape[1])
    found = np.empty((len(weights), n), np.int32)
    for topic, row in enumerate(weights):
        least = np.partition(row, -n)[-n]
        candidates = np.flatnonzero(row >= least)
        found[topic] = candidates[np.argsort(-row[candidates], kind="stable")[:n]]
    return found


def uniqueness(top: Ints) -> Scores:
    """TU of each topic: the mean over its top words of 1 / (topics that have the word among theirs); in [1/topics, 1].

    Ding, Nallapati and Xiang, Coherence-aware neural topic modeling, 2018.
    """
    _, places, holders = np.unique(top, return_inverse=True, return_counts=True)
    shares: Scores = (1.0 / holders[places]).reshape(top.shape)
    return np.asarray(shares.mean(axis=1))


def embedding_coherence(top: Ints, vectors: Floats) -> Scores:
    """WETC of each topic: the mean cosine of the vectors (words, dimensions) over all pairs of its top words.

    The cosine of a vector of zeros with any other is 0. Ding et al., 2018.
    """
    found = np.zeros(len(top))
    pairs = top.shape[1] * (top.shape[1] - 1)
    for topic, words in enumerate(top):
        chosen = vectors[words].astype(np.float64)
        lengths = np.linalg.norm(chosen, axis=1, keepdims=True)
        units = np.divide(chosen, lengths, out=np.zeros_like(chosen), where=lengths > 0)
        found[topic] = (np.square(units.sum(axis=0)).sum() - np.square(units).sum()) / max(pairs, 1)
    return found


def npmi(top: Ints, documents: Documents) -> Scores:
    """NPMI of each topic: over all pairs of its top words, the mean of ln(p(i, j) / (p(i) p(j))) / -ln p(i, j).

    A probability is the share of documents that hold the word, or both. Words that never meet have -1, and such as
    stand in every document 0. Bouma, Normalized (pointwise) mutual information in collocation extraction, 2009.
    """
    found = np.zeros(len(top))
    first, second = np.triu_indices(top.shape[1], 1)
    if not len(first):
        return found
    holders = _Holders(top, documents)
    for topic, words in enumerate(top):
        together = holders.together(words)
        alone = together.diagonal()
        found[topic] = _normalised(together[first, second], alone[first], alone[second], documents.rows).mean()
    return found


def _normalised(both: Scores, first: Scores, second: Scores, documents: int) -> Scores:
    """NPMI of pairs, from how many of the documents hold both words, and each."""
    scores = np.full(len(both), -1.0)
    scores[both == documents] = 0.0
    usual = (both > 0) & (both < documents)
    shares, product = both[usual] / documents, first[usual] * second[usual] / documents**2
    scores[usual] = np.log(shares / product) / -np.log(shares)
    return scores


class _Holders:
    """Which documents hold each of some words."""

    def __init__(self, top: Ints, documents: Documents) -> None:
        wanted = np.zeros(documents.vocabulary_size, np.bool_)
        wanted[top.ravel()] = True
        entries = np.flatnonzero(wanted[documents.words])
        words = documents.words[entries]
        order = np.argsort(words, kind="stable")
        self._rows = np.searchsorted(documents.starts, entries[order], side="right") - 1
        self._starts = np.searchsorted(words[order], np.arange(documents.vocabulary_size + 1))
        self._documents = documents.rows

    def together(self, words: Ints) -> Scores:
        """(words, words): how many documents hold both, and each on the diagonal."""
        held = np.zeros((len(words), self._documents), np.float32)
        for place, word in enumerate(words):
            held[place, self._rows[self._starts[word] : self._starts[word + 1]]] = 1
        return np.asarray(held @ held.T, np.float64)
