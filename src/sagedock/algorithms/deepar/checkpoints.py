"""Checkpoints at the ends of epochs, from which a killed job resumes to the same model, bit for bit on a CPU."""

from __future__ import annotations

import json
import logging
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sagedock.contracts.checkpoints import CheckpointFiles, require_same_job
from sagedock.contracts.files import make_directory
from sagedock.formats import safetensors

log = logging.getLogger(__name__)

STEM = "deepar-checkpoint"
KEPT = 2
_BEST = "best."


@dataclass(frozen=True)
class State:
    """What there is after some epochs: their losses, what the trainer keeps, and the arrays of the best epoch."""

    losses: list[float]
    held_out: list[float]
    trainer: Mapping[str, NDArray[Any]]
    best: Mapping[str, NDArray[Any]]


@dataclass
class Checkpoints:
    """The checkpoints of a job: `deepar-checkpoint.<epochs>`, the newest two of those that it writes."""

    directory: Path
    job: Mapping[str, Any]

    def __post_init__(self) -> None:
        self._files = CheckpointFiles(self.directory, STEM, KEPT)

    def latest(self, epochs: int) -> State | None:
        """The newest whole checkpoint of at most `epochs` epochs; None without one.

        Raises UserError when the job that wrote it had other hyperparameters or other data.
        """
        for epoch, file in self._files.newest_first():
            if epoch > epochs:
                log.warning("checkpoint %s is of %d epochs, and epochs is %d: passed over", file, epoch, epochs)
                continue
            state = self._read(file, epoch)
            if state is None:
                log.warning("checkpoint %s is damaged: trying the one before", file)
                continue
            log.info("Checkpoint loaded from %s", file)
            log.info("Resuming after epoch %d", epoch)
            return state
        return None

    def save(self, state: State) -> None:
        """Write the checkpoint of an epoch and delete the oldest of ours beyond the two newest."""
        make_directory(self.directory)
        arrays = {**state.trainer, **{f"{_BEST}{name}": array for name, array in state.best.items()}}
        told = json.dumps({"job": self.job, "losses": state.losses, "held_out": state.held_out}, sort_keys=True)
        file = self._files.file(len(state.losses))
        safetensors.write(file, arrays, {"state": told, "sum": _checksum(arrays, told)})
        self._files.keep_newest(file)

    def _read(self, file: Path, epoch: int) -> State | None:
        try:
            found = safetensors.read(file)
            told = found.metadata["state"]
            if found.metadata["sum"] != _checksum(found.arrays, told):
                return None
            content = json.loads(told)
            require_same_job(file, content["job"], json.loads(json.dumps(self.job)))
            losses, held_out = content["losses"], content["held_out"]
        except (ValueError, KeyError):
            return None
        if len(losses) != epoch:
            return None
        best = {name.removeprefix(_BEST): array for name, array in found.arrays.items() if name.startswith(_BEST)}
        return State(losses, held_out, found.arrays, best)


def _checksum(arrays: Mapping[str, NDArray[Any]], told: str) -> str:
    """A CRC-32 of everything."""
    code = zlib.crc32(told.encode())
    for name in sorted(arrays):
        code = zlib.crc32(np.ascontiguousarray(arrays[name]).data, zlib.crc32(name.encode(), code))
    return f"{code:08x}"
