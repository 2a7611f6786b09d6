"""The map of topics: distances beside SciPy's, and places beside the distances they come from."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon, pdist, squareform

from sagedock.topics import topic_map


@given(st.integers(0, 2**32 - 1), st.integers(1, 8), st.integers(1, 30))
def test_distances_are_jensen_shannons(seed, topics, words):
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.full(words, 0.2), topics)
    shares[rng.random(shares.shape) < 0.2] = 0
    shares[:, 0] += 1e-3
    found = topic_map.distances(shares)
    for first in range(topics):
        for second in range(topics):
            expected = jensenshannon(shares[first], shares[second], 2) if first != second else 0.0
            assert found[first, second] == pytest.approx(np.nan_to_num(expected), abs=1e-6)


def test_the_words_of_a_large_vocabulary_that_matter_nowhere_count_as_one():
    shares = np.full((3, 20_000), 1e-7)
    shares[0, :100] = shares[1, 50:150] = shares[2, 19_000:19_100] = 0.00999
    near = topic_map.distances(shares)
    exact = [jensenshannon(shares[a] / shares[a].sum(), shares[b] / shares[b].sum(), 2) for a, b in ((0, 1), (0, 2))]
    assert near[0, 1:] == pytest.approx(exact, abs=1e-3)


@given(st.integers(0, 2**32 - 1), st.integers(3, 12))
def test_points_of_a_plane_come_back(seed, count):
    points = np.random.default_rng(seed).normal(size=(count, 2))
    found, shares = topic_map.places(squareform(pdist(points)))
    assert pdist(found) == pytest.approx(pdist(points), abs=1e-6)
    assert shares.sum() == pytest.approx(1)
    assert found.std(axis=0)[0] >= found.std(axis=0)[1] - 1e-9


@pytest.mark.parametrize("count", [1, 2])
def test_of_one_or_two(count):
    apart = np.ones((count, count)) - np.eye(count)
    found, _ = topic_map.places(apart)
    assert squareform(pdist(found)) == pytest.approx(apart)
    assert np.isfinite(found).all()


def test_equal_topics_lie_in_one_place():
    found, shares = topic_map.places(topic_map.distances(np.full((4, 5), 0.2)))
    assert np.abs(found).max() < 1e-6
    assert np.isfinite(shares).all()
