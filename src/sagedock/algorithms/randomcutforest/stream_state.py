"""The file `stream_algo-1`: where a stream stood at the end of training, which each server goes on from."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sagedock.algorithms.randomcutforest.detector import Detector
from sagedock.algorithms.randomcutforest.stream import Stream
from sagedock.algorithms.randomcutforest.trees import Floats
from sagedock.errors import ModelError
from sagedock.formats import safetensors
from sagedock.formats.safetensors import Tensors

NAME = "stream_algo-1"
FORMAT = "sagedock random cut stream"
VERSION = "1"
_LAST = "last"


def write(directory: Path, stream: Stream, last: Floats) -> None:
    """Write the stream to `directory`, and the last points (points, columns of a point) of its series."""
    safetensors.write(directory / NAME, {**stream.state(), _LAST: last}, {"format": FORMAT, "version": VERSION})


def read(file: Path, detector: Detector) -> tuple[Stream, Floats]:
    """What `write` wrote to `file`, for rows put before it by `detector`. Raises ModelError with reason and remedy."""
    try:
        tensors = safetensors.read(file)
        return _stream(tensors, detector), _last(tensors, detector)
    except OSError as error:
        raise ModelError(f"cannot read {file}: {error.strerror}; deploy the model's archive again") from error
    except ValueError as error:
        raise ModelError(
            f"{file} is no state of a stream that can be read ({error}): deploy the model's archive again, or set "
            "SAGEDOCK_STREAMING to off"
        ) from error


def _stream(tensors: Tensors, detector: Detector) -> Stream:
    said = {name: tensors.metadata.get(name, "not said")[:60] for name in ("format", "version")}
    if said != {"format": FORMAT, "version": VERSION}:
        raise ValueError(f"it is {said['format']!r} of version {said['version']!r}, and read is {FORMAT!r}, {VERSION}")
    stream = Stream.resumed(tensors.arrays)
    if stream.trees.columns != detector.forest.columns:
        raise ValueError(f"it has {stream.trees.columns} columns, and its forest {detector.forest.columns}")
    return stream


def _last(tensors: Tensors, detector: Detector) -> Floats:
    last = tensors.arrays.get(_LAST)
    if last is None or last.dtype != np.float32 or last.ndim != 2 or last.shape[1] != detector.columns:
        raise ValueError(f"it holds no last points of {detector.columns} columns")
    if len(last) >= detector.shingle_size or not np.isfinite(last).all():
        raise ValueError(f"its last points are more than a shingle of {detector.shingle_size} waits for, or none")
    return last
