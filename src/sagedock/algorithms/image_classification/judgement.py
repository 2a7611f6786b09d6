"""How a network judged the validation channel, picture by picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

HALF = 0.5
"""A class of a multi-label model is told where its probability is above this."""


@dataclass(frozen=True)
class Judgement:
    """One row for each picture.

    `probabilities` (pictures, classes) sum to 1, or are independent where `labels` has the same shape (0 or 1 for each
    class); else `labels` (pictures,) are numbers of classes. `places` say where each picture comes from; `names` are
    those of the classes, empty where they have none.
    """

    probabilities: NDArray[np.float32]
    labels: NDArray[Any]
    places: Sequence[str]
    names: Sequence[str] = ()

    @property
    def multi_label(self) -> bool:
        """Whether a picture may be of several classes, or of none."""
        return self.labels.ndim == 2

    @property
    def classes(self) -> int:
        """How many there are."""
        return int(self.probabilities.shape[1])

    @property
    def class_names(self) -> list[str]:
        """Their names, or their numbers as text."""
        return list(self.names) or [str(number) for number in range(self.classes)]

    @property
    def finite(self) -> Judgement:
        """Without the pictures whose probabilities are no numbers, as those of a network that diverged."""
        kept = np.asarray(np.isfinite(self.probabilities).all(axis=1))
        if kept.all():
            return self
        places = [self.places[row] for row in np.flatnonzero(kept).tolist()]
        return Judgement(self.probabilities[kept], self.labels[kept], places, self.names)

    @property
    def told(self) -> NDArray[np.int64]:
        """The most probable class of each picture."""
        return np.asarray(self.probabilities.argmax(axis=1), dtype=np.int64)

    @property
    def decisions(self) -> NDArray[np.bool_]:
        """Of a multi-label model (pictures, classes): which classes are told."""
        return np.asarray(self.probabilities > HALF)

    @property
    def truths(self) -> NDArray[np.bool_]:
        """Of multi-label pictures (pictures, classes): which classes they are of."""
        return np.asarray(self.labels > HALF)


def percent(share: float) -> str:
    """A probability for the reader, told to be small rather than nothing."""
    return "under 0.1\u00a0%" if share < 0.001 else f"{100 * share:.1f}\u00a0%"


def ratio(part: float, whole: float) -> float | None:
    """Their quotient; None of nothing."""
    return float(part / whole) if whole else None
