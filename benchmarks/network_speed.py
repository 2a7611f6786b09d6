"""What a step of training costs: ours in channels-last order, ours in torch's usual order, and a bare loop in torch.

The bare loop is forward, backward and torch.optim.SGD on the same network and the same batch, of floats already: what
lies above it is the price of the step around it (raw pixels, MXNet's optimiser, logits for the log).

    OMP_NUM_THREADS=1 .venv/bin/python -m benchmarks.network_speed --networks 18x224 50x224 20x32
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional

from benchmarks.frozen_backbone import VALUES
from sagedock.algorithms.image_classification import networks
from sagedock.algorithms.image_classification.learner import Learner
from sagedock.training.cluster import Alone

CLASSES, BATCH = 10, 16


def ours(layers: int, side: int, order: torch.memory_format) -> Callable[[], object]:
    """A step of a learner whose network is in that order."""
    learner = Learner(networks.build(layers, CLASSES, (3, side, side)), {**VALUES, "_frozen_backbone": 0}, Alone("a"))
    learner.network.to(memory_format=order)
    pictures, labels = batch(side)
    if order is torch.contiguous_format:
        learner._replica._tensor = torch.from_numpy  # type: ignore[method-assign] # its own gives channels-last
    return lambda: learner.step(pictures, labels, 0.01)


def bare(layers: int, side: int) -> Callable[[], object]:
    """A step of torch's own, in channels-last order."""
    network = networks.build(layers, CLASSES, (3, side, side)).to(memory_format=torch.channels_last).train()
    optimiser = torch.optim.SGD(network.parameters(), 0.01, 0.9, weight_decay=1e-4)
    pictures, labels = (torch.from_numpy(each) for each in batch(side))
    shown = pictures.float().contiguous(memory_format=torch.channels_last)

    def step() -> None:
        optimiser.zero_grad()
        functional.cross_entropy(network(shown), labels).backward()
        optimiser.step()

    return step


def batch(side: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    return random.integers(0, 256, (BATCH, 3, side, side)).astype(np.uint8), random.integers(0, CLASSES, BATCH)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="*", default=["18x224", "20x32"], help="layers x side of the picture")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in options.networks:
        layers, side = map(int, name.split("x"))
        steps = {
            "channels-last": ours(layers, side, torch.channels_last),
            "usual order": ours(layers, side, torch.contiguous_format),
            "bare torch": bare(layers, side),
        }
        repeats = max(1, 2 * (224 // side) ** 2 // 4)
        found: dict[str, list[float]] = {kind: [] for kind in steps}
        for turn in range(options.rounds + 1):
            for kind, step in steps.items():
                begin = time.process_time()
                for _ in range(repeats):
                    step()
                if turn:  # the first one warms up
                    found[kind].append(BATCH * repeats / (time.process_time() - begin))
        told = ", ".join(f"{kind} {np.median(each):.1f}" for kind, each in found.items())
        print(f"{layers} layers at {side} px, pictures learnt a CPU second: {told} (medians of {options.rounds})")


if __name__ == "__main__":
    main()
