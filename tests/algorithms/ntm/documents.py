"""Documents that are made of topics, each of which has words of its own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sagedock.topics.documents import Documents, Floats

WORDS_A_TOPIC = 8


def some(topics: int = 5, documents: int = 300, seed: int = 0, tokens: int = 40) -> Documents:
    """Documents of one or two of the topics, one word in ten from anywhere; word w is of topic w // WORDS_A_TOPIC."""
    chance = np.random.default_rng(seed)
    words = topics * WORDS_A_TOPIC
    counts = np.zeros((documents, words), np.float32)
    for document in range(documents):
        own = chance.choice(topics, size=chance.integers(1, 3), replace=False)
        drawn = chance.choice(own, size=tokens) * WORDS_A_TOPIC + chance.integers(WORDS_A_TOPIC, size=tokens)
        strange = chance.random(tokens) < 0.1
        drawn[strange] = chance.integers(words, size=strange.sum())
        np.add.at(counts[document], drawn, 1)
    return Documents.of_dense(counts)


def of_counts(*rows: list[int]) -> Documents:
    """Documents with these counts of all words."""
    return Documents.of_dense(np.array(rows, np.float32))


def true_topics(top: NDArray[np.int32]) -> list[float]:
    """For each learnt topic the greatest share of its top words that one true topic has."""
    return [float(np.bincount(row // WORDS_A_TOPIC).max() / len(row)) for row in top]


def dense(documents: Documents) -> Floats:
    """(documents, words)."""
    return documents.dense()
