"""Checkpoints at the ends of epochs, from which a killed job resumes to the same model, bit for bit on a CPU."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from sagedock.algorithms.ntm.hyperparameters import NOT_OF_THE_MODEL
from sagedock.contracts.hyperparameters import Values
from sagedock.formats import checkpoints
from sagedock.formats.checkpoints import Arrays, Checkpoint
from sagedock.topics.documents import Documents

STEM = "ntm-checkpoint"
_BEST = "best."


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

    @classmethod
    def of(cls, found: Checkpoint) -> Self:
        """The state of a checkpoint that `checkpoint` made."""
        best = {name.removeprefix(_BEST): array for name, array in found.arrays.items() if name.startswith(_BEST)}
        told = found.values
        return cls(found.arrays, best, told["training"], told["validation"], told["bad"])

    @property
    def epoch(self) -> int:
        """How many epochs were finished."""
        return len(self.training)

    def checkpoint(self) -> Checkpoint:
        """What a checkpoint holds."""
        arrays = {**self.trainer, **{f"{_BEST}{name}": array for name, array in self.best.items()}}
        told = {"training": self.training, "validation": self.validation, "bad": self.bad}
        return Checkpoint(self.epoch, arrays, told)


class Checkpoints:
    """The checkpoints of a job: `ntm-checkpoint.<epochs>` (`sagedock.formats.checkpoints`); None for none."""

    def __init__(self, kept: checkpoints.Checkpoints) -> None:
        self._kept = kept

    @classmethod
    def of(cls, directory: Path | None, values: Values, documents: Documents, hosts: int, *, validated: bool) -> Self:
        """Those of a job that learns these documents, of which other hosts may have more.

        With a validation channel, whose losses end the job, it is another job than without.
        """
        asked = {name: value for name, value in values.items() if name not in NOT_OF_THE_MODEL}
        content = zlib.crc32(documents.counts.data, zlib.crc32(documents.words.data, zlib.crc32(documents.starts.data)))
        facts = {"documents": f"{content:08x}", "hosts": hosts, "validation channel": validated}
        facts |= {**asked, "clip_gradient": str(asked["clip_gradient"])}
        return cls(checkpoints.Checkpoints(directory, STEM, facts))

    @property
    def kept(self) -> bool:
        """Whether any are."""
        return self._kept.directory is not None

    def latest(self, epochs: int) -> State | None:
        """The newest whole one of at most `epochs` epochs; raises UserError for one of another job."""
        found = self._kept.latest(epochs)
        return None if found is None else State.of(found)

    def save(self, state: State) -> None:
        """Write the checkpoint of an epoch."""
        self._kept.save(state.checkpoint())
