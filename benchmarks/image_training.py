"""Pictures a second that a network learns from files, beside its bare forward and backward pass on a batch in memory.

    nice .venv/bin/python -m benchmarks.image_training [--steps 3] [--rounds 2] [--threads 2] [--layers 18 20]

ResNet-18 of 224 x 224 in batches of 32, from JPEG files of 640 x 480 (about 120 KB) resized to 256, and the network of
20 layers of 32 x 32 in batches of 128, from JPEG files of 40 x 40. Cropped, mirrored, colours shifted. Both ways take
turns for so many rounds of so many steps, in one process with so many threads of torch and as many that decode.
CPU seconds count, for on a machine with other work the clock says little: the rate is pictures a CPU second.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from benchmarks.pictures import jpeg
from sagedock.algorithms.image_classification import networks
from sagedock.algorithms.image_classification.batches import Batch, batches
from sagedock.algorithms.image_classification.examples import Example
from sagedock.algorithms.image_classification.learner import Learner
from sagedock.algorithms.image_classification.preparation import Preparation
from sagedock.training.cluster import Alone
from tests.algorithms.image_classification.pictures import encoded, photograph
from tests.algorithms.image_classification.toys import VALUES

CLASSES = 10


@dataclass(frozen=True)
class Plan:
    """A network of pictures of `side`, its batch, and files to learn from, of which there are few that come again."""

    layers: int
    side: int
    resize: int
    batch: int
    files: Sequence[bytes]
    longer: int = 1

    def examples(self, count: int) -> list[Example]:
        files = self.files
        return [Example(f"picture {n}", files[n % len(files)], n % CLASSES) for n in range(count)]


def plans() -> Sequence[Plan]:
    large = [jpeg(480, 640, 120_000)]
    small = [encoded(photograph(40, 40, seed=seed), "JPEG") for seed in range(50)]
    return Plan(18, 224, 256, 32, large), Plan(20, 32, 36, 128, small, longer=10)


def spent(work: Callable[[], None]) -> float:
    """CPU seconds of the whole process."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def rates(plan: Plan, steps: int, rounds: int, threads: int) -> tuple[float, float]:
    """Pictures a CPU second, bare and from files: each of the better round."""
    shape = (3, plan.side, plan.side)
    preparation = Preparation(shape, plan.resize, "crop_color")
    learner = Learner(
        networks.build(plan.layers, CLASSES, shape), {**VALUES, "mini_batch_size": plan.batch}, Alone("algo-1")
    )
    examples = plan.examples(plan.batch * steps)
    (first,) = batches(iter(examples[: plan.batch]), preparation, plan.batch, (0, 0), threads)

    def learn(given: Batch) -> None:
        learner.step(given.pictures, given.labels, 0.01)

    def bare() -> None:
        for _ in range(steps):
            learn(first)

    def fed() -> None:
        for batch in batches(iter(examples), preparation, plan.batch, (0, 1), threads):
            learn(batch)

    learn(first)
    taken = np.array([(spent(bare), spent(fed)) for _ in range(rounds)]).min(axis=0)
    found: tuple[float, float] = tuple((plan.batch * steps / taken).tolist())
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--steps", type=int, default=3, help="of the large network; the small one takes ten times as many"
    )
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--layers", type=int, nargs="+", default=[18, 20])
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for plan in plans():
        if plan.layers not in options.layers:
            continue
        bare, fed = rates(plan, options.steps * plan.longer, options.rounds, options.threads)
        print(f"{plan.layers} layers, {plan.side} x {plan.side}, batches of {plan.batch}, pictures a CPU second:")
        print(f"  bare {bare:.1f}, from files {fed:.1f}: {fed / bare:.3f} of it", flush=True)


if __name__ == "__main__":
    main()
