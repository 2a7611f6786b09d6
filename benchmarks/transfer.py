"""What transfer learning is worth: networks that know CIFAR-10 go on with ants and bees, beside some that begin anew.

A network of 20 layers sees pictures of 32 x 32, one of 18 layers pictures of 64 x 64. It learns CIFAR-10 (8,000
pictures of the shared data folder) once; then, on each seed and for equal epochs, hymenoptera (244 pictures) is learnt
from those weights with a new head, by a head alone on the frozen backbone, and from scratch, which gets the better of
two learning rates.

    OMP_NUM_THREADS=1 nice .venv/bin/python -m benchmarks.transfer --seeds 3
"""

from __future__ import annotations

import argparse
import io
import tarfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from sagedock.algorithms.image_classification import networks
from sagedock.algorithms.image_classification.learner import Learner
from sagedock.algorithms.image_classification.schedule import Schedule
from sagedock.formats import safetensors
from sagedock.training.cluster import Alone

FOLDER = Path(__file__).parents[2] / "shared" / "data" / "images"
VALUES: Mapping[str, Any] = {
    "optimizer": "sgd",
    "momentum": 0.9,
    "weight_decay": 5e-4,
    "multi_label": 0,
    "precision_dtype": "float32",
    "mini_batch_size": 32,
    "_frozen_backbone": 0,
}
SCRATCH_RATES = 0.05, 0.01
TRANSFER_RATE, HEAD_RATE = 0.01, 0.1
BATCH = 32


@dataclass(frozen=True)
class Plan:
    """A network, the side of its pictures, and for how many epochs it learns the first set."""

    layers: int
    side: int
    epochs: int
    steps: Sequence[int]


PLANS = (Plan(20, 32, 10, (6, 9)), Plan(18, 64, 3, (2,)))


@dataclass(frozen=True)
class Pictures:
    """Squares an eighth larger than what a network sees: (n, 3, larger, larger), and their classes (n,)."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    names: Sequence[str]

    @classmethod
    def read(cls, archive: Path, part: str, side: int) -> Pictures:
        """The pictures of a part, 'train' or 'val', their shorter side resized and the middle kept."""
        found: list[tuple[str, NDArray[np.uint8]]] = []
        with tarfile.open(archive) as tar:
            for member in sorted(tar, key=lambda each: each.name):
                _, folder, *rest = member.name.split("/")
                stream = tar.extractfile(member)
                if folder == part and stream is not None:
                    found.append((rest[0], square(stream.read(), side + side // 8)))
        names = sorted({name for name, _ in found})
        pixels = np.stack([pixels for _, pixels in found])
        return cls(pixels, np.array([names.index(name) for name, _ in found], np.int64), names)

    def middle(self, side: int) -> NDArray[np.uint8]:
        """What validation sees."""
        begin = (self.pixels.shape[2] - side) // 2
        return self.pixels[:, :, begin : begin + side, begin : begin + side]

    def drawn(self, chosen: NDArray[np.int64], side: int, random: np.random.Generator) -> NDArray[np.uint8]:
        """What training sees: a random crop, mirrored every other time (augmentation_type crop)."""
        room = self.pixels.shape[2] - side
        found = np.empty((len(chosen), 3, side, side), np.uint8)
        for place, number in enumerate(chosen):
            top, left = random.integers(0, room + 1, 2)
            crop = self.pixels[number, :, top : top + side, left : left + side]
            found[place] = crop[:, :, ::-1] if random.random() < 0.5 else crop
        return found


def square(encoded: bytes, side: int) -> NDArray[np.uint8]:
    """(3, side, side)."""
    image = Image.open(io.BytesIO(encoded)).convert("RGB")
    scale = side / min(image.size)
    width, height = (max(side, round(length * scale)) for length in image.size)
    left, top = (width - side) // 2, (height - side) // 2
    found = image.resize((width, height), Image.Resampling.BILINEAR).crop((left, top, left + side, top + side))
    return np.asarray(found).transpose(2, 0, 1).copy()


def learn(
    network: networks.Network, train: Pictures, validation: Pictures, schedule: Schedule, epochs: int, seed: int
) -> float:
    """Train all of a network; the accuracy after the last epoch."""
    learner, side = Learner(network, VALUES, Alone("algo-1")), network.image_shape[1]
    for epoch in range(epochs):
        random = np.random.default_rng([seed, epoch])
        order = random.permutation(len(train.labels))
        for begin in range(0, len(order) - BATCH + 1, BATCH):
            chosen = order[begin : begin + BATCH]
            learner.step(train.drawn(chosen, side, random), train.labels[chosen], schedule.at(epoch))
    return accuracy(learner, validation.middle(side), validation.labels)


def learn_head(network: networks.Network, train: Pictures, validation: Pictures, epochs: int, seed: int) -> float:
    """Train the head alone, on features that are computed once."""
    learner, side = Learner(network, {**VALUES, "_frozen_backbone": 1}, Alone("algo-1")), network.image_shape[1]
    features, shown = (in_parts(learner.features, pictures.middle(side)) for pictures in (train, validation))
    for epoch in range(epochs):
        order = np.random.default_rng([seed, epoch]).permutation(len(features))
        for begin in range(0, len(order), BATCH):
            chosen = order[begin : begin + BATCH]
            learner.step(features[chosen], train.labels[chosen], HEAD_RATE)
    return accuracy(learner, shown, validation.labels)


def in_parts(function: Any, pictures: NDArray[Any]) -> NDArray[np.float32]:
    """What a function says of pictures, some at a time."""
    return np.concatenate([function(pictures[begin : begin + 256]) for begin in range(0, len(pictures), 256)])


def accuracy(learner: Learner, pictures: NDArray[Any], labels: NDArray[np.int64]) -> float:
    return float((in_parts(learner.probabilities, pictures).argmax(1) == labels).mean())


def pretrained(plan: Plan, folder: Path, kept: Path | None) -> networks.Network:
    """The network that knows CIFAR-10, from `kept` where an earlier run left it."""
    network = networks.build(plan.layers, 10, (3, plan.side, plan.side), seed=0)
    file = None if kept is None else kept / f"cifar10-{plan.layers}-{plan.side}-{plan.epochs}.safetensors"
    if file is not None and file.exists():
        network.put({name: torch.from_numpy(array.copy()) for name, array in safetensors.read(file).arrays.items()})
        return network
    train, validation = (Pictures.read(folder / "cifar10_sample.tar", part, plan.side) for part in ("train", "val"))
    begin = time.process_time()
    found = learn(network, train, validation, Schedule(0.05, 0.1, plan.steps), plan.epochs, 0)
    print(
        f"{plan.layers} layers at {plan.side} px: CIFAR-10 to {100 * found:.1f} % in {plan.epochs} epochs, "
        f"{time.process_time() - begin:.0f} CPU s",
        flush=True,
    )
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        safetensors.write(file, {name: each.numpy() for name, each in network.tensors().items()}, {})
    return network


def compared(plan: Plan, seed_network: networks.Network, epochs: int, seeds: int, folder: Path) -> None:
    """Print a line for each way of learning hymenoptera: accuracy on every seed, mean and spread, and the margin."""
    train, validation = (Pictures.read(folder / "hymenoptera_256.tar", part, plan.side) for part in ("train", "val"))
    shape, classes = (3, plan.side, plan.side), len(train.names)
    found: dict[str, list[float]] = {"from scratch": [], "transfer": [], "transfer, frozen": []}
    for seed in range(seeds):

        def begun(seed: int = seed) -> networks.Network:
            network = networks.build(plan.layers, classes, shape, seed=1 + seed)
            network.put(seed_network.tensors(), head=False)
            return network

        anew = [networks.build(plan.layers, classes, shape, seed=1 + seed) for _ in SCRATCH_RATES]
        tried = [
            learn(network, train, validation, Schedule(rate, 0.1, (epochs * 2 // 3,)), epochs, seed)
            for network, rate in zip(anew, SCRATCH_RATES, strict=True)
        ]
        found["from scratch"].append(max(tried))
        schedule = Schedule(TRANSFER_RATE, 0.1, (epochs * 2 // 3,))
        found["transfer"].append(learn(begun(), train, validation, schedule, epochs, seed))
        found["transfer, frozen"].append(learn_head(begun(), train, validation, epochs, seed))
    scratch = np.array(found["from scratch"])
    for name, accuracies in found.items():
        each, margin = " ".join(f"{100 * one:.1f}" for one in accuracies), 100 * (np.array(accuracies) - scratch)
        print(
            f"{plan.layers} layers at {plan.side} px, {epochs} epochs, {name:16}: {100 * np.mean(accuracies):5.1f} % "
            f"+- {100 * np.std(accuracies):.1f} ({each}); beats scratch by {margin.mean():.1f} points, "
            f"by {margin.min():.1f} at least",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=10, help="of hymenoptera, for all ways alike")
    parser.add_argument("--layers", type=int, nargs="*", default=[plan.layers for plan in PLANS])
    parser.add_argument("--folder", type=Path, default=FOLDER, help="the shared data folder's images")
    parser.add_argument("--keep", type=Path, help="where networks that know CIFAR-10 are kept for another run")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for plan in PLANS:
        if plan.layers in options.layers:
            begin = time.process_time()
            compared(
                plan, pretrained(plan, options.folder, options.keep), options.epochs, options.seeds, options.folder
            )
            print(f"{plan.layers} layers: {time.process_time() - begin:.0f} CPU s in all", flush=True)


if __name__ == "__main__":
    main()
