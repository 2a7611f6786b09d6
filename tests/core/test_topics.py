"""The sampler of topics and the mixtures of documents: compiled code, on each instruction set, against NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sagedock import core
from sagedock.algorithms.lda import gibbs
from sagedock.algorithms.lda.gibbs import Chain, Corpus
from sagedock.algorithms.lda.inference import LEAST_SHARE, Topics
from sagedock.topics.documents import Documents
from tests.without_core import without_core

TOPICS = (1, 2, 8, 9, 20, 31, 33, 70)


def documents(seed: int, rows: int = 40, vocabulary: int = 30, longest: int = 25) -> Documents:
    """Documents of random words, some of which are empty."""
    chance = np.random.default_rng(seed)
    lengths = chance.integers(0, longest + 1, rows) * (chance.random(rows) < 0.9)
    made = [np.unique(chance.integers(0, vocabulary, length), return_counts=True) for length in lengths]
    return Documents.of_rows(made, vocabulary)


def chain(found: Documents, topics: int, seed: int, sweeps: int = 3) -> Chain:
    """A chain after some sweeps, its prior fitted on the way."""
    made = Chain.begun(Corpus.of(found), np.linspace(0.05, 0.5, topics), 0.01, seed)
    for _ in range(sweeps):
        made.sweep()
        made.fit_alpha()
    return made


def state(made: Chain) -> tuple[Any, ...]:
    return made.assigned.tobytes(), made.word_topics.tobytes(), made.totals.tobytes(), made.alpha.tobytes()


@pytest.mark.parametrize("topics", TOPICS)
def test_every_instruction_set_and_numpy_draw_the_same_topics(each_native: core.Native, topics: int) -> None:
    """Assignments, counts and priors are equal to the bit (issue 6, item 6)."""
    found = documents(topics)
    compiled = state(chain(found, topics, seed=7))
    with without_core():
        assert state(chain(found, topics, seed=7)) == compiled


@settings(max_examples=40)
@given(st.integers(0, 2**64 - 1), st.integers(0, 30), st.integers(1, 40), st.integers(1, 24))
def test_counts_are_those_of_the_assignments(seed: int, rows: int, vocabulary: int, topics: int) -> None:
    """Whatever the documents: what is counted on the way is what there is to count, with the core and without."""
    made = chain(documents(seed % 2**32, rows, vocabulary), topics, seed, sweeps=2)
    again = Chain(made.corpus, made.assigned, made.alpha, made.beta, made.seed)
    assert (again.word_topics == made.word_topics).all()
    assert (again.totals == made.totals).all()
    assert made.assigned.max(initial=0) < topics
    with without_core():
        assert state(chain(documents(seed % 2**32, rows, vocabulary), topics, seed, sweeps=2)) == state(made)


def test_topics_are_drawn_as_their_probabilities_say(native: core.Native) -> None:
    """Two documents of one token each, of one word: over a long run they share a topic as often as theory has it."""
    found = Documents.of_rows([([0], [1.0]), ([0], [1.0])], 2)
    made = Chain.begun(Corpus.of(found), np.array([0.5, 0.5]), 0.5, seed=3)
    together = 0
    for _ in range(20_000):
        made.sweep()
        together += int(made.assigned[0] == made.assigned[1])
    # given the other token, the same topic has weight 0.5 * 1.5 / 2 and the other one 0.5 * 0.5 / 1
    assert together / 20_000 == pytest.approx(0.6, abs=0.02)


def test_a_long_document_follows_its_words(native: core.Native) -> None:
    """Documents of two disjoint vocabularies fall apart into two topics."""
    found = Documents.of_rows([(np.arange(10) + 10 * (row % 2), np.full(10, 3.0)) for row in range(60)], 20)
    made = chain(found, 2, seed=1, sweeps=30)
    words = made.topic_words
    assert sorted(words[:, :10].sum(axis=1).round(2).tolist()) == [0.0, 1.0]
    assert words.sum(axis=1) == pytest.approx([1, 1], abs=1e-6)


def test_alpha_is_the_fixed_point_that_minka_gives(native: core.Native) -> None:
    """Against the formula with digamma, from SciPy."""
    from scipy.special import digamma

    found = documents(5, rows=200)
    made = Chain.begun(Corpus.of(found), np.full(4, 0.3), 0.01, seed=1)
    rows = np.repeat(np.arange(found.rows), np.diff(made.corpus.starts))
    counts = np.zeros((found.rows, 4))
    np.add.at(counts, (rows, made.assigned), 1)
    alpha = made.alpha.copy()
    for _ in range(5):
        above = (digamma(counts + alpha) - digamma(alpha)).sum(axis=0)
        below = (digamma(counts.sum(axis=1) + alpha.sum()) - digamma(alpha.sum())).sum()
        alpha = alpha * above / below
    made.fit_alpha()
    assert made.alpha == pytest.approx(alpha, rel=1e-9)


def topics_of(seed: int, topics: int, vocabulary: int = 30) -> Topics:
    chance = np.random.default_rng(seed)
    beta = chance.dirichlet(np.full(vocabulary, 0.2), topics).astype(np.float32)
    return Topics.of(chance.random(topics).astype(np.float32) + 0.1, beta)


@pytest.mark.parametrize("topics", TOPICS)
def test_every_instruction_set_and_numpy_find_the_same_mixtures(each_native: core.Native, topics: int) -> None:
    """To the bit, so that answers are the same bytes without the core (ntm_lda L3)."""
    found, asked = documents(3), topics_of(topics, topics)
    mixtures = asked.mixtures(found)
    with without_core():
        assert asked.mixtures(found).tobytes() == mixtures.tobytes()
    assert (mixtures >= 0).all()
    assert mixtures.sum(axis=1, dtype=np.float64) == pytest.approx(np.ones(found.rows), abs=1e-6)


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1), st.integers(1, 20))
def test_a_document_is_answered_as_it_would_be_alone(seed: int, topics: int) -> None:
    """A batch answers as its documents do alone (issue 6, item 3)."""
    found, asked = documents(seed, rows=6), topics_of(seed, topics)
    together = asked.mixtures(found)
    for row in range(found.rows):
        assert asked.mixtures(found.part(row, row + 1)).tobytes() == together[row : row + 1].tobytes()


def test_what_tells_nothing_has_the_prior() -> None:
    """An empty document, and one of a word that no topic has, have the mean of the prior."""
    asked = Topics.of(np.array([3, 1], np.float32), np.array([[0.5, 0.5, 0], [1, 0, 0]], np.float32))
    found = Documents.of_rows([([], []), ([2], [4.0]), ([1, 2], [1.0, 9.0])], 3)
    assert asked.mixtures(found).tolist() == [[0.75, 0.25], [0.75, 0.25], [1, 0]]
    with without_core():
        assert asked.mixtures(found).tolist() == [[0.75, 0.25], [0.75, 0.25], [1, 0]]


def test_mixtures_are_the_most_likely_ones() -> None:
    """No shift of a hundredth from one topic to another makes a document more likely, but for the tolerance."""
    asked = topics_of(11, 5)
    found = documents(12, rows=30, longest=60)
    found = found.take(np.flatnonzero(found.lengths))
    mixtures = asked.mixtures(found).astype(np.float64)
    for row in range(found.rows):
        part = found.part(row, row + 1)
        words = asked.words[part.words, :5]

        def likelihood(mixture: Any, words: Any = words, counts: Any = part.counts) -> float:
            return float(counts @ np.log(np.maximum(words @ mixture, 1e-300)))

        best = likelihood(mixtures[row])
        for giver in np.flatnonzero(mixtures[row] >= 0.01):
            for taker in range(5):
                moved = mixtures[row].copy()
                moved[giver] -= 0.01
                moved[taker] += 0.01
                assert likelihood(moved) <= best + 1e-3 * part.lengths[0]


def test_small_shares_are_none() -> None:
    """Mixtures hold exact zeros, and nothing between them and the least share."""
    mixtures = topics_of(2, 12).mixtures(documents(4, rows=100, longest=80))
    assert (mixtures == 0).any()
    assert mixtures[mixtures > 0].min() >= LEAST_SHARE


@pytest.mark.parametrize("damage", ["word", "topic", "starts", "alpha", "width"])
def test_what_leads_nowhere_is_refused(native: core.Native, damage: str) -> None:
    """Arrays that do not fit together are an error, not a crash."""
    corpus = Corpus.of(documents(1))
    made = Chain.begun(corpus, np.full(3, 0.1), 0.01, seed=1)
    words, starts, topics = corpus.words.copy(), corpus.starts.copy(), 3
    alpha = np.full(gibbs.padded(3), 0.1, np.float32)
    if damage == "word":
        words[3] = corpus.vocabulary_size
    elif damage == "topic":
        made.assigned[2] = 3
    elif damage == "starts":
        starts[1] = starts[-1] + 1
    elif damage == "alpha":
        alpha = alpha[:3]
    else:
        topics = 9
    with pytest.raises(ValueError, match=r"there is not|fit together|one behind the other"):
        native.sweep_topics(
            starts,
            words,
            made.assigned,
            made.word_topics,
            made.totals,
            topics=topics,
            alpha=alpha,
            beta=0.01,
            all_words=0.3,
            seed=1,
            sweep=1,
        )


def test_words_beyond_the_vocabulary_are_refused(native: core.Native) -> None:
    """As an error, not a crash."""
    asked, found = topics_of(1, 3), documents(1)
    words = found.words.copy()
    words[0] = -1
    with pytest.raises(ValueError, match="a word that there is not"):
        native.topic_mixtures(
            asked.words, asked.prior, found.starts, words, found.counts, rounds=1, tolerance=0.1, least=0.1
        )
