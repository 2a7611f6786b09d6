"""What int8 loses: a network of 20 layers that has learnt CIFAR-10, in both precisions, on unseen pictures.

    .venv/bin/python -m benchmarks.image_eight_bits FOLDER --epochs 4

FOLDER holds a folder of JPEGs for each class, as cifar10_sample.tar of the shared data unpacks; 5,000 pictures are
learnt and 3,000 judged. Two minutes of CPU time.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from sagedock.algorithms.image_classification import engine, export, networks
from sagedock.algorithms.image_classification.description import NETWORK, Description
from sagedock.algorithms.image_classification.preparation import squashed

LEARNT, JUDGED, BATCH, RATE = 5000, 3000, 64, 0.1
SHAPE = (3, 32, 32)


def loaded(files: Sequence[Path], names: Sequence[str]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    pictures = np.stack([squashed(file.read_bytes(), SHAPE, str(file)) for file in files])
    return pictures, np.array([names.index(file.parent.name) for file in files])


def learn(
    network: networks.Network, pictures: NDArray[np.uint8], labels: NDArray[np.int64], epochs: int, seed: int = 0
) -> None:
    """SGD with Nesterov's momentum, the rate falling to 0, and pictures mirrored at random."""
    random = np.random.default_rng(seed)
    optimiser = torch.optim.SGD(network.parameters(), lr=RATE, momentum=0.9, weight_decay=1e-4, nesterov=True)
    steps = epochs * (len(pictures) // BATCH)
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 1e-3, steps)
    network.train()
    for step in range(steps):
        if step % (len(pictures) // BATCH) == 0:
            order = random.permutation(len(pictures))
        part = order[(step * BATCH) % (len(pictures) // BATCH * BATCH) :][:BATCH]
        shown = pictures[part, :, :, :: random.choice((1, -1))].copy()
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(network(torch.from_numpy(shown)), torch.from_numpy(labels[part])).backward()
        optimiser.step()
        schedule.step()
    network.eval()


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--epochs", type=int, default=4)
    given = arguments.parse_args()
    torch.set_num_threads(1)
    files = sorted(given.folder.rglob("*.jpg"))
    np.random.default_rng(0).shuffle(files)
    names = sorted({file.parent.name for file in files})
    pictures, labels = loaded(files[:LEARNT], names)
    network = networks.build(20, len(names), SHAPE, seed=1)
    learn(network, pictures, labels, given.epochs)

    unseen, right = loaded(files[LEARNT : LEARNT + JUDGED], names)
    batches = [(unseen[at : at + 100], right[at : at + 100]) for at in range(0, JUDGED, 100)]
    described = Description(20, SHAPE, len(names), network.stem)
    for count in (16, 128):
        with tempfile.TemporaryDirectory() as scratch:
            eight = replace(described, precision="int8")
            export.write(network, eight, Path(scratch) / NETWORK, [pictures[:count]])
            served = engine.opened(Path(scratch) / NETWORK, eight)
            found = export.compared(export.float_run(network, described), served, batches, multi_label=False)
        print(
            f"{count:4} calibration pictures: float32 {found.exact:.4f}, int8 {found.served:.4f}, "
            f"lost {found.lost:.2f} points, the same answer for {found.agreement:.1%} of {found.rows}"
        )


if __name__ == "__main__":
    main()
