"""Grad-CAM on networks whose answer is known."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from sagedock.algorithms.image_classification import networks, saliency


def corners() -> nn.Module:
    """Class 0 is told by brightness of the first channel, class 1 by that of the second."""
    network = nn.Sequential(nn.Conv2d(3, 2, 3, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 2))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        network[0].weight[0, 0, 1, 1] = network[0].weight[1, 1, 1, 1] = 1.0
        network[3].weight.copy_(torch.eye(2))
    return network


def test_what_speaks_for_a_class_is_found_where_it_lies() -> None:
    picture = np.zeros((3, 16, 16), np.uint8)
    picture[0, :4, :4] = 255
    picture[1, 12:, 12:] = 255
    first, second = saliency.grad_cam(corners(), np.stack([picture, picture]), [0, 1])
    assert first[:4, :4].min() > 0 == first[12:, 12:].max()
    assert second[12:, 12:].min() > 0 == second[:4, :4].max()


def test_a_network_is_left_as_it_was_and_a_frozen_one_explained_too() -> None:
    torch.set_num_threads(1)
    network = networks.build(20, 3, (3, 28, 28)).train()
    network.backbone.requires_grad_(requires_grad=False)
    before = {name: tensor.clone() for name, tensor in network.tensors().items()}
    pictures = np.random.default_rng(0).integers(0, 256, (2, 3, 28, 28), dtype=np.uint8)
    maps = saliency.grad_cam(network, pictures, [0, 2])
    assert maps.shape == (2, 28, 28)
    assert np.isfinite(maps).all()
    assert maps.min() >= 0
    assert maps.max() > 0
    assert network.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.tensors().items())
    assert not any(module._forward_hooks for module in network.modules())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_a_network_without_a_map_explains_nothing() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
    assert not saliency.grad_cam(network, np.ones((1, 3, 2, 2), np.uint8), [1]).any()
