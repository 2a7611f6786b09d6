"""The numbers of a trained network as the served graph wants them: batch normalisation made a part of convolutions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.image_classification.graph import HEAD, MEAN, STEM, Graph

Arrays = dict[str, NDArray[Any]]


def folded(
    graph: Graph, tensors: Mapping[str, NDArray[np.float32]], mean: NDArray[np.float32], scale: NDArray[np.float32]
) -> Arrays:
    """float32 arrays by the names of the graph without eight bits.

    `tensors` go by the names of `Network.tensors`. `mean` and `scale`, (C,), are what the network subtracts from
    pixels and multiplies them by; the product is a part of the first convolution, and the difference stays, since a
    picture is padded after it.
    """
    found: Arrays = {MEAN: mean.reshape(-1, 1, 1)}
    for each in graph.convolutions:
        weight = tensors[f"{each.name}.weight"].astype(np.float64)
        bias = np.zeros(len(weight))
        if each.name == STEM:
            weight = weight * scale.reshape(1, -1, 1, 1)
        if each.normalisation is not None:
            weight, bias = _normalised(weight, tensors, each.normalisation, graph.epsilon)
        found[f"{each.name}.weight"], found[f"{each.name}.bias"] = weight, bias
    for norm in graph.normalisations:
        for part in ("weight", "bias", "running_mean", "running_var"):
            found[f"{norm.name}.{part}"] = tensors[f"{norm.name}.{part}"]
    for part in ("weight", "bias"):
        found[f"{HEAD}.{part}"] = tensors[f"{HEAD}.{part}"]
    return {name: np.ascontiguousarray(array, np.float32) for name, array in found.items()}


def _normalised(
    weight: NDArray[np.float64], tensors: Mapping[str, NDArray[np.float32]], name: str, epsilon: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weight and bias of a convolution without a bias and the batch normalisation behind it, as one convolution."""
    gain, shift, mean, variance = (
        tensors[f"{name}.{part}"].astype(np.float64) for part in ("weight", "bias", "running_mean", "running_var")
    )
    factor = gain / np.sqrt(variance + epsilon)
    return weight * factor.reshape(-1, 1, 1, 1), shift - mean * factor
