"""What computes a served network: ONNX Runtime on one thread (docs/decisions/0051), without torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.image_classification import graph, onnx_file, runtime
from sagedock.algorithms.image_classification.description import Description
from sagedock.errors import ModelError

Pictures = NDArray[np.uint8]
Probabilities = NDArray[np.float32]
Run = Callable[[Pictures], Probabilities]


def opened(file: Path, description: Description) -> Run:
    """From pictures (n, C, H, W) to probabilities (n, classes); raises ModelError for what is not the network."""
    return of(onnx_file.read(file, graph.build(description.architecture)), str(file))


def of(content: bytes, name: str) -> Run:
    """The same for a file that was compared already, or has just been made. `name` is for errors."""
    session = _session(content, name)

    def run(pictures: Pictures) -> Probabilities:
        return cast("Probabilities", session.run([graph.OUTPUT], {graph.INPUT: pictures})[0])

    return run


def values(content: bytes, names: list[str]) -> Callable[[Pictures], list[NDArray[np.float32]]]:
    """What flows between operations, of a file that was written with these as outputs."""
    session = _session(content, "the network")
    return lambda pictures: cast("list[NDArray[np.float32]]", session.run(names, {graph.INPUT: pictures}))


def _session(content: bytes, name: str) -> Any:
    """One thread that never spins, since a server has as many processes as processors."""
    onnxruntime = runtime.onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # errors: its warnings are about how it arranges operations
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except (RuntimeError, ValueError) as error:  # what onnxruntime's own errors derive from
        raise ModelError(f"{name} is refused by ONNX Runtime ({str(error)[:200]}): train the model again") from error
