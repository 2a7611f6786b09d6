"""The best epoch so far and when to stop, as the built-in's log shows it (specification, section 5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sagedock.algorithms.deepar.parameters import Floats


@dataclass
class Best:
    """The average losses of all epochs, from 0, and the arrays of the best one.

    What decides are the losses, or, where some are held out from training, those of the windows held out.
    """

    patience: int | None
    losses: list[float] = field(default_factory=list)
    held_out: list[float] = field(default_factory=list)
    arrays: Mapping[str, Floats] | None = None

    @property
    def epoch(self) -> int:
        """The first of those with the least loss."""
        decides = self.held_out or self.losses
        return min(range(len(decides)), key=decides.__getitem__)

    @property
    def loss(self) -> float:
        """That of the best epoch, which the built-in calls the final loss."""
        return self.losses[self.epoch]

    @property
    def is_over(self) -> bool:
        """Whether so many epochs as patience says came one after the other without improvement."""
        return bool(self.losses) and self.patience is not None and len(self.losses) - 1 - self.epoch >= self.patience

    def note(self, loss: float, held_out: float | None = None) -> bool:
        """Remember an epoch; whether it is the best so far."""
        self.losses.append(loss)
        if held_out is not None:
            self.held_out.append(held_out)
        return self.epoch == len(self.losses) - 1
