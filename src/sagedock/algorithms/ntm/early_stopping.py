"""When training ends early: the rule of the built-in, as 85 epochs of its public log show it (ntm_lda A6)."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Verdict:
    """What is made of an epoch's loss."""

    window: tuple[float, ...]
    """The losses of the epochs before, as many as the patience; empty while there are fewer."""
    loss: float
    bad: int
    """Epochs without enough improvement up to this one, one after the other."""
    is_last: bool
    """Whether training is to end."""

    @property
    def least(self) -> float:
        """The lowest loss of the window."""
        return min(self.window)


@dataclass
class EarlyStopping:
    """From epoch `patience` + 1 on an epoch is bad unless its loss is below the lowest of the last `patience` ones by
    `tolerance`, an absolute difference whatever the documentation says; more than `patience` bad epochs one after the
    other end training.
    """

    patience: int
    tolerance: float
    losses: list[float] = field(default_factory=list)
    """Of every epoch so far."""
    bad: int = 0

    def note(self, loss: float) -> Verdict:
        """The next epoch has ended with this loss."""
        window = tuple(self.losses[-self.patience :]) if len(self.losses) >= self.patience else ()
        if window:
            self.bad = self.bad + 1 if loss > min(window) - self.tolerance else 0
        self.losses.append(loss)
        return Verdict(window, loss, self.bad, self.is_over)

    @property
    def is_over(self) -> bool:
        """Whether the patience is used up."""
        return self.bad > self.patience

    @property
    def best_epoch(self) -> int:
        """The first epoch, counted from 1, with the lowest loss; 0 before the first."""
        return 1 + self.losses.index(min(self.losses)) if self.losses else 0
