"""The learning rate of each epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from sagedock.contracts.hyperparameters import Values


@dataclass(frozen=True)
class Schedule:
    """A rate that is multiplied by `factor` after each of the epochs in `steps` (lr_scheduler_step, counted from 1)."""

    rate: float
    factor: float = 0.1
    steps: Sequence[int] = ()

    @classmethod
    def of(cls, values: Values) -> Self:
        """That of a job."""
        return cls(values["learning_rate"], values["lr_scheduler_factor"], tuple(values.get("lr_scheduler_step") or ()))

    def at(self, epoch: int) -> float:
        """The rate of an epoch, counted from 0. Steps that the job does not come to have no effect."""
        return self.rate * self.factor ** sum(step <= epoch for step in self.steps)
