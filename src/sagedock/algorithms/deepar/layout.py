"""What the records of a data set have in common, and what is said of one that differs.

Every mistake names the record, the field, and what was expected and found, and shows two records that are right.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.deepar.frequency import Frequency
from sagedock.algorithms.deepar.hyperparameters import BETA, NEGATIVE_BINOMIAL
from sagedock.algorithms.deepar.series import Floats, Series
from sagedock.errors import UserError

BOUNDS = {NEGATIVE_BINOMIAL: (0.0, np.inf), BETA: (0.0, 1.0)}
"""The likelihoods that do not go with every number, and with which they go."""
MOST_CATEGORIES = 1_000_000
"""Of one number of cat: each has a row of numbers in the network."""

_START = "2024-01-01 00:00:00"
_FUTURE_SHOWN = 3
_FEATURES_SHOWN = 2


@dataclass(frozen=True)
class Place:
    """Where a record stands: what errors call it, and its number, from 1."""

    text: str
    row: int


@dataclass(frozen=True)
class Layout:
    """`categories` and `features` are how many numbers cat and how many series dynamic_feat has.

    0 means that the field must not be there, None that it is not looked at. `cardinality` bounds each category, None
    where it is yet to be found. `prediction_length` more values of dynamic_feat follow those of target at inference; in
    training they may be there, and are cut off.
    """

    frequency: Frequency
    prediction_length: int
    likelihood: str
    categories: int | None = None
    features: int | None = None
    cardinality: tuple[int, ...] | None = None
    trained: bool = False
    """Whether records are to be forecast by a trained model, and not to train one."""
    inferred: bool = False
    """Whether cardinality is that of the train channel's records, and no hyperparameter."""

    def series(
        self,
        start: int,
        target: Floats,
        cat: Sequence[int] | NDArray[np.int64] | None,
        dynamic_feat: Sequence[Floats] | None,
        place: Place,
    ) -> Series:
        """The series of a record, of which None means that a field is not there; raises UserError where it is wrong."""
        self._check_target(target, place)
        return Series(self.frequency, start, target, self._cat(cat, place), self._features(dynamic_feat, target, place))

    def refuse(self, place: Place, field: str, text: str) -> NoReturn:
        """Raise UserError: `text` says what is wrong with the field, and what to do."""
        raise UserError(f"{place.text}: {text}\n{self.example()}", field=field, row=place.row)

    def example(self) -> str:
        """Two records that are right, behind a sentence that says so."""
        future = min(self.prediction_length, _FUTURE_SHOWN)
        features = min(self.features or 0, _FEATURES_SHOWN)
        reservations = [
            *([f"prediction_length {future}"] if features and self.trained and future < self.prediction_length else []),
            *([f"{features} series in dynamic_feat"] if self.features and features < self.features else []),
        ]
        lines = [self._line(number, features, future if self.trained else 0) for number in (0, 1)]
        were = f", were there {' and '.join(reservations)}" if reservations else ""
        return "\n".join([f"Two correct records{were}:", *lines])

    def _line(self, number: int, features: int, future: int) -> str:
        counts = self.likelihood == NEGATIVE_BINOMIAL
        target = ([5, None, 7], [4, 0])[number] if counts else ([0.5, None, 0.75], [0.25, 0.5])[number]
        record: dict[str, Any] = {"start": _START, "target": target}
        if self.categories:
            sizes = self.cardinality or (2,) * self.categories
            record["cat"] = [min(number, size - 1) for size in sizes]
        if features:
            record["dynamic_feat"] = [[0.1 * (row + 1)] * (len(target) + future) for row in range(features)]
        return json.dumps(record)

    def _check_target(self, target: Floats, place: Place) -> None:
        bounds = BOUNDS.get(self.likelihood)
        if bounds is None or not len(target):
            return
        wrong = np.flatnonzero((target < bounds[0]) | (target > bounds[1]))
        if len(wrong):
            allowed = "values from 0 to 1" if bounds[1] == 1 else "counts from 0"
            self.refuse(
                place,
                "target",
                f"target[{wrong[0]}] is {target[wrong[0]]:g}, and likelihood {self.likelihood} is of {allowed}: "
                "correct it, make it null, or train with likelihood student-T",
            )

    def _cat(self, cat: Sequence[int] | NDArray[np.int64] | None, place: Place) -> NDArray[np.int32]:
        if self.categories is None:
            return np.empty(0, np.int32)
        found = 0 if cat is None else len(cat)
        if found != self.categories:
            self.refuse(place, "cat", self._count_of_cat(found))
        for number, value in enumerate(cat if cat is not None else ()):
            most = MOST_CATEGORIES if self.cardinality is None else self.cardinality[number]
            if not 0 <= value < most:
                self.refuse(place, "cat", self._unknown_category(number, int(value), most))
        return np.asarray([] if cat is None else cat, np.int32)

    def _count_of_cat(self, found: int) -> str:
        if found and not self.categories:
            if self.trained:
                return "cat is given, and the model was trained without cat: leave cat out"
            return "cat is given here and not in the records before: give it in every record or in none"
        expected = f"{self.categories} {'numbers' if self.categories != 1 else 'number'}"
        if not found:
            whose = "the model was trained with it" if self.trained else "other records, or cardinality, ask for it"
            return f"cat is missing, and {whose}: give {expected} from 0"
        return f"cat has {found} numbers: expected {expected}, one for each entry of cardinality"

    def _unknown_category(self, number: int, value: int, most: int) -> str:
        if self.trained:
            return (
                f"cat[{number}] is {value}, which training has not seen: it knows 0 to {most - 1}; send one of these, "
                "or train again with series of the new category"
            )
        known = f"0 to {most - 1}"
        if self.inferred:
            return (
                f"cat[{number}] is {value}: expected {known}, as in the train channel; give series of every category "
                "there, or say in cardinality how many there are"
            )
        reason = known if self.cardinality is None else f"{known}, as cardinality says"
        return f"cat[{number}] is {value}: expected {reason}; number categories from 0 without gaps"

    def _features(self, rows: Sequence[Floats] | None, target: Floats, place: Place) -> Floats:
        """(F, T), or with what lies in the future where the record is to be forecast."""
        length = len(target) + (self.prediction_length if self.trained else 0)
        if self.features is None:
            return np.empty((0, length), np.float32)
        found = rows or ()
        if len(found) != self.features:
            self.refuse(place, "dynamic_feat", self._count_of_features(len(found)))
        for number, row in enumerate(found):
            if len(row) != length and (self.trained or len(row) != length + self.prediction_length):
                self.refuse(place, "dynamic_feat", self._length_of_feature(number, len(row), len(target)))
        kept = [row[:length] for row in found]
        return np.stack(kept) if kept else np.empty((0, length), np.float32)

    def _count_of_features(self, found: int) -> str:
        if found and not self.features:
            if self.trained:
                return "dynamic_feat is given, and the model was trained without it: leave dynamic_feat out"
            return "dynamic_feat is given here and not in the records before: give it in every record or in none"
        if not found:
            whose = (
                "the model was trained with it" if self.trained else "other records, or num_dynamic_feat, ask for it"
            )
            return f"dynamic_feat is missing, and {whose}: give {self.features} series of features"
        return f"dynamic_feat has {found} series: expected {self.features}"

    def _length_of_feature(self, number: int, found: int, points: int) -> str:
        if self.trained:
            return (
                f"dynamic_feat[{number}] has {found} values: expected {points + self.prediction_length} "
                f"(len(target) + prediction_length), the {points} of target and {self.prediction_length} of the time "
                "to be forecast"
            )
        return f"dynamic_feat[{number}] has {found} values: expected {points}, as many as target"
