"""Checkpoints of the pass over the data: the sample so far, from which a killed job goes on to the same forest.

A checkpoint is written behind a file of the channel, once enough rows were read since the last one, and when the pass
is over. A pipe has to be read from its beginning anyway, and several hosts share one checkpoint directory: their passes
start again.
"""

from __future__ import annotations

import json
import logging
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sagedock.algorithms.randomcutforest.hyperparameters import NOT_OF_THE_MODEL
from sagedock.algorithms.randomcutforest.sampling import Floats, Reservoir
from sagedock.contracts.channels import Channel
from sagedock.contracts.checkpoints import CheckpointFiles, require_same_job
from sagedock.contracts.files import make_directory
from sagedock.contracts.hyperparameters import Values
from sagedock.formats import safetensors
from sagedock.formats.safetensors import Tensors

log = logging.getLogger(__name__)

KEPT = 2
STEM = "randomcutforest-checkpoint"
LEAST_BYTES = 16 << 20
"""Rows of so many bytes, and four times as many as the sample has, lie between two checkpoints: writing one takes less
time than reading them anew.
"""


@dataclass
class Checkpoints:
    """The checkpoints in `directory`, None for none; number n is written behind the nth file of the channel."""

    directory: Path | None
    job: Mapping[str, Any] = field(default_factory=dict)
    least_bytes: int = LEAST_BYTES
    _saved: int = 0

    @classmethod
    def of(cls, directory: Path | None, channel: Channel, values: Values, hosts: int) -> Checkpoints:
        """Those of a job that reads `channel`."""
        if channel.input_mode != "File" or hosts > 1:
            if directory is not None:
                log.info("no checkpoints: a pass over a pipe, or of several hosts, starts from its beginning")
            return cls(None)
        asked = {name: value for name, value in values.items() if name not in NOT_OF_THE_MODEL}
        files = [[str(file.relative_to(channel.path)), file.stat().st_size] for file in channel.files()]
        return cls(directory, json.loads(json.dumps({**asked, "content type": channel.content_type, "files": files})))

    def resume(self, reservoir: Reservoir, columns: int) -> tuple[int, Floats]:
        """Let `reservoir` go on where the newest whole checkpoint stands; behind so many files, 0 without one.

        Gives the last points (points, columns) before it, too, of which shingles are made. A damaged file is passed
        over with a warning. Raises UserError when it belongs to another job.
        """
        for number, file in self._files.newest_first() if self.directory is not None else ():
            found = self._read(file)
            if found is None:
                log.warning("checkpoint %s is damaged: trying the one before", file)
                continue
            require_same_job(file, json.loads(found.metadata["job"]), self.job)
            state = json.loads(found.metadata["state"])
            reservoir.restore(found.arrays["rows"], state)
            self._saved = reservoir.seen
            log.info("Checkpoint loaded from %s", file)
            log.info("Resuming behind file %d of the train channel, row %d", number, reservoir.seen)
            return number, np.array(state.get("last", []), np.float32).reshape(-1, columns)
        return 0, np.empty((0, columns), np.float32)

    def after(self, number: int, reservoir: Reservoir, last: Floats) -> None:
        """The pass has come to the end of file `number`: write a checkpoint, if it is time for one."""
        row = reservoir.rows[:1].nbytes
        read = (reservoir.seen - self._saved) * row
        if read >= max(self.least_bytes, 4 * len(reservoir.rows) * row):
            self.complete(number, reservoir, last)

    def complete(self, number: int, reservoir: Reservoir, last: Floats) -> None:
        """Write the checkpoint of file `number`, unless nothing was read since the last one."""
        if self.directory is None or reservoir.seen == self._saved:
            return
        make_directory(self.directory)
        file, rows = self._files.file(number), np.ascontiguousarray(reservoir.rows)
        state = {**reservoir.state(), "last": last.tolist()}
        facts = {"job": json.dumps(self.job), "state": json.dumps(state)}
        safetensors.write(file, {"rows": rows}, {**facts, "crc": _crc(rows, facts)})
        self._files.keep_newest(file)
        self._saved = reservoir.seen

    def __post_init__(self) -> None:
        self._files = CheckpointFiles(self.directory or Path(), STEM, KEPT)

    @staticmethod
    def _read(file: Path) -> Tensors | None:
        """What is in `file`, or None when it is damaged."""
        try:
            found = safetensors.read(file)
        except ValueError:
            return None
        facts = {name: found.metadata.get(name, "") for name in ("job", "state")}
        rows = found.arrays.get("rows")
        return found if rows is not None and found.metadata.get("crc") == _crc(rows, facts) else None


def _crc(rows: np.ndarray, facts: Mapping[str, str]) -> str:
    return f"{zlib.crc32(rows.data, zlib.crc32(json.dumps(facts).encode())):08x}"
