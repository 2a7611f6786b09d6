"""Checkpoints at the ends of epochs, from which a killed job resumes to the same model, bit for bit on a CPU."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from sagedock.formats import checkpoints
from sagedock.formats.checkpoints import Arrays, Checkpoint

STEM = "deepar-checkpoint"
_BEST = "best."


@dataclass(frozen=True)
class State:
    """What there is after some epochs: their losses, what the trainer keeps, and the arrays of the best epoch."""

    losses: list[float]
    held_out: list[float]
    trainer: Arrays
    best: Arrays

    @classmethod
    def of(cls, found: Checkpoint) -> Self:
        """The state of a checkpoint that `checkpoint` made."""
        best = {name.removeprefix(_BEST): array for name, array in found.arrays.items() if name.startswith(_BEST)}
        return cls(found.values["losses"], found.values["held_out"], found.arrays, best)

    def checkpoint(self) -> Checkpoint:
        """What a checkpoint holds."""
        arrays = {**self.trainer, **{f"{_BEST}{name}": array for name, array in self.best.items()}}
        return Checkpoint(len(self.losses), arrays, {"losses": self.losses, "held_out": self.held_out})


class Checkpoints:
    """The checkpoints of a job: `deepar-checkpoint.<epochs>` (`sagedock.formats.checkpoints`)."""

    def __init__(self, directory: Path, job: Mapping[str, Any]) -> None:
        self._kept = checkpoints.Checkpoints(directory, STEM, job)

    def latest(self, epochs: int) -> State | None:
        """The newest whole one of at most `epochs` epochs; raises UserError for one of another job."""
        found = self._kept.latest(epochs)
        return None if found is None else State.of(found)

    def save(self, state: State) -> None:
        """Write the checkpoint of an epoch."""
        self._kept.save(state.checkpoint())
