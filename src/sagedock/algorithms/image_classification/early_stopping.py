"""When training ends early: validation accuracy has not risen for some epochs (developer guide, IC-Hyperparameter)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from sagedock.contracts.hyperparameters import Values


@dataclass
class EarlyStopping:
    """An epoch improves when its accuracy is above the best before it, by `tolerance` of that best at least.

    Training ends after `patience` epochs without improvement, one after the other, once there were `least` epochs.
    """

    least: int
    patience: int
    tolerance: float
    is_asked_for: bool = True
    best: float = 0.0
    epochs: int = 0
    waited: int = 0
    """Epochs without improvement up to the last one."""

    @classmethod
    def of(cls, values: Values) -> Self:
        """As the hyperparameters say."""
        return cls(
            values["early_stopping_min_epochs"],
            values["early_stopping_patience"],
            values["early_stopping_tolerance"],
            values["early_stopping"],
        )

    def note(self, *accuracies: float) -> None:
        """The next epochs have ended with these accuracies."""
        for accuracy in accuracies:
            self.epochs += 1
            gain = accuracy - self.best
            self.waited = 0 if gain > 0 and gain >= self.tolerance * self.best else self.waited + 1
            self.best = max(self.best, accuracy)

    @property
    def is_over(self) -> bool:
        """Whether training is to end."""
        return self.is_asked_for and self.epochs >= self.least and self.waited >= self.patience


def first_best(accuracies: Iterable[float]) -> int | None:
    """The place of the highest, the first one of equals; None of none."""
    found = list(accuracies)
    return found.index(max(found)) if found else None
