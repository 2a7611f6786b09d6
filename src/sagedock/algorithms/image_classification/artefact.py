"""The files of a model: weights and description under the built-in's names, content of our own, and what is served."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from numpy.typing import NDArray

from sagedock.algorithms.image_classification import export, kept_epochs, weights
from sagedock.algorithms.image_classification.description import NETWORK, SYMBOL, Description
from sagedock.algorithms.image_classification.model import ImageModel
from sagedock.algorithms.image_classification.networks import Network
from sagedock.contracts.files import write_bytes, write_text

SHAPES = "model-shapes.json"


def write(
    directory: Path,
    network: Network,
    description: Description,
    batch: int,
    calibration: Iterable[NDArray[Any]] = (),
) -> Sequence[str]:
    """Write the model that is served, each file whole or not at all; their names.

    `batch` is mini_batch_size, which the built-in writes into the file of shapes; `calibration` are pictures as an
    endpoint sees them, from which int8 takes its ranges.
    """
    name = kept_epochs.name(description.epoch)
    weights.write(directory / name, network, {"epoch": str(description.epoch)})
    shapes = [{"name": "data", "shape": [batch, *description.image_shape]}]
    write_text(directory / SHAPES, json.dumps(shapes) + "\n")
    export.write(network, description, directory / NETWORK, calibration)
    write_text(directory / SYMBOL, description.text())
    return [name, SYMBOL, SHAPES, NETWORK]


@dataclass(frozen=True)
class Written(ImageModel):
    """A model as it was read from its files just written, which are all there."""

    names: Sequence[str] = ()

    @classmethod
    def of(cls, model: ImageModel, names: Sequence[str]) -> Self:
        """`model`, whose directory holds files of these names, with those of further epochs."""
        return cls(model.directory, model.description, model.run, model.settings, names)

    def save(self, directory: Path) -> Sequence[str]:
        """Copy the files, unless they stand there already."""
        if directory != self.directory:
            for name in self.names:
                write_bytes(directory / name, (self.directory / name).read_bytes())
        return self.names
