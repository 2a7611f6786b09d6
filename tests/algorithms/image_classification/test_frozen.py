"""Features that are computed once, in memory or in a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("torch", reason="torch is not installed")

from sagedock.algorithms.image_classification import frozen, networks
from sagedock.algorithms.image_classification.learner import Learner
from sagedock.errors import PlatformError
from sagedock.training.cluster import Alone
from tests.algorithms.image_classification.toys import SHAPE, VALUES, pictures


@dataclass(frozen=True)
class Batch:
    pictures: NDArray[np.uint8]
    labels: NDArray[Any]
    places: list[str]


def batches(count: int = 20, size: int = 8) -> Iterator[Batch]:
    shown, labels = pictures(count)
    for begin in range(0, count, size):
        some = slice(begin, min(begin + size, count))
        yield Batch(shown[some], labels[some], [f"picture {number}" for number in range(count)[some]])


@pytest.fixture(scope="module")
def learner() -> Learner:
    return Learner(networks.build(20, 2, SHAPE, seed=1), {**VALUES, "_frozen_backbone": 1}, Alone("algo-1"))


@pytest.mark.parametrize("memory", [1 << 30, 8 * 64 * 4, 0])
def test_features_are_the_same_in_memory_and_in_a_file(learner: Learner, tmp_path: Path, memory: int) -> None:
    found = frozen.cached(learner.features, batches(), tmp_path, memory)
    assert isinstance(found.vectors, np.memmap) == (memory < 1 << 30)
    np.testing.assert_allclose(found.vectors, learner.features(pictures(20)[0]), atol=1e-5)
    assert found.labels.tolist() == pictures(20)[1].tolist()
    assert found.places[19] == "picture 19"
    assert not list(tmp_path.iterdir())


def test_each_picture_goes_through_the_backbone_once(learner: Learner) -> None:
    """Issue 8 item 4."""
    seen = 0

    def features(some: NDArray[np.uint8]) -> NDArray[np.float32]:
        nonlocal seen
        seen += len(some)
        return learner.features(some)

    found = frozen.cached(features, batches())
    for epoch in range(5):
        for vectors, labels, _ in found.batches(8, np.random.default_rng(epoch)):
            learner.step(vectors, labels, 0.05)
    assert seen == 20
    told = np.concatenate([learner.probabilities(vectors) for vectors, _, _ in found.batches(8)])
    assert (told.argmax(1) == found.labels).mean() > 0.8


def test_batches_hold_every_row_once_in_an_order_of_chance(learner: Learner) -> None:
    found = frozen.cached(learner.features, batches())
    orders = [
        [place for *_, places in found.batches(8, np.random.default_rng(seed)) for place in places]
        for seed in (1, 1, 2)
    ]
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(found.places)
    for vectors, labels, places in found.batches(8, np.random.default_rng(3)):
        rows = [found.places.index(place) for place in places]
        assert np.array_equal(vectors, found.vectors[rows])
        assert np.array_equal(labels, found.labels[rows])
    assert [len(places) for *_, places in found.batches(8)] == [8, 8, 4]


def test_a_directory_that_is_none_is_named(learner: Learner, tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match="absent"):
        frozen.cached(learner.features, batches(), tmp_path / "absent", 0)
