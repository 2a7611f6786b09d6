"""Checkpoints between the sweeps of a sampling, from which a stopped or killed job goes on to the same topics."""

from __future__ import annotations

import json
import logging
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.lda.gibbs import Chain, Corpus
from sagedock.algorithms.lda.hyperparameters import NOT_OF_THE_MODEL
from sagedock.contracts.checkpoints import CheckpointFiles, require_same_job
from sagedock.contracts.files import make_directory
from sagedock.contracts.hyperparameters import Values
from sagedock.formats import safetensors
from sagedock.formats.safetensors import Tensors

log = logging.getLogger(__name__)

KEPT = 2
STEM = "lda-checkpoint"
SECONDS_BETWEEN = 10.0
"""At least so far apart are two checkpoints, but for the last."""


@dataclass
class Checkpoints:
    """The checkpoints in `directory`, None for none; number n is written after n sweeps."""

    directory: Path | None
    job: Mapping[str, Any] = field(default_factory=dict)
    _saved: int = 0
    _when: float = field(default_factory=time.monotonic)

    @classmethod
    def of(cls, directory: Path | None, corpus: Corpus, values: Values) -> Checkpoints:
        """Those of a job that samples the topics of `corpus`, in which it may want another number of sweeps."""
        asked = {name: value for name, value in values.items() if name not in NOT_OF_THE_MODEL | {"_sweeps"}}
        documents = f"{zlib.crc32(corpus.words.data, zlib.crc32(corpus.starts.data)):08x}"
        return cls(directory, json.loads(json.dumps({**asked, "documents": documents})))

    def resume(self, chains: Sequence[Chain], most: int) -> tuple[Sequence[Chain], list[float]]:
        """The chains as the newest whole checkpoint of at most `most` sweeps has them, or as they are, and the
        likelihoods that were told till then.

        A damaged file is passed over with a warning. Raises UserError for that of another job.
        """
        for sweeps, file in self._files.newest_first() if self.directory is not None else ():
            if sweeps > most:
                continue
            found = self._read(file, chains)
            if found is None:
                log.warning("checkpoint %s is damaged: trying the one before", file)
                continue
            require_same_job(file, json.loads(found.metadata["job"]), self.job)
            self._saved = sweeps
            log.info("Checkpoint loaded from %s", file)
            log.info("Resuming after %d sweeps", sweeps)
            return [_moved(chain, found, place, sweeps) for place, chain in enumerate(chains)], json.loads(
                found.metadata["likelihoods"]
            )
        return chains, []

    def save(self, chains: Sequence[Chain], likelihoods: Sequence[float], *, last: bool) -> None:
        """Write a checkpoint if it is time for one, or the `last`, and something was sampled since."""
        sweeps = chains[0].sweeps
        soon = time.monotonic() - self._when < SECONDS_BETWEEN
        if self.directory is None or sweeps == self._saved or (soon and not last):
            return
        make_directory(self.directory)
        arrays: dict[str, NDArray[Any]] = {
            "assigned": np.stack([chain.assigned for chain in chains]).view(np.uint8),
            "alpha": np.stack([chain.alpha for chain in chains]),
        }
        facts = {"job": json.dumps(self.job), "likelihoods": json.dumps(list(likelihoods))}
        file = self._files.file(sweeps)
        safetensors.write(file, arrays, {**facts, "crc": _crc(arrays, facts)})
        self._files.keep_newest(file)
        self._saved, self._when = sweeps, time.monotonic()

    def __post_init__(self) -> None:
        self._files = CheckpointFiles(self.directory or Path(), STEM, KEPT)

    def _read(self, file: Path, chains: Sequence[Chain]) -> Tensors | None:
        """What is in `file`, or None when it is damaged; of another job's only the facts are looked at."""
        try:
            found = safetensors.read(file)
        except ValueError:
            return None
        facts = {name: found.metadata.get(name, "") for name in ("job", "likelihoods")}
        if set(found.arrays) != {"assigned", "alpha"} or found.metadata.get("crc") != _crc(found.arrays, facts):
            return None
        return found


def _moved(chain: Chain, found: Tensors, place: int, sweeps: int) -> Chain:
    assigned = np.ascontiguousarray(found.arrays["assigned"][place]).view(np.uint16).copy()
    return Chain(chain.corpus, assigned, found.arrays["alpha"][place].copy(), chain.beta, chain.seed, sweeps)


def _crc(arrays: Mapping[str, Any], facts: Mapping[str, str]) -> str:
    crc = zlib.crc32(json.dumps(facts).encode())
    for name in ("assigned", "alpha"):
        crc = zlib.crc32(np.ascontiguousarray(arrays[name]).data.cast("B"), crc)
    return f"{crc:08x}"
