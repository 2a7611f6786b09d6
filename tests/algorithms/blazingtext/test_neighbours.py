"""Neighbours and analogies: what gensim's most_similar says."""

from __future__ import annotations

import numpy as np
import pytest

from sagedock.algorithms.blazingtext import neighbours
from sagedock.algorithms.blazingtext.neighbours import Neighbourhood, analogy, known
from sagedock.errors import ModelError, UserError

COUNT, DIM = 3000, 20
VECTORS = np.random.default_rng(0).normal(size=(COUNT, DIM)).astype(np.float32)
NEIGHBOURHOOD = Neighbourhood(COUNT, lambda begin, end: VECTORS[begin:end])


@pytest.fixture(scope="module")
def peer():
    """gensim's own vectors, words being numbers as text."""
    from gensim.models import KeyedVectors

    vectors = KeyedVectors(DIM)
    vectors.add_vectors([str(number) for number in range(COUNT)], VECTORS)
    return vectors


def pairs(found) -> tuple[list[str], list[float]]:
    return [str(each.word) for each in found], [each.similarity for each in found]


@pytest.mark.parametrize("block", [COUNT, 7])
def test_neighbours_are_gensims(peer, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Issue 5 item 4, in one block of rows and in many."""
    monkeypatch.setattr(neighbours, "_AT_ONCE", block)
    for word in (0, 17, 2999):
        words, similarities = pairs(NEIGHBOURHOOD.nearest(VECTORS[word], 10, without=[word]))
        expected = peer.most_similar(str(word), topn=10)
        assert words == [each for each, _ in expected]
        np.testing.assert_allclose(similarities, [value for _, value in expected], atol=1e-5)


def test_analogies_are_gensims(peer) -> None:
    for first, second, third in ((0, 1, 2), (5, 17, 100)):
        direction = analogy(VECTORS[first], VECTORS[second], VECTORS[third])
        words, similarities = pairs(NEIGHBOURHOOD.nearest(direction, 5, without=[first, second, third]))
        expected = peer.most_similar(positive=[str(second), str(third)], negative=[str(first)], topn=5)
        assert words == [each for each, _ in expected]
        np.testing.assert_allclose(similarities, [value for _, value in expected], atol=1e-5)


def test_more_than_there_are_gives_all_others() -> None:
    few = Neighbourhood(4, lambda begin, end: VECTORS[:4][begin:end])
    assert len(few.nearest(VECTORS[0], 100)) == 4
    assert len(few.nearest(VECTORS[0], 100, without=[0, 0])) == 3
    assert few.nearest(VECTORS[0], 1, without=[0, 1, 2, 3]) == []
    assert Neighbourhood(0, lambda begin, end: VECTORS[begin:end]).nearest(VECTORS[0], 3) == []


def test_a_vector_of_zeros_is_near_to_nothing() -> None:
    vectors = VECTORS[:5].copy()
    vectors[2] = 0
    found = Neighbourhood(5, lambda begin, end: vectors[begin:end]).nearest(VECTORS[0], 5)
    assert next(each.similarity for each in found if each.word == 2) == 0


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_vector_of_what_is_no_number_is_refused(value: float) -> None:
    """Bad input: an answer holds no null, whichever word of the model is damaged."""
    vectors = VECTORS[:5].copy()
    vectors[2, 1] = value
    with pytest.raises(ModelError, match="not finite"):
        Neighbourhood(5, lambda begin, end: vectors[begin:end]).nearest(VECTORS[0], 5)


def test_of_equal_words_the_more_frequent_comes_first() -> None:
    same = Neighbourhood(6, lambda begin, end: np.ones((6, 3), np.float32)[begin:end])
    assert [each.word for each in same.nearest(np.ones(3, np.float32), 6)] == [0, 1, 2, 3, 4, 5]


def test_a_word_that_is_not_known_is_named() -> None:
    with pytest.raises(UserError, match="'zyzzyva' is not in the vocabulary"):
        known(np.zeros(3, np.float32), "zyzzyva")
    assert known(np.ones(3, np.float32), "a").sum() == 3
