"""The model file `model_algo-1`: the arrays of a forest as safetensors, mapped into memory when they are served."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from sagedock.algorithms.randomcutforest.detector import Detector
from sagedock.algorithms.randomcutforest.forest import Forest
from sagedock.algorithms.randomcutforest.hyperparameters import MOST_SAMPLES
from sagedock.algorithms.randomcutforest.trees import Floats
from sagedock.errors import ModelError
from sagedock.formats import safetensors
from sagedock.formats.safetensors import Tensors

NAME = "model_algo-1"
"""What SageMaker's built-in algorithm calls its artefact."""
FORMAT = "sagedock random cut forest"
VERSION = "1"
_ARRAYS = ("dimension", "cut", "box", "point", "mass")
_SHINGLE, _WEIGHTS, _SCORE, _DEPTH = "shingle_size", "weights", "score", "depth"


def write(directory: Path, detector: Detector, facts: Mapping[str, str] | None = None) -> None:
    """Write the forest to `directory`, how rows are put before it, and texts that belong to it."""
    forest, size = detector.forest, detector.shingle_size
    metadata = {"format": FORMAT, "version": VERSION, "samples_per_tree": str(forest.samples_per_tree)}
    shingle = {_SHINGLE: str(size)} if size > 1 else {}
    score = {_SCORE: _DEPTH} if forest.by_depth else {}
    weights = {_WEIGHTS: detector.weights} if detector.weights is not None else {}
    safetensors.write(
        directory / NAME, {**forest.arrays(), **weights}, {**(facts or {}), **shingle, **score, **metadata}
    )


def read(file: Path) -> tuple[Detector, Mapping[str, str]]:
    """What `write` wrote to `file`, and what it was told beside. Raises ModelError with the reason and a remedy."""
    try:
        tensors = safetensors.read(file)
        return _detector(tensors), tensors.metadata
    except OSError as error:
        raise ModelError(f"cannot read {file}: {error.strerror}") from error
    except ValueError as error:
        raise ModelError(
            f"{file} is no random cut forest that can be read ({error}): deploy the model's archive again; a model of "
            "SageMaker's own container has to be trained anew"
        ) from error


def _detector(tensors: Tensors) -> Detector:
    forest = _forest(tensors)
    size = _whole(tensors.metadata, _SHINGLE, forest.columns) if _SHINGLE in tensors.metadata else 1
    if forest.columns % size:
        raise ValueError(f"its {forest.columns} columns are no shingles of {size} points")
    return Detector(forest, size, _weights(tensors, forest.columns))


def _weights(tensors: Tensors, columns: int) -> Floats | None:
    weights = tensors.arrays.get(_WEIGHTS)
    if weights is None:
        return None
    if weights.dtype != np.float32 or weights.shape != (columns,):
        raise ValueError(f"its weights are {weights.dtype} {weights.shape}, not float32 ({columns},)")
    if not (np.isfinite(weights) & (weights > 0)).all():
        raise ValueError("a weight is not above 0, or not finite")
    return weights


def _whole(metadata: Mapping[str, str], name: str, most: int) -> int:
    text = metadata.get(name, "")
    if not (text.isascii() and text.isdigit()) or not 0 < int(text[:20]) <= most:
        raise ValueError(f"its {name} is {text[:20]!r}, not a whole number from 1 to {most}")
    return int(text)


def _forest(tensors: Tensors) -> Forest:
    metadata, arrays = tensors.metadata, tensors.arrays
    if metadata.get("format") != FORMAT:
        raise ValueError(f"its format is {metadata.get('format', 'not said')[:60]!r}, not {FORMAT!r}")
    if metadata.get("version") != VERSION:
        raise ValueError(f"it is of version {metadata.get('version', 'not said')[:20]!r}, and read is {VERSION}")
    if set(arrays) - {_WEIGHTS} != set(_ARRAYS):
        raise ValueError(f"it holds {', '.join(sorted(arrays))[:100] or 'nothing'}, not {', '.join(_ARRAYS)}")
    samples = _whole(metadata, "samples_per_tree", MOST_SAMPLES)
    if metadata.get(_SCORE, _DEPTH) != _DEPTH:
        raise ValueError(f"its score is by {metadata[_SCORE][:20]!r}, and known is {_DEPTH}")
    return replace(Forest(samples, *(arrays[name] for name in _ARRAYS)), by_depth=_SCORE in metadata)
