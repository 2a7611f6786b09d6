"""What examples of a label count in training (the hyperparameter _class_weights), an extension of sagedock."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.blazingtext.corpus import Examples
from sagedock.contracts.hyperparameters import ParseError, RangeError
from sagedock.errors import UserError

BALANCED = "balanced"
MOST = 1000.0


@dataclass(frozen=True)
class ClassWeights:
    """`balanced`, or a JSON object of labels, with or without their prefix, and numbers above 0."""

    type_text = "text or JSON object"
    range_text = f'balanced, or {{"label": weight, ...}} with weights in (0, {MOST:g}]'

    def parse(self, text: str) -> str | dict[str, float]:
        if text == BALANCED:
            return text
        try:
            found: Any = json.loads(text)
        except (ValueError, RecursionError):
            raise ParseError("expected balanced or a JSON object") from None
        if not isinstance(found, dict) or not found:
            raise ParseError("expected balanced or a JSON object of labels and their weights")
        for label, weight in found.items():
            number = isinstance(weight, int | float) and not isinstance(weight, bool)
            if not number or not 0 < weight <= MOST:
                raise RangeError(f"the weight of {label!r} is {weight!r:.40}, not a number in (0, {MOST:g}]")
        return {label: float(weight) for label, weight in found.items()}


def of_labels(wanted: str | Mapping[str, float] | None, examples: Examples) -> NDArray[np.float32] | None:
    """The weight of each label (labels,), or None for one each.

    Balanced ones are the mean count of a label divided by its own. Raises UserError for a label that training lacks.
    """
    if wanted is None:
        return None
    if isinstance(wanted, str):
        counts = np.bincount(examples.labels, minlength=len(examples.dictionary.labels))
        return np.asarray(counts.mean() / np.maximum(counts, 1), np.float32)
    prefix = examples.dictionary.label_prefix.decode()
    numbers = {label.decode("utf-8", "replace"): place for place, label in enumerate(examples.dictionary.labels)}
    found = np.ones(len(numbers), np.float32)
    for label, weight in wanted.items():
        place = numbers.get(label, numbers.get(prefix + label))
        if place is None:
            known = ", ".join(list(numbers)[:10])
            raise UserError(
                f"Hyperparameter _class_weights: no line of the train channel has the label {label!r}; the labels are "
                f"{known}",
                field="_class_weights",
            )
        found[place] = weight
    return found
