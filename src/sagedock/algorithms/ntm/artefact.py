"""The model files: `ntm.safetensors`, which is served, and `model_algo-1`, a ZIP archive as the built-in's is.

Users of the built-in unzip model_algo-1 and read `projection_weight` (words, topics): the softmax of a column is the
distribution of words of a topic. Here it is an entry in NumPy's format, and numpy.load opens the whole archive.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.ntm.encoder import ACTIVATIONS, Encoder
from sagedock.algorithms.ntm.hyperparameters import MOST_LAYERS
from sagedock.contracts.files import write_bytes
from sagedock.errors import ModelError
from sagedock.formats import safetensors
from sagedock.formats.safetensors import Tensors

NAME, ARCHIVE, DESCRIPTION = "ntm.safetensors", "model_algo-1", "ntm.json"
FORMAT, VERSION = "sagedock ntm", "1"
_PROJECTION, _BIAS = "projection_weight", "projection_bias"

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Decoder:
    """What makes words of topics: softmax(W z + b), W being `projection` (words, topics)."""

    projection: Floats
    bias: Floats
    """(words,)."""


def write(directory: Path, encoder: Encoder, decoder: Decoder, description: Mapping[str, Any]) -> Sequence[str]:
    """Write the files; their names."""
    arrays = {_PROJECTION: decoder.projection, _BIAS: decoder.bias}
    layers = zip(encoder.weights, encoder.biases, strict=True)
    encoding = {
        f"encoder.{number}.{name}": array
        for number, layer in enumerate(layers)
        for name, array in zip(("weight", "bias"), layer, strict=True)
    }
    facts = {"format": FORMAT, "version": VERSION, "activation": encoder.activation}
    safetensors.write(directory / NAME, {**arrays, **encoding}, facts)
    archive = io.BytesIO()
    np.savez(archive, projection_weight=decoder.projection, projection_bias=decoder.bias)
    write_bytes(directory / ARCHIVE, archive.getvalue())
    write_bytes(directory / DESCRIPTION, json.dumps(dict(description), indent=2).encode() + b"\n")
    return [NAME, ARCHIVE, DESCRIPTION]


def read(file: Path) -> tuple[Encoder, Decoder]:
    """What `write` wrote to NAME. Raises ModelError with the reason and a remedy."""
    try:
        return _parts(safetensors.read(file))
    except OSError as error:
        raise ModelError(f"cannot read {file}: {error.strerror}") from error
    except ValueError as error:
        raise ModelError(
            f"{file} is no neural topic model that can be read ({error}): deploy the model's archive again; a model of "
            "SageMaker's own container has to be trained anew"
        ) from error


def _parts(tensors: Tensors) -> tuple[Encoder, Decoder]:
    found, arrays = tensors.metadata, tensors.arrays
    tensors.require_format(FORMAT, VERSION)
    activation = found.get("activation", "not said")
    if activation not in ACTIVATIONS:
        raise ValueError(f"its activation is {activation[:20]!r}, and known are {', '.join(ACTIVATIONS)}")
    layers, names = (len(arrays) - 2) // 2, ("weight", "bias")
    wanted = {_PROJECTION, _BIAS, *(f"encoder.{number}.{name}" for number in range(layers) for name in names)}
    if set(arrays) != wanted or not 2 <= layers <= MOST_LAYERS + 1:
        raise ValueError(f"it holds {', '.join(sorted(arrays))[:100] or 'nothing'}, not {_PROJECTION} and layers")
    for name, array in arrays.items():
        if array.dtype != np.float32 or not np.isfinite(array).all():
            raise ValueError(f"{name} is not of finite 32-bit floats")
    weights, biases = ([arrays[f"encoder.{number}.{name}"] for number in range(layers)] for name in names)
    _require_fit(weights, biases, arrays[_PROJECTION], arrays[_BIAS])
    return Encoder(weights, biases, activation), Decoder(arrays[_PROJECTION], arrays[_BIAS])


def _require_fit(weights: Sequence[Floats], biases: Sequence[Floats], projection: Floats, bias: Floats) -> None:
    """Raise ValueError where one layer's outputs are not the next one's inputs."""
    if projection.ndim != 2 or bias.shape != projection.shape[:1] or not projection.size:
        raise ValueError(f"its projection is {projection.shape}, with a bias of {bias.shape}")
    width = projection.shape[0]
    for number, (weight, shift) in enumerate(zip(weights, biases, strict=True)):
        if weight.ndim != 2 or len(weight) != width or not weight.shape[1] or shift.shape != weight.shape[1:]:
            raise ValueError(f"layer {number} is {weight.shape} with a bias of {shift.shape}, behind {width} numbers")
        width = weight.shape[1]
    if width != projection.shape[1]:
        raise ValueError(f"its encoder has {width} topics, and its projection {projection.shape[1]}")
