"""Early stopping on the accuracy of the validation channel, and the weights that were best."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sagedock.algorithms.blazingtext.weights import Weights


@dataclass
class EarlyStopping:
    """Which epoch was best, and whether training is to end; epochs count from 1.

    Nothing is measured before epoch `min_epochs`. Training ends when more than `patience` epochs one after the other
    have brought no better accuracy than the best.
    """

    min_epochs: int
    patience: int
    accuracies: dict[int, float] = field(default_factory=dict)
    """Of each epoch that was measured."""
    best: Weights | None = None
    """Those of the best epoch."""

    @property
    def best_epoch(self) -> int | None:
        """The first of the epochs with the best accuracy."""
        return max(self.accuracies, key=lambda epoch: (self.accuracies[epoch], -epoch), default=None)

    @property
    def is_over(self) -> bool:
        """Whether the patience is used up."""
        return self._idle > self.patience

    def looks_at(self, epoch: int) -> bool:
        """Whether this epoch's accuracy is to be measured."""
        return epoch >= self.min_epochs

    def note(self, epoch: int, accuracy: float, weights: Weights, emit: Callable[[str], None]) -> None:
        """Remember the epoch, with a copy of its weights if they are the best so far, and say so."""
        self.accuracies[epoch] = accuracy
        if self.best_epoch == epoch:
            self.best = weights.copy(into=self.best)
            emit("Validation accuracy improved! Storing best weights...")
        else:
            emit(f"Validation accuracy has not improved for last {self._idle} epochs.")

    @property
    def _idle(self) -> int:
        """Epochs measured since the best one."""
        best = self.best_epoch
        return 0 if best is None else max(self.accuracies) - best
