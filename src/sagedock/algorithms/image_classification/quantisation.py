"""Eight bits in place of thirty-two: scales for the values between operations, found with pictures, and for weights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.image_classification import engine, onnx_file
from sagedock.algorithms.image_classification.folding import Arrays
from sagedock.algorithms.image_classification.graph import Graph

Pictures = NDArray[np.uint8]

_AT_ONCE = 4
"""Pictures: all values between operations are held at once, some 50 MB a picture of ResNet-50."""
_MOST = 63
"""Of a weight. Seven bits: processors without VNNI add two products in sixteen bits, which 127 would overflow."""
_LEAST_RANGE = 1e-6
_UINT8 = 255

Ranges = dict[str, tuple[float, float]]


def quantised(plain: Graph, whole: Graph, arrays: Arrays, calibration: Iterable[Pictures]) -> Arrays:
    """The arrays of `whole`, the graph in eight bits, made of those of `plain`, which is the same in 32 bits."""
    found: Arrays = {name: arrays[name] for name, spec in whole.tensors.items() if name in arrays}
    for value, (low, high) in _ranges(plain, whole, arrays, calibration).items():
        scale = np.float32(max(high - low, _LEAST_RANGE) / _UINT8)
        found[f"{value}.scale"] = np.array(scale)
        found[f"{value}.zero"] = np.array(np.clip(np.rint(-low / scale), 0, _UINT8).astype(np.uint8))
    for name, value in whole.inputs_of.items():
        found.update(_weights(name, arrays, found[f"{value}.scale"]))
    return found


def _weights(name: str, arrays: Arrays, scale: NDArray[np.float32]) -> Arrays:
    """Of one convolution, one scale for each output; its bias has the scale of the sums it is added to."""
    weight, bias = arrays[f"{name}.weight"], arrays[f"{name}.bias"]
    largest = np.abs(weight).reshape(len(weight), -1).max(axis=1)
    scales = (np.maximum(largest, _LEAST_RANGE) / _MOST).astype(np.float32)
    sums = (scales * scale).astype(np.float32)
    whole = np.rint(weight / scales.reshape(-1, 1, 1, 1)).astype(np.int8)
    most = 2**30
    return {
        f"{name}.weight": whole,
        f"{name}.weight.scale": scales,
        f"{name}.weight.zero": np.zeros(len(weight), np.int8),
        f"{name}.bias": np.clip(np.rint(bias.astype(np.float64) / sums), -most, most).astype(np.int32),
        f"{name}.bias.scale": sums,
        f"{name}.bias.zero": np.zeros(len(weight), np.int32),
    }


def _ranges(plain: Graph, whole: Graph, arrays: Arrays, calibration: Iterable[Pictures]) -> Ranges:
    """The least and the largest of each value that goes through eight bits, 0 included."""
    outputs = {node.output for node in plain.nodes}
    sources = {value: f"{value}.relu" if f"{value}.relu" in outputs else value for value in whole.quantised}
    names = list(sources.values())
    run = engine.values(b"".join(onnx_file.content(plain, arrays, names)), names)
    low, high = np.zeros(len(names)), np.zeros(len(names))
    seen = 0
    for pictures in _few(calibration):
        values = run(pictures)
        low = np.minimum(low, [each.min() for each in values])
        high = np.maximum(high, [each.max() for each in values])
        seen += len(pictures)
    if not seen:
        raise ValueError("int8 takes its ranges from pictures, and there are none")
    return {value: (float(a), float(b)) for value, a, b in zip(sources, low, high, strict=True)}


def _few(calibration: Iterable[Pictures]) -> Iterator[Pictures]:
    for pictures in calibration:
        for begin in range(0, len(pictures), _AT_ONCE):
            yield pictures[begin : begin + _AT_ONCE]
