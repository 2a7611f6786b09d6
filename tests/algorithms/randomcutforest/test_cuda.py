"""Scores by torch, on its CPU and on a GPU where one is, are the processor's to 1e-5 (issue 4 item 4, rcf 8)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sagedock.algorithms.randomcutforest.cuda import CudaForest
from sagedock.algorithms.randomcutforest.forest import build


def points(forest_samples: Any, columns: int) -> Any:
    """Those that were seen, and others inside and far outside."""
    chance = np.random.default_rng(1)
    inside = chance.normal(size=(300, columns)).astype(np.float32)
    far = np.array([[1e6] * columns, [-1e30] * columns, [np.inf] * columns, [0] * columns], np.float32)
    return np.concatenate([inside, 20 * inside[:50], far, forest_samples[0]])


@pytest.mark.parametrize("shape", [(20, 64, 1), (20, 64, 10), (5, 30, 48), (4, 1, 3), (3, 40, 700)])
@pytest.mark.parametrize("size", [1.0, 2.0**100])
@pytest.mark.parametrize("by_depth", [False, True])
def test_scores_are_the_processors(shape: tuple[int, int, int], size: float, by_depth: bool, torch_device: str) -> None:
    samples = np.random.default_rng(0).normal(size=shape).astype(np.float32).round(2) * np.float32(size)
    samples[1] = samples[1, 0]  # a tree of one leaf
    forest = replace(build(samples, 3), by_depth=by_depth)
    given = points(samples, shape[2])
    given[:300] *= np.float32(size)
    np.testing.assert_allclose(CudaForest(forest, torch_device).scores(given), forest.scores(given), rtol=0, atol=1e-5)


def test_a_large_batch_is_scored_in_blocks(monkeypatch: pytest.MonkeyPatch, torch_device: str) -> None:
    monkeypatch.setattr("sagedock.algorithms.randomcutforest.cuda._BLOCK", 1000)
    forest = build(np.random.default_rng(0).normal(size=(10, 32, 3)).astype(np.float32), 0)
    given = np.random.default_rng(1).normal(size=(200, 3)).astype(np.float32)
    np.testing.assert_allclose(CudaForest(forest, torch_device).scores(given), forest.scores(given), rtol=0, atol=1e-5)


def test_what_is_refused_is_refused(torch_device: str) -> None:
    forest = build(np.random.default_rng(0).normal(size=(3, 8, 2)).astype(np.float32), 0)
    scorer = CudaForest(forest, torch_device)
    assert len(scorer.scores(np.empty((0, 2), np.float32))) == 0
    with pytest.raises(ValueError, match="NaN"):
        scorer.scores(np.array([[0, np.nan]], np.float32))
    with pytest.raises(ValueError, match="rows, 2"):
        scorer.scores(np.zeros((1, 3), np.float32))
