"""What a count may be, and what an error says of one that is none."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sagedock.topics.documents import MOST


def first_wrong(values: NDArray[Any]) -> int | None:
    """Where in `values` the first number stands that is no count: a whole number from 0 to MOST."""
    with np.errstate(invalid="ignore"):
        wrong = ~((values >= 0) & (values <= MOST) & (values == np.floor(values)))
    return int(wrong.argmax()) if wrong.any() else None


def explained(value: float) -> str:
    """Why `value` is no count, and what to do: the end of a sentence that begins with the place."""
    if value != value:  # noqa: PLR0124 - NaN
        return "the count is missing or not a number (NaN): give 0 to a word that does not occur"
    if value < 0:
        return f"the count is {value:.9g}, below 0: give whole numbers of occurrences, from 0"
    if value > MOST:
        return f"the count is {value:.9g}, above {MOST}: give finite whole numbers of occurrences"
    return f"the count is {value:.9g}, a fraction: give whole numbers of occurrences, not weights such as tf-idf"
