"""What a frozen backbone saves: pictures a CPU second in the first epoch, through the backbone, and in later ones.

OMP_NUM_THREADS=1 .venv/bin/python -m benchmarks.frozen_backbone --layers 18 50
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sagedock.algorithms.image_classification import frozen, networks
from sagedock.algorithms.image_classification.learner import Learner
from sagedock.training.cluster import Alone

VALUES: dict[str, Any] = {
    "optimizer": "sgd",
    "momentum": 0.9,
    "weight_decay": 1e-4,
    "multi_label": 0,
    "precision_dtype": "float32",
    "mini_batch_size": 32,
    "_frozen_backbone": 1,
}
CLASSES, BATCH = 257, 32
ROUNDS = 3


@dataclass(frozen=True)
class Batch:
    pictures: NDArray[np.uint8]
    labels: NDArray[np.int64]
    places: tuple[str, ...] = ("",) * BATCH


def measured(layers: int, pictures: int) -> tuple[float, float]:
    """Pictures a CPU second through the backbone, and of an epoch on their features."""
    random = np.random.default_rng(0)
    learner = Learner(networks.build(layers, CLASSES, (3, 224, 224)), VALUES, Alone("algo-1"))
    shown = random.integers(0, 256, (BATCH, 3, 224, 224)).astype(np.uint8)
    batches = [Batch(shown, random.integers(0, CLASSES, BATCH)) for _ in range(pictures // BATCH)]
    learner.features(shown[:1])
    begin = time.process_time()
    found = frozen.cached(learner.features, batches)
    first = len(found.places) / (time.process_time() - begin)
    repeated = frozen.Cached(np.tile(found.vectors, (50, 1)), np.tile(found.labels, 50), list(found.places) * 50)
    begin = time.process_time()
    for vectors, labels, _ in repeated.batches(BATCH, random):
        learner.step(vectors, labels, 0.1)
    return first, len(repeated.places) / (time.process_time() - begin)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, nargs="*", default=[18, 50])
    parser.add_argument("--pictures", type=int, default=64, help="that go through the backbone in a round")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for layers in options.layers:
        rounds = [measured(layers, options.pictures) for _ in range(ROUNDS)]
        first, later = (float(np.median(each)) for each in zip(*rounds, strict=True))
        ratio = float(np.median([two / one for one, two in rounds]))
        print(
            f"{layers} layers at 224 px, a CPU second: {first:.1f} pictures in the first epoch, {later:,.0f} in later "
            f"ones, {ratio:,.0f} times as many (medians of {ROUNDS})"
        )


if __name__ == "__main__":
    main()
