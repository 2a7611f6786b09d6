"""The networks: pictures of raw numbers from 0 to 255 in, one number a class out.

18 to 152 layers are torchvision's residual networks, and the others are ours. Mean and deviation of the pixels are a
part of the first layer, so that weights and a picture's bytes are all that an answer needs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import nn

from sagedock.algorithms.image_classification import layouts, vision
from sagedock.algorithms.image_classification.layouts import LAYOUTS, NARROW_STEM
from sagedock.algorithms.image_classification.preactivation import PreactivationNetwork

_COLOUR_MEAN, _COLOUR_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's pixels between 0 and 1, as torchvision's weights were trained with them."""
_GREY_MEAN, _GREY_DEVIATION = (0.449,), (0.226,)
"""The means of those three."""
_HEAD = "fc."
"""How torchvision calls the last layer in its files."""
_COUNTERS = "num_batches_tracked"
"""What batch normalisation counts and nobody needs: it is no part of a network's tensors."""

Tensors = dict[str, torch.Tensor]


class Network(nn.Module):  # type: ignore[misc] # torch is not followed by the type checker
    """A backbone, from pictures to features, and a head, from features to one number a class (before softmax)."""

    def __init__(self, num_layers: int, num_classes: int, image_shape: Sequence[int], stem: int) -> None:
        super().__init__()
        self.num_layers, self.num_classes, self.stem = num_layers, num_classes, stem
        self.origin = "random numbers"  # of its weights, for people
        self.image_shape: tuple[int, int, int] = (image_shape[0], image_shape[1], image_shape[2])
        layout, channels = LAYOUTS[num_layers], image_shape[0]
        colour = channels == 3
        self.register_buffer("mean", _row(_COLOUR_MEAN if colour else _GREY_MEAN), persistent=False)
        self.register_buffer("scale", 1 / _row(_COLOUR_DEVIATION if colour else _GREY_DEVIATION), persistent=False)
        with torch.device("meta"):  # no numbers are drawn for weights that are then drawn by another rule
            own = PreactivationNetwork(layout, channels, stem) if layout.own else None
            self.backbone: Any = own or _torchvision(num_layers, channels, stem)
            self.head = nn.Linear(layout.features, num_classes)
        self.backbone.to_empty(device="cpu")
        self.head.to_empty(device="cpu")

    def features(self, pictures: torch.Tensor) -> torch.Tensor:
        """(n, width) of pictures (n, C, H, W) from 0 to 255, uint8 or float."""
        return cast("torch.Tensor", self.backbone((pictures.to(self.mean.dtype) - self.mean) * self.scale))

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """(n, classes), before softmax or sigmoid."""
        return cast("torch.Tensor", self.head(self.features(pictures)))

    def tensors(self) -> Tensors:
        """All that is learnt, running statistics included, by torchvision's names; the network's own, not copies.

        torchvision's network of as many layers and classes loads them (strict=False: without counters of batches).
        """
        backbone = {name: tensor for name, tensor in self.backbone.state_dict().items() if not name.endswith(_COUNTERS)}
        return {**backbone, **{f"{_HEAD}{name}": tensor for name, tensor in self.head.state_dict().items()}}

    def put(self, tensors: Mapping[str, torch.Tensor], *, head: bool = True) -> None:
        """Take over tensors of `tensors()`, the head's only if asked. Raises KeyError and ValueError, naming one."""
        for name, mine in self.tensors().items():
            if not head and name.startswith(_HEAD):
                continue
            if tensors[name].shape != mine.shape:
                raise ValueError(f"{name} is {tuple(tensors[name].shape)}, not {tuple(mine.shape)}")
            mine.copy_(tensors[name])


def build(
    num_layers: int, num_classes: int, image_shape: Sequence[int], *, seed: int = 0, stem: int | None = None
) -> Network:
    """A network before its first step, by Xavier's rule: Gaussian of variance 2 / fan-in (the built-in's own).

    `image_shape` is (C, H, W), C being 1 or 3. The stem, the kernel of the first convolution, goes by the height of
    pictures unless it is given. Equal seeds give equal weights, and torch's own random state is left alone.
    """
    if num_layers not in LAYOUTS or image_shape[0] not in {1, 3}:
        raise ValueError(f"no network of {num_layers} layers for pictures of {tuple(image_shape)}")
    kernel = layouts.stem(num_layers, image_shape[1]) if stem is None else stem
    network = Network(num_layers, num_classes, image_shape, kernel)
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
        elif isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu", generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return network


def is_head(name: str) -> bool:
    """Whether a tensor of that name belongs to the last layer."""
    return name.startswith(_HEAD)


def _torchvision(num_layers: int, channels: int, stem: int) -> nn.Module:
    """torchvision's network without its last layer, its stem as asked for."""
    resnet = getattr(vision.torchvision().models, f"resnet{num_layers}")(weights=None)
    if stem == NARROW_STEM:
        resnet.conv1 = nn.Conv2d(channels, layouts.FILTERS, stem, padding=1, bias=False)
        resnet.maxpool = nn.Identity()
    elif channels != 3:
        resnet.conv1 = nn.Conv2d(channels, layouts.FILTERS, stem, 2, padding=3, bias=False)
    resnet.fc = nn.Identity()
    return resnet


def _row(numbers: Sequence[float]) -> torch.Tensor:
    """(1, C, 1, 1), for pixels from 0 to 255."""
    return 255 * torch.tensor(numbers).view(1, -1, 1, 1)
