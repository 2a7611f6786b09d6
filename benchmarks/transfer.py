"""What transfer learning is worth: networks that know CIFAR-10 go on with another set, beside some that begin anew.

A network learns CIFAR-10 (8,000 pictures of the shared data folder) once, 20 layers at 32 x 32 and 18 at 40 x 40. Then,
on each seed and for equal epochs, another set of 244 pictures is learnt from those weights with a new head, by a head
alone on the frozen backbone, and from scratch: digits (MNIST, 1,000 others of which are asked about) or hymenoptera,
ants and bees. Transfer and scratch both get the better of the same learning rates, by the mean over the seeds.

    OMP_NUM_THREADS=1 nice .venv/bin/python -m benchmarks.transfer --seeds 3 --sets digits hymenoptera
"""

from __future__ import annotations

import argparse
import gzip
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

FOLDER = Path(__file__).parents[2] / "shared" / "data"
VALUES: Mapping[str, Any] = {
    "optimizer": "sgd",
    "momentum": 0.9,
    "weight_decay": 5e-4,
    "multi_label": 0,
    "precision_dtype": "float32",
    "mini_batch_size": 32,
    "_frozen_backbone": 0,
}
RATES = 0.1, 0.03
HEAD_RATE = 0.1
BATCH = 32
LEARNT, ASKED = 244, 1000
"""Digits."""
SETS = {"digits": "digits", "hymenoptera": "hymenoptera_256"}


@dataclass(frozen=True)
class Plan:
    """A network, the side of its pictures, and for how many epochs it learns the first set."""

    layers: int
    side: int
    epochs: int
    steps: Sequence[int]


PLANS = (Plan(20, 32, 10, (6, 9)), Plan(18, 40, 2, (1,)))


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

    @classmethod
    def digits(cls, folder: Path, begin: int, end: int, side: int) -> Pictures:
        """Some of MNIST's, in colours that are all alike."""
        raw = gzip.decompress((folder / "train-images-idx3-ubyte.gz").read_bytes())[16:]
        labels = gzip.decompress((folder / "train-labels-idx1-ubyte.gz").read_bytes())[8:]
        grey = np.frombuffer(raw, np.uint8).reshape(-1, 28, 28)[begin:end]
        larger = side + side // 8
        pixels = [np.asarray(Image.fromarray(one).resize((larger, larger), Image.Resampling.BILINEAR)) for one in grey]
        shown = np.repeat(np.stack(pixels)[:, None], 3, 1)
        return cls(shown, np.frombuffer(labels, np.uint8)[begin:end].astype(np.int64), list("0123456789"))

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


def read(name: str, folder: Path, side: int) -> tuple[Pictures, Pictures]:
    """A set to learn, and one to judge by."""
    if name == "digits":
        bounds = ((0, LEARNT), (LEARNT, LEARNT + ASKED))
        first, second = (Pictures.digits(folder / "mnist", begin, end, side) for begin, end in bounds)
    else:
        first, second = (Pictures.read(folder / "images" / f"{name}.tar", part, side) for part in ("train", "val"))
    return first, second


def learn(
    network: networks.Network, train: Pictures, validation: Pictures, schedule: Schedule, epochs: int, seed: int
) -> float:
    """Train all of a network; the accuracy after the last epoch. Digits are mirrored too, for all ways alike."""
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
    train, validation = read("cifar10_sample", folder, plan.side)
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


def compared(plan: Plan, known: networks.Network, name: str, options: argparse.Namespace) -> None:
    """Print a line for each way of learning a set: accuracy on every seed, mean and spread, and the margin."""
    train, validation = read(SETS[name], options.folder, plan.side)
    shape, classes, epochs = (3, plan.side, plan.side), len(train.names), options.epochs

    def begun(seed: int, knowing: bool) -> networks.Network:
        network = networks.build(plan.layers, classes, shape, seed=1 + seed)
        if knowing:
            network.put(known.tensors(), head=False)
        return network

    def best(knowing: bool) -> list[float]:
        schedules = [Schedule(rate, 0.1, (epochs * 2 // 3,)) for rate in RATES]
        tried = [
            [learn(begun(seed, knowing), train, validation, one, epochs, seed) for seed in range(options.seeds)]
            for one in schedules
        ]
        return max(tried, key=lambda accuracies: float(np.mean(accuracies)))

    found = {"from scratch": best(False), "transfer": best(True)}
    seeds = range(options.seeds)
    found["transfer, frozen"] = [learn_head(begun(seed, True), train, validation, epochs, seed) for seed in seeds]
    for way, accuracies in found.items():
        margin = 100 * (np.array(accuracies) - found["from scratch"])
        each = " ".join(f"{100 * one:.1f}" for one in accuracies)
        told = f"; beats scratch by {margin.mean():.1f} points, by {margin.min():.1f} at least"
        print(
            f"{name}, {plan.layers} layers at {plan.side} px, {epochs} epochs, {way}: "
            f"{100 * np.mean(accuracies):.1f} % +- {100 * np.std(accuracies):.1f} ({each})"
            f"{'' if way == 'from scratch' else told}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=6, help="of the second set, for all ways alike")
    parser.add_argument("--sets", nargs="*", default=["digits"], choices=[*SETS])
    parser.add_argument("--layers", type=int, nargs="*", default=[plan.layers for plan in PLANS])
    parser.add_argument("--folder", type=Path, default=FOLDER, help="the shared data folder")
    parser.add_argument("--keep", type=Path, help="where networks that know CIFAR-10 are kept for another run")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for plan in PLANS:
        if plan.layers in options.layers:
            begin = time.process_time()
            known = pretrained(plan, options.folder, options.keep)
            for name in options.sets:
                compared(plan, known, name, options)
            print(f"{plan.layers} layers: {time.process_time() - begin:.0f} CPU s in all", flush=True)


if __name__ == "__main__":
    main()
