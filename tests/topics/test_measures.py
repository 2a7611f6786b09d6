"""Measures of topics, by hand and against sums that are written as their definitions are."""

import itertools
import math

import numpy as np
import pytest

from sagedock.topics import measures
from sagedock.topics.documents import Documents


def test_top_words_are_the_highest_and_of_equals_the_first():
    weights = np.array([[0.1, 0.5, 0.5, 0.2], [1, 1, 1, 1]])
    assert measures.top_words(weights, 3).tolist() == [[1, 2, 3], [0, 1, 2]]
    assert measures.top_words(weights, 9).tolist() == [[1, 2, 3, 0], [0, 1, 2, 3]]


def test_top_words_are_those_of_a_stable_sort():
    weights = np.random.default_rng(2).integers(0, 9, (5, 200)).astype(np.float32)
    assert np.array_equal(measures.top_words(weights, 20), np.argsort(-weights, axis=1, kind="stable")[:, :20])


@pytest.mark.parametrize(
    ("top", "expected"),
    [
        ([[4, 5], [4, 5], [5, 4], [4, 5]], [0.25, 0.25, 0.25, 0.25]),
        ([[0, 1], [2, 3]], [1, 1]),
        ([[0, 1], [1, 2]], [0.75, 0.75]),
        ([[0, 1, 2], [0, 1, 9], [0, 7, 8]], [(1 / 3 + 1 / 2 + 1) / 3, (1 / 3 + 1 / 2 + 1) / 3, (1 / 3 + 2) / 3]),
    ],
)
def test_uniqueness_by_hand(top, expected):
    """ntm_lda N14: alike 1/K, disjoint 1, two topics that share one of two words 0.75."""
    assert measures.uniqueness(np.array(top, np.int32)) == pytest.approx(expected)


def test_embedding_coherence_of_one_vector_is_1():
    """ntm_lda N15."""
    vectors = np.tile(np.array([[0.3, -2, 0.7]], np.float32), (4, 1))
    assert measures.embedding_coherence(np.array([[0, 1, 2, 3]], np.int32), vectors) == pytest.approx([1])


def test_embedding_coherence_by_hand():
    vectors = np.array([[2, 0], [0, 3], [1, 1], [0, 0]], np.float32)
    top = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    half = math.sqrt(0.5)
    assert measures.embedding_coherence(top, vectors) == pytest.approx([(0 + 2 * half) / 3, half / 3])


def test_embedding_coherence_is_the_mean_cosine_of_all_pairs():
    chance = np.random.default_rng(4)
    vectors = chance.normal(size=(50, 6)).astype(np.float32)
    top = np.stack([chance.permutation(50)[:7] for _ in range(5)]).astype(np.int32)

    def cosine(one: int, other: int) -> float:
        a, b = vectors[one].astype(float), vectors[other].astype(float)
        return float(a @ b / math.sqrt((a @ a) * (b @ b)))

    expected = [np.mean([cosine(*pair) for pair in itertools.combinations(words, 2)]) for words in top]
    assert measures.embedding_coherence(top, vectors) == pytest.approx(expected)


def test_npmi_by_hand():
    # words 0 and 1 always together in half of the documents, 2 and 3 in three and two of eight, once together
    rows = [[1, 2, 0, 0, 1]] * 4 + [[0, 0, 3, 1, 1], [0, 0, 1, 0, 1], [0, 0, 1, 0, 1], [0, 0, 0, 1, 1]]
    documents = Documents.of_dense(np.array(rows, np.float32))
    pair = math.log((1 / 8) / (3 / 8 * 2 / 8)) / -math.log(1 / 8)
    top = np.array([[0, 1], [2, 3], [0, 2], [0, 4]], np.int32)
    assert measures.npmi(top, documents) == pytest.approx([1, pair, -1, 0])
    assert measures.npmi(np.array([[0, 1, 2]], np.int32), documents) == pytest.approx([(1 - 1 - 1) / 3])


def test_npmi_of_words_that_are_everywhere_or_nowhere_is_a_number():
    documents = Documents.of_dense(np.array([[1, 1, 0], [2, 1, 0]], np.float32))
    assert measures.npmi(np.array([[0, 1], [0, 2]], np.int32), documents).tolist() == [0, -1]
    assert measures.npmi(np.array([[0]], np.int32), documents).tolist() == [0]


def test_npmi_is_what_its_definition_says():
    chance = np.random.default_rng(8)
    matrix = chance.poisson(0.4, (60, 30)).astype(np.float32)
    matrix[:5] = 0
    top = np.stack([chance.permutation(30)[:6] for _ in range(4)]).astype(np.int32)
    held = matrix > 0

    def score(one: int, other: int) -> float:
        both, first, second = (held[:, one] & held[:, other]).mean(), held[:, one].mean(), held[:, other].mean()
        return -1.0 if both == 0 else math.log(both / (first * second)) / -math.log(both)

    expected = [np.mean([score(*pair) for pair in itertools.combinations(words, 2)]) for words in top]
    assert measures.npmi(top, Documents.of_dense(matrix)) == pytest.approx(expected)
