"""Checkpoints at the ends of epochs, from which a killed job resumes to the same model, bit for bit with one thread."""

from __future__ import annotations

import json
import logging
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.blazingtext.weights import Weights
from sagedock.contracts.checkpoints import CheckpointFiles, require_same_job
from sagedock.contracts.files import make_directory
from sagedock.formats import safetensors

log = logging.getLogger(__name__)

STEM = "blazingtext-checkpoint"
KEPT = 2
_INPUT, _OUTPUT, _BEST_INPUT, _BEST_OUTPUT = "input", "output", "best input", "best output"


@dataclass(frozen=True)
class State:
    """What there is after an epoch: its number, counted from 1, the weights, and what the log has told so far."""

    epoch: int
    weights: Weights
    history: Mapping[str, Any] = field(default_factory=dict)
    """JSON values."""
    best: Weights | None = None
    """Those of the best epoch, where that is another one."""


@dataclass
class Checkpoints:
    """The checkpoints of a job: `blazingtext-checkpoint.<epoch>`, the newest two of those that it writes.

    A file holds the arrays and, as text, the job's values and a checksum. Only a file that is whole is used.
    """

    directory: Path
    job: Mapping[str, Any]

    def __post_init__(self) -> None:
        self._files = CheckpointFiles(self.directory, STEM, KEPT)

    def latest(self, epochs: int) -> State | None:
        """The newest whole checkpoint; None without one.

        A damaged file, and one of more than `epochs` epochs, is passed over with a warning. Raises UserError when the
        job that wrote it had other hyperparameters or other data.
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
        arrays = {_INPUT: state.weights.input, _OUTPUT: state.weights.output}
        if state.best is not None:
            arrays |= {_BEST_INPUT: state.best.input, _BEST_OUTPUT: state.best.output}
        told = json.dumps({"job": self.job, "history": state.history}, sort_keys=True)
        file = self._files.file(state.epoch)
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
            weights = Weights(found.arrays[_INPUT], found.arrays[_OUTPUT])
        except (ValueError, KeyError):
            return None
        best = Weights(found.arrays[_BEST_INPUT], found.arrays[_BEST_OUTPUT]) if _BEST_INPUT in found.arrays else None
        return State(epoch, weights, content["history"], best)


def _checksum(arrays: Mapping[str, NDArray[Any]], told: str) -> str:
    """A CRC-32 of everything."""
    code = zlib.crc32(told.encode())
    for name in sorted(arrays):
        code = zlib.crc32(np.ascontiguousarray(arrays[name]).data, zlib.crc32(name.encode(), code))
    return f"{code:08x}"
