"""Checkpoints at the ends of epochs, from which a killed job resumes to the same model, bit for bit on a CPU."""

from __future__ import annotations

import json
import logging
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.ntm.hyperparameters import NOT_OF_THE_MODEL
from sagedock.contracts.checkpoints import CheckpointFiles, require_same_job
from sagedock.contracts.files import make_directory
from sagedock.contracts.hyperparameters import Values
from sagedock.formats import safetensors
from sagedock.topics.documents import Documents

log = logging.getLogger(__name__)

STEM = "ntm-checkpoint"
KEPT = 2
_BEST = "best."

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class State:
    """What there is after some epochs: what the trainer keeps, the weights of the best epoch, and all losses."""

    trainer: Arrays
    best: Arrays
    training: Sequence[Sequence[float]]
    """Divergence and reconstruction of each epoch."""
    validation: Sequence[Sequence[float]]
    """The same of the validation channel; empty without one."""
    bad: int
    """Epochs without enough improvement, one after the other."""

    @property
    def epoch(self) -> int:
        """How many epochs were finished."""
        return len(self.training)


@dataclass
class Checkpoints:
    """The checkpoints of a job: `ntm-checkpoint.<epochs>`, the newest two of those that it writes; None for none."""

    directory: Path | None
    job: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._files = CheckpointFiles(self.directory or Path(), STEM, KEPT)

    @classmethod
    def of(cls, directory: Path | None, values: Values, documents: Documents, hosts: int) -> Checkpoints:
        """Those of a job that learns these documents, of which other hosts may have more."""
        if directory is None:
            return cls(None)
        asked = {name: value for name, value in values.items() if name not in NOT_OF_THE_MODEL}
        content = zlib.crc32(documents.counts.data, zlib.crc32(documents.words.data, zlib.crc32(documents.starts.data)))
        facts = {**asked, "clip_gradient": str(asked["clip_gradient"]), "documents": f"{content:08x}", "hosts": hosts}
        return cls(directory, json.loads(json.dumps(facts)))

    def latest(self, epochs: int) -> State | None:
        """The newest whole checkpoint of at most `epochs` epochs; None without one.

        A damaged file is passed over with a warning. Raises UserError when the job that wrote it had other
        hyperparameters or other data.
        """
        for epoch, file in self._files.newest_first() if self.directory is not None else ():
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
        if self.directory is None:
            return
        make_directory(self.directory)
        arrays = {**state.trainer, **{f"{_BEST}{name}": array for name, array in state.best.items()}}
        content = {"job": self.job, "training": state.training, "validation": state.validation, "bad": state.bad}
        told = json.dumps(content, sort_keys=True)
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
            training, validation, bad = content["training"], content["validation"], content["bad"]
            job = content["job"]
        except (ValueError, KeyError):
            return None
        require_same_job(file, job, self.job)
        best = {name.removeprefix(_BEST): array for name, array in found.arrays.items() if name.startswith(_BEST)}
        state = State(found.arrays, best, training, validation, bad)
        return state if state.epoch == epoch else None


def _checksum(arrays: Arrays, told: str) -> str:
    """A CRC-32 of everything."""
    code = zlib.crc32(told.encode())
    for name in sorted(arrays):
        code = zlib.crc32(np.ascontiguousarray(arrays[name]).data.cast("B"), zlib.crc32(name.encode(), code))
    return f"{code:08x}"
