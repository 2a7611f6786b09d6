"""The best epoch of a training: the one that is served."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from sagedock.algorithms.image_classification.judgement import Judgement


@dataclass
class Best:
    """The first epoch of the highest validation accuracy, whose weights are numbers.

    `epoch` counts from 0 and is None before there is one; `weights` are then those that training began with, and the
    judgement, which the first host alone has whole, is None.
    """

    weights: Mapping[str, NDArray[Any]]
    epoch: int | None = None
    accuracy: float | None = None
    judgement: Judgement | None = field(default=None, repr=False)

    def is_beaten_by(self, accuracy: float) -> bool:
        """Whether an epoch of this accuracy would be the best; one that is as good is not."""
        return self.accuracy is None or accuracy > self.accuracy
