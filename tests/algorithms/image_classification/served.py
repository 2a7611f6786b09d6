"""Networks that have seen pictures, so that batch normalisation knows them, and their files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from sagedock.algorithms.image_classification import export, networks
from sagedock.algorithms.image_classification.description import NETWORK, Description
from sagedock.algorithms.image_classification.networks import Network

torch.set_num_threads(1)


def pictures(shape: tuple[int, int, int], count: int = 4, seed: int = 0) -> NDArray[np.uint8]:
    """Noise of several brightnesses, (count, *shape)."""
    random = np.random.default_rng(seed)
    return (random.integers(0, 256, (count, *shape)) * random.random((count, 1, 1, 1))).astype(np.uint8)


def network(layers: int, shape: tuple[int, int, int], classes: int = 3, stem: int | None = None) -> Network:
    """In evaluation mode; its logits are a few units apart."""
    made = networks.build(layers, classes, shape, seed=1, stem=stem)
    with torch.no_grad():
        for tensor in made.tensors().values():
            tensor.add_(
                0.05 * torch.rand(tensor.shape, generator=torch.Generator().manual_seed(2)) * (tensor.ndim == 1)
            )
        made.train()
        for module in made.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = None  # the mean over all batches
        for seed in range(2):
            made(torch.from_numpy(pictures(shape, 8, seed)))
        made.eval()
        logits = made(torch.from_numpy(pictures(shape, 8)))
        made.head.weight.div_(logits.std())
    return made


def description(made: Network, precision: str = "float32", *, multi_label: bool = False) -> Description:
    return Description(
        made.num_layers, made.image_shape, made.num_classes, made.stem, multi_label=multi_label, precision=precision
    )


def exported(made: Network, described: Description, directory: Path) -> Path:
    """The file, its ranges taken from other pictures than `pictures` gives by default."""
    file = directory / NETWORK
    export.write(made, described, file, [pictures(made.image_shape, 16, seed=5)])
    return file


def expected(made: Network, shown: NDArray[np.uint8], *, multi_label: bool = False) -> NDArray[np.float32]:
    """What torch answers."""
    with torch.inference_mode():
        logits = made(torch.from_numpy(shown))
    return (torch.sigmoid(logits) if multi_label else torch.softmax(logits, 1)).numpy()
