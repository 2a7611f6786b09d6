"""Residual networks of our own: batch normalisation and ReLU come before each convolution (He et al., 2016,
"Identity mappings in deep residual networks"), as in the network that the built-in trains (MXNet's example, resnet.py).
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from sagedock.algorithms.image_classification.layouts import FILTERS, NARROW_STEM, SMALL_FILTERS, Layout

_EPSILON, _MOMENTUM = 2e-5, 0.1
"""Of batch normalisation; MXNet's momentum 0.9 is what is kept of the running statistics, torch's what is replaced."""


def _normalisation(width: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(width, eps=_EPSILON, momentum=_MOMENTUM)


def _convolution(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)


class Block(nn.Module):  # type: ignore[misc] # torch is not followed by the type checker
    """Two convolutions of 3 x 3, or three of a bottleneck, beside a shortcut: in a stage's first, a projection."""

    def __init__(self, inputs: int, outputs: int, stride: int, *, bottleneck: bool, first: bool) -> None:
        super().__init__()
        inner = outputs // 4 if bottleneck else outputs
        self.bn1 = _normalisation(inputs)
        self.conv1 = _convolution(inputs, inner, 1 if bottleneck else 3, 1 if bottleneck else stride)
        self.bn2 = _normalisation(inner)
        self.conv2 = _convolution(inner, inner if bottleneck else outputs, 3, stride if bottleneck else 1)
        self.bn3 = _normalisation(inner) if bottleneck else None
        self.conv3 = _convolution(inner, outputs, 1) if bottleneck else None
        self.shortcut: nn.Module | None = _convolution(inputs, outputs, 1, stride) if first else None

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        active = functional.relu(self.bn1(values))
        beside = values if self.shortcut is None else self.shortcut(active)
        found = self.conv2(functional.relu(self.bn2(self.conv1(active))))
        if self.conv3 is not None and self.bn3 is not None:
            found = self.conv3(functional.relu(self.bn3(found)))
        return found + beside


class PreactivationNetwork(nn.Module):  # type: ignore[misc] # torch is not followed by the type checker
    """From standardised pictures (n, C, H, W) to features (n, width of the last stage)."""

    def __init__(self, layout: Layout, channels: int, stem: int) -> None:
        super().__init__()
        width = SMALL_FILTERS if layout.small else FILTERS
        self.conv1 = _convolution(channels, width, stem, 1 if stem == NARROW_STEM else 2)
        self.bn1 = None if stem == NARROW_STEM else _normalisation(width)
        inputs = width
        for number, blocks in enumerate(layout.blocks):
            outputs = width * 2**number * (4 if layout.bottleneck else 1)
            stage = [
                Block(
                    inputs if place == 0 else outputs,
                    outputs,
                    2 if number and place == 0 else 1,
                    bottleneck=layout.bottleneck,
                    first=place == 0,
                )
                for place in range(blocks)
            ]
            setattr(self, f"layer{number + 1}", nn.Sequential(*stage))
            inputs = outputs
        self.stages = len(layout.blocks)
        self.bn2 = _normalisation(inputs)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        values = self.conv1(pictures)
        if self.bn1 is not None:
            values = functional.max_pool2d(functional.relu(self.bn1(values)), 3, 2, 1)
        for number in range(self.stages):
            values = getattr(self, f"layer{number + 1}")(values)
        return functional.relu(self.bn2(values)).mean((2, 3))
