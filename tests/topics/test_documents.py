"""Documents as sparse counts."""

import numpy as np
import pytest

from sagedock.topics.documents import Documents


@pytest.fixture
def matrix() -> np.ndarray:
    """Counts of thirty documents, some of them empty."""
    chance = np.random.default_rng(5)
    counts = chance.poisson(0.3, (30, 17)).astype(np.float32)
    counts[[0, 7, 29]] = 0
    return counts


def test_dense_counts_become_sparse_and_dense_again(matrix):
    documents = Documents.of_dense(matrix)
    assert documents.rows == 30
    assert documents.vocabulary_size == 17
    assert len(documents.words) == np.count_nonzero(matrix)
    assert documents.counts.all()
    assert np.array_equal(documents.dense(), matrix)


def test_rows_in_any_order_are_sorted_summed_and_rid_of_zeros():
    documents = Documents.of_rows([([5, 1, 5], [2, 1, 3]), ([], []), ([2, 3], [0, 4])], 6)
    assert documents.starts.tolist() == [0, 2, 2, 3]
    assert documents.words.tolist() == [1, 5, 3]
    assert documents.counts.tolist() == [1, 5, 4]


def test_no_rows_are_no_documents():
    documents = Documents.of_rows([], 4)
    assert documents.rows == 0
    assert documents.tokens == 0
    assert documents.part(0, 10).rows == 0


def test_parts_joined_are_the_whole(matrix):
    documents = Documents.of_dense(matrix)
    parts = [documents.part(begin, begin + 7) for begin in range(0, 30, 7)]
    assert [part.rows for part in parts] == [7, 7, 7, 7, 2]
    joined = Documents.joined(parts)
    assert np.array_equal(joined.dense(), matrix)
    assert np.array_equal(joined.starts, documents.starts)


def test_taken_are_those_rows_in_that_order(matrix):
    rows = np.array([29, 3, 3, 0, 11])
    assert np.array_equal(Documents.of_dense(matrix).take(rows).dense(), matrix[rows])


def test_lengths_are_tokens(matrix):
    documents = Documents.of_dense(matrix)
    assert np.array_equal(documents.lengths, matrix.sum(axis=1))
    assert np.array_equal(documents.part(5, 9).lengths, matrix[5:9].sum(axis=1))
    assert documents.tokens == matrix.sum()
