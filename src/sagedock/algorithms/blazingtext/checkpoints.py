"""Checkpoints at the ends of epochs, from which a killed job resumes to the same model, bit for bit with one thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from sagedock.algorithms.blazingtext.weights import Weights
from sagedock.formats import checkpoints
from sagedock.formats.checkpoints import Checkpoint

STEM = "blazingtext-checkpoint"
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

    @classmethod
    def of(cls, found: Checkpoint) -> Self:
        """The state of a checkpoint that `checkpoint` made."""
        arrays = found.arrays
        best = Weights(arrays[_BEST_INPUT], arrays[_BEST_OUTPUT]) if _BEST_INPUT in arrays else None
        return cls(found.number, Weights(arrays[_INPUT], arrays[_OUTPUT]), found.values, best)

    def checkpoint(self) -> Checkpoint:
        """What a checkpoint holds."""
        arrays = {_INPUT: self.weights.input, _OUTPUT: self.weights.output}
        if self.best is not None:
            arrays |= {_BEST_INPUT: self.best.input, _BEST_OUTPUT: self.best.output}
        return Checkpoint(self.epoch, arrays, self.history)


class Checkpoints:
    """The checkpoints of a job: `blazingtext-checkpoint.<epoch>` (`sagedock.formats.checkpoints`)."""

    def __init__(self, directory: Path, job: Mapping[str, Any]) -> None:
        self._kept = checkpoints.Checkpoints(directory, STEM, job)

    def latest(self, epochs: int) -> State | None:
        """The newest whole one of at most `epochs` epochs; raises UserError for one of another job."""
        found = self._kept.latest(epochs)
        return None if found is None else State.of(found)

    def save(self, state: State) -> None:
        """Write the checkpoint of an epoch."""
        self._kept.save(state.checkpoint())
