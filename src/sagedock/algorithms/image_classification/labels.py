"""Labels of pictures, from the numbers that stand in a file: the number of a class, or a 0 or 1 for each class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.image_classification.examples import Label
from sagedock.errors import UserError

Numbers = Sequence[float] | NDArray[np.float32]


@dataclass(frozen=True)
class Labels:
    """What labels have to be in this job: hyperparameters num_classes and multi_label."""

    classes: int
    multi_label: bool

    def of(self, values: Numbers, place: str) -> Label:
        """The label that the numbers of an example make. Raises UserError naming `place`."""
        if self.multi_label:
            return self._several(values, place)
        if len(values) != 1:
            raise UserError(
                f"{place}: {len(values)} labels where one class number is expected: for several labels a picture set "
                "the hyperparameter multi_label to 1",
                field="multi_label",
            )
        return self.number(float(values[0]), place)

    def number(self, value: float, place: str) -> int:
        """The number of a class. Raises UserError naming `place`."""
        if not (0 <= value < self.classes and value.is_integer()):
            raise UserError(
                f"{place}: the label is {value:.9g}, and classes are whole numbers from 0 to {self.classes - 1}: "
                f"number the classes from 0, and check num_classes, which is {self.classes}",
                field="num_classes",
            )
        return int(value)

    def counts(self) -> NDArray[np.int64]:
        """Zeros, to be added to."""
        return np.zeros(self.classes, np.int64)

    def count(self, label: Label, counts: NDArray[np.int64]) -> None:
        """Add one example's label."""
        if isinstance(label, int):
            counts[label] += 1
        else:
            counts += label > 0

    def _several(self, values: Numbers, place: str) -> NDArray[np.float32]:
        if len(values) != self.classes:
            raise mismatch(place, len(values), self.classes)
        label = np.array(values, np.float32)
        if not np.isin(label, (0, 1)).all():
            wrong = next(value for value in values if value not in {0.0, 1.0})
            raise UserError(
                f"{place}: one of the labels is {wrong:.9g}, and each is 0 or 1, one for each of the {self.classes} "
                "classes",
                field="label",
            )
        return label


def mismatch(place: str, found: int, classes: int, remedy: str = "") -> UserError:
    """The error that there are not as many labels as classes, in the built-in's words."""
    return UserError(
        f"{place}: Mismatch between number of labels in the multi-label data ({found}) and the num_classes parameter "
        f"({classes}): give one 0 or 1 for each class{remedy}",
        field="num_classes",
    )
