"""From a trained network to the file that is served."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.image_classification import engine, graph, onnx_file, quantisation
from sagedock.algorithms.image_classification.description import Description
from sagedock.algorithms.image_classification.engine import Run
from sagedock.algorithms.image_classification.folding import Arrays, folded

Pictures = NDArray[np.uint8]


class Trained(Protocol):
    """What is taken from `networks.Network`: tensors of torch by name, and the first layer's mean and scale."""

    mean: Any
    scale: Any

    def tensors(self) -> Mapping[str, Any]: ...


def write(network: Trained, description: Description, file: Path, calibration: Iterable[Pictures] = ()) -> None:
    """Write `file`, whole or not at all, as `description.precision` says.

    `calibration` are pictures (n, C, H, W) as they will be asked about, a few at a time; int8 takes its ranges from
    them. Raises PlatformError, and ValueError for int8 without pictures.
    """
    plain = graph.build(replace(description.architecture, int8=False))
    arrays = _arrays(plain, network)
    if description.precision == "int8":
        whole = graph.build(description.architecture)
        onnx_file.write(file, whole, quantisation.quantised(plain, whole, arrays, calibration))
    else:
        onnx_file.write(file, plain, arrays)


def float_run(network: Trained, description: Description) -> Run:
    """The engine in 32 bits, whatever is served: what int8 is measured against."""
    plain = graph.build(replace(description.architecture, int8=False))
    return engine.of(b"".join(onnx_file.content(plain, _arrays(plain, network))), "the network")


@dataclass(frozen=True)
class Compared:
    """Shares of right answers of two precisions, and of answers that are the same, over `rows` pictures."""

    rows: int
    exact: float
    served: float
    agreement: float

    @property
    def lost(self) -> float:
        """Points of a hundred that the served one is worse by."""
        return 100 * (self.exact - self.served)


def compared(
    exact: Run, served: Run, batches: Iterable[tuple[Pictures, NDArray[Any]]], *, multi_label: bool
) -> Compared:
    """Judge both on the same labelled pictures: classes (n,), or 0 and 1 a class (n, classes) when multi-label.

    `batches` holds at least one picture. Where several labels are right, each is one decision at a half.
    """
    counts = np.zeros(4)
    for pictures, labels in batches:
        first, second = (_decisions(run(pictures), multi_label=multi_label) for run in (exact, served))
        right = labels > 0.5 if multi_label else labels
        counts += (
            len(pictures),
            (first == right).mean() * len(pictures),
            (second == right).mean() * len(pictures),
            (first == second).mean() * len(pictures),
        )
    rows = int(counts[0])
    return Compared(rows, *(float(count / rows) for count in counts[1:]))


def _decisions(probabilities: NDArray[np.float32], *, multi_label: bool) -> NDArray[Any]:
    return probabilities > 0.5 if multi_label else probabilities.argmax(axis=1)


def _arrays(plain: graph.Graph, network: Trained) -> Arrays:
    tensors = {name: _array(tensor) for name, tensor in network.tensors().items()}
    return folded(plain, tensors, _array(network.mean).ravel(), _array(network.scale).ravel())


def _array(tensor: Any) -> NDArray[np.float32]:
    return cast("NDArray[np.float32]", np.asarray(tensor.detach().float().cpu().numpy()))
