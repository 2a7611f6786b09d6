"""Pictures that are told apart by their colour, and the hyperparameters of a small network."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

VALUES: dict[str, Any] = {
    "optimizer": "sgd",
    "learning_rate": 0.05,
    "momentum": 0.9,
    "weight_decay": 1e-4,
    "beta_1": 0.9,
    "beta_2": 0.999,
    "eps": 1e-8,
    "gamma": 0.9,
    "mini_batch_size": 8,
    "multi_label": 0,
    "precision_dtype": "float32",
    "_frozen_backbone": 0,
}
SHAPE = (3, 16, 16)


def pictures(count: int, classes: int = 2, seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Noise (count, 3, 16, 16), one channel of which is brighter, by the class (count,)."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    found = random.integers(0, 120, (count, *SHAPE))
    for place, label in enumerate(labels):
        found[place, label % 3] += 100
    return found.astype(np.uint8), labels.astype(np.int64)


def multi_hot(labels: NDArray[np.int64], classes: int = 2) -> NDArray[np.float32]:
    """(count, classes) of labels (count,)."""
    return np.eye(classes, dtype=np.float32)[labels]
