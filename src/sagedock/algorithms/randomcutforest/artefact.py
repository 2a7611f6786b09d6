"""The model file `model_algo-1`: the arrays of a forest as safetensors, mapped into memory when they are served."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sagedock.algorithms.randomcutforest.forest import Forest
from sagedock.errors import ModelError
from sagedock.formats import safetensors
from sagedock.formats.safetensors import Tensors

NAME = "model_algo-1"
"""What SageMaker's built-in algorithm calls its artefact."""
FORMAT = "sagedock random cut forest"
VERSION = "1"
_ARRAYS = ("dimension", "cut", "box", "point", "mass")
MOST_SAMPLES = 1 << 31


def write(directory: Path, forest: Forest, facts: Mapping[str, str] | None = None) -> None:
    """Write the forest to `directory`, and texts that belong to it."""
    metadata = {"format": FORMAT, "version": VERSION, "samples_per_tree": str(forest.samples_per_tree)}
    safetensors.write(directory / NAME, forest.arrays(), {**(facts or {}), **metadata})


def read(file: Path) -> tuple[Forest, Mapping[str, str]]:
    """The forest in `file`, and what `write` was told beside it. Raises ModelError with the reason and a remedy."""
    try:
        tensors = safetensors.read(file)
        return _forest(tensors), tensors.metadata
    except OSError as error:
        raise ModelError(f"cannot read {file}: {error.strerror}") from error
    except ValueError as error:
        raise ModelError(
            f"{file} is no random cut forest that can be read ({error}): deploy the model's archive again; a model of "
            "SageMaker's own container has to be trained anew"
        ) from error


def _forest(tensors: Tensors) -> Forest:
    metadata, arrays = tensors.metadata, tensors.arrays
    if metadata.get("format") != FORMAT:
        raise ValueError(f"its format is {metadata.get('format', 'not said')[:60]!r}, not {FORMAT!r}")
    if metadata.get("version") != VERSION:
        raise ValueError(f"it is of version {metadata.get('version', 'not said')[:20]!r}, and read is {VERSION}")
    if set(arrays) != set(_ARRAYS):
        raise ValueError(f"it holds {', '.join(sorted(arrays))[:100] or 'nothing'}, not {', '.join(_ARRAYS)}")
    samples = metadata.get("samples_per_tree", "")
    if not (samples.isascii() and samples.isdigit()) or not 0 < int(samples[:20]) < MOST_SAMPLES:
        raise ValueError(f"its samples_per_tree is {samples[:20]!r}, not a whole number from 1")
    return Forest(int(samples), *(arrays[name] for name in _ARRAYS))
