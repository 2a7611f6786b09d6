"""The weights of every n-th epoch (checkpoint_frequency): files of the model, which outlive a killed job."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from sagedock.algorithms.image_classification import weights
from sagedock.algorithms.image_classification.networks import Network
from sagedock.contracts.files import make_directory, write_bytes

log = logging.getLogger(__name__)


def name(epoch: int) -> str:
    """The file of an epoch's weights, epochs counted from 1."""
    return f"image-classification-{epoch:04d}.params"


@dataclass(frozen=True)
class KeptEpochs:
    """Files in the model's directory, and copies beside the checkpoints, where there are some."""

    frequency: int | None
    model: Path
    checkpoints: Path | None

    def note(self, epoch: int, network: Network) -> str | None:
        """Epoch `epoch`, counted from 1, has ended: the name of its file, if it is one to keep."""
        if self.frequency is None or epoch % self.frequency:
            return None
        for directory in filter(None, (self.checkpoints, self.model)):
            weights.write(make_directory(directory) / name(epoch), network, {"epoch": str(epoch)})
        return name(epoch)

    def names(self, epochs: int) -> list[str]:
        """The files of a job of so many epochs; those that an earlier run of it kept are fetched."""
        if self.frequency is None:
            return []
        wanted = [name(epoch) for epoch in range(self.frequency, epochs + 1, self.frequency)]
        return [each for each in wanted if self._is_there(each)]

    def _is_there(self, wanted: str) -> bool:
        if (self.model / wanted).is_file():
            return True
        copy = None if self.checkpoints is None else self.checkpoints / wanted
        if copy is None or not copy.is_file():
            log.warning("%s is not beside the checkpoints any more: the model goes without it", wanted)
            return False
        write_bytes(self.model / wanted, copy.read_bytes())
        return True
