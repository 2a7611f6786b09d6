"""Checkpoints between the sweeps of a sampling, from which a stopped or killed job goes on to the same topics."""

from __future__ import annotations

import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.lda.gibbs import Chain, Corpus
from sagedock.algorithms.lda.hyperparameters import NOT_OF_THE_MODEL
from sagedock.contracts.hyperparameters import Values
from sagedock.formats import checkpoints
from sagedock.formats.checkpoints import Checkpoint

STEM = "lda-checkpoint"
SECONDS_BETWEEN = 10.0
"""At least so far apart are two checkpoints, but for the last."""


class Checkpoints:
    """The checkpoints of a job: `lda-checkpoint.<sweeps>` (`sagedock.formats.checkpoints`)."""

    def __init__(self, kept: checkpoints.Checkpoints) -> None:
        self._kept, self._saved, self._when = kept, 0, time.monotonic()

    @classmethod
    def of(cls, directory: Path | None, corpus: Corpus, values: Values) -> Self:
        """Those of a job that samples the topics of `corpus`, in which it may want another number of sweeps."""
        asked = {name: value for name, value in values.items() if name not in NOT_OF_THE_MODEL | {"_sweeps"}}
        documents = f"{zlib.crc32(corpus.words.data, zlib.crc32(corpus.starts.data)):08x}"
        return cls(checkpoints.Checkpoints(directory, STEM, {**asked, "documents": documents}, counted="sweep"))

    def resume(self, chains: Sequence[Chain], most: int) -> tuple[Sequence[Chain], list[float]]:
        """The chains as the newest whole checkpoint of at most `most` sweeps has them, or as they are, and the
        likelihoods that were told till then.

        Raises UserError for a checkpoint of another job.
        """
        found = self._kept.latest(most)
        if found is None:
            return chains, []
        self._saved = found.number
        return [_moved(chain, found, place) for place, chain in enumerate(chains)], list(found.values["likelihoods"])

    def save(self, chains: Sequence[Chain], likelihoods: Sequence[float], *, last: bool) -> None:
        """Write a checkpoint if it is time for one, or the `last`, and something was sampled since."""
        sweeps = chains[0].sweeps
        soon = time.monotonic() - self._when < SECONDS_BETWEEN
        if self._kept.directory is None or sweeps == self._saved or (soon and not last):
            return
        arrays: dict[str, NDArray[Any]] = {
            "assigned": np.stack([chain.assigned for chain in chains]).view(np.uint8),
            "alpha": np.stack([chain.alpha for chain in chains]),
        }
        self._kept.save(Checkpoint(sweeps, arrays, {"likelihoods": list(likelihoods)}))
        self._saved, self._when = sweeps, time.monotonic()


def _moved(chain: Chain, found: Checkpoint, place: int) -> Chain:
    assigned = np.ascontiguousarray(found.arrays["assigned"][place]).view(np.uint16).copy()
    return Chain(chain.corpus, assigned, found.arrays["alpha"][place].copy(), chain.beta, chain.seed, found.number)
