"""Checkpoints of arrays and JSON values, from which a killed job goes on; only a file that is whole is used."""

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

from sagedock.contracts.checkpoints import CheckpointFiles, require_same_job
from sagedock.contracts.files import make_directory
from sagedock.formats import safetensors

log = logging.getLogger(__name__)

KEPT = 2

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Checkpoint:
    """What there is after so many epochs, or whatever a job counts: arrays, read-only, and JSON values."""

    number: int
    arrays: Arrays
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Checkpoints:
    """The checkpoints of a job in `directory`, None for none: `<stem>.<number>`, the newest two of those it writes.

    `job` are JSON values that say which job it is; `counted` is what the numbers count, in the singular.
    """

    directory: Path | None
    stem: str
    job: Mapping[str, Any] = field(default_factory=dict)
    counted: str = "epoch"

    def __post_init__(self) -> None:
        self.job = json.loads(json.dumps(self.job, default=str))
        self._files = CheckpointFiles(self.directory or Path(), self.stem, KEPT)

    def latest(self, most: int) -> Checkpoint | None:
        """The newest whole one of a number up to `most`; None without one.

        One that is damaged, or of a larger number, is passed over with a warning. Raises UserError when the job that
        wrote it had other values.
        """
        for number, file in self._files.newest_first() if self.directory is not None else ():
            if number > most:
                log.warning(
                    "checkpoint %s is of %s %d, and the last is %d: passed over", file, self.counted, number, most
                )
                continue
            found = self._read(file, number)
            if found is None:
                log.warning("checkpoint %s is damaged: trying the one before", file)
                continue
            log.info("Checkpoint loaded from %s", file)
            log.info("Resuming after %s %d", self.counted, number)
            return found
        return None

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint and delete the oldest of ours beyond the two newest."""
        if self.directory is None:
            return
        make_directory(self.directory)
        told = json.dumps({"job": self.job, "values": checkpoint.values, "number": checkpoint.number}, sort_keys=True)
        file = self._files.file(checkpoint.number)
        safetensors.write(file, checkpoint.arrays, {"told": told, "sum": _checksum(checkpoint.arrays, told)})
        self._files.keep_newest(file)

    def _read(self, file: Path, number: int) -> Checkpoint | None:
        try:
            found = safetensors.read(file)
            told = found.metadata["told"]
            if found.metadata["sum"] != _checksum(found.arrays, told):
                return None
            content = json.loads(told)
            job, values = content["job"], content["values"]
        except (ValueError, KeyError):
            return None
        require_same_job(file, job, self.job)
        return Checkpoint(number, found.arrays, values) if content["number"] == number else None


def _checksum(arrays: Arrays, told: str) -> str:
    """A CRC-32 of everything."""
    code = zlib.crc32(told.encode())
    for name in sorted(arrays):
        code = zlib.crc32(np.ascontiguousarray(arrays[name]).data.cast("B"), zlib.crc32(name.encode(), code))
    return f"{code:08x}"
