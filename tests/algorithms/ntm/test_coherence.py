"""Topics of words that meet: vectors of words, what they reward, and topics that are more coherent for it."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")

import torch

from sagedock.algorithms.ntm import co_occurrence
from sagedock.algorithms.ntm.co_occurrence import vectors
from sagedock.algorithms.ntm.coherence import OVERLAP, SHARPNESS, Coherence
from sagedock.topics import measures
from tests.algorithms.ntm import documents


def test_products_of_vectors_are_the_npmi_of_words_and_a_little_more() -> None:
    """As the measure of topics has it, where all dimensions are kept but those of negative eigenvalues."""
    some = documents.some(documents=200)
    size = some.vocabulary_size
    pairs = np.array([(i, j) for i in range(size) for j in range(i + 1, size)], np.int32)
    exact = np.zeros((size, size))
    exact[pairs[:, 0], pairs[:, 1]] = np.maximum(co_occurrence.MEETING + measures.npmi(pairs, some), 0)
    exact += exact.T
    values, turned = np.linalg.eigh(exact)
    best = (turned * np.maximum(values, 0)) @ turned.T
    found = vectors(some, size)
    np.testing.assert_allclose(found @ found.T, best, atol=1e-4)
    assert vectors(some, size).tobytes() == found.tobytes()
    few = vectors(some, 5)  # as many as there are topics: the next are much smaller
    assert few.shape == (size, 5)
    kept = np.argsort(-values)[:5]
    np.testing.assert_allclose(few @ few.T, (turned[:, kept] * values[kept]) @ turned[:, kept].T, atol=0.02)


def test_rare_words_and_many_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    """Words that stand in few documents have no vectors, and of many documents some are looked at."""
    some = documents.some(documents=200)
    monkeypatch.setattr(co_occurrence, "MOST_WORDS", 10)
    held = np.bincount(some.words, minlength=some.vocabulary_size)
    found = vectors(some)
    with_vectors = np.flatnonzero(np.abs(found).sum(axis=1))
    assert len(with_vectors) == 10
    assert held[with_vectors].min() >= np.sort(held)[-10]
    monkeypatch.setattr(co_occurrence, "MOST_PAIRS", 1000)
    assert np.isfinite(vectors(some)).all()
    empty = documents.of_counts([0, 0, 0], [0, 0, 0])
    assert not vectors(empty).any()
    assert np.isfinite(vectors(documents.of_counts([1, 1, 0], [1, 1, 0]))).all()


def test_the_reward_is_the_nearness_of_a_topics_words_less_what_topics_share() -> None:
    chance = torch.Generator().manual_seed(0)  # of others what is near and what is shared cancel to nearly 0
    near, logits = torch.randn(7, 3, generator=chance), torch.randn(7, 2, generator=chance)
    shares = torch.softmax(SHARPNESS * logits, 0)
    expected = sum(
        float(shares[i, k] * shares[j, k] * (near[i] @ near[j]))
        for k in range(2)
        for i in range(7)
        for j in range(7)
        if i != j
    )
    expected -= OVERLAP * float(torch.cosine_similarity(shares[:, 0], shares[:, 1], 0))
    assert Coherence(near, 1.0).reward(logits).item() == pytest.approx(expected, rel=1e-5)
