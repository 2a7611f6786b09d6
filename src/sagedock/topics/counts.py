"""What a count may be, what a record of counts must look like, and what an error says of one that does not."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sagedock.errors import UserError
from sagedock.formats.cells import narrowed
from sagedock.formats.rows import DenseRow, SparseRow
from sagedock.topics.documents import MOST, Documents, Floats

Row: TypeAlias = tuple[NDArray[np.int64], Floats]
"""Words and counts of a document, as `Documents.of_rows` takes them."""


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


def counted(row: DenseRow | SparseRow, place: str, feature_dim: int, number: int | None = None) -> Row:
    """The words and counts of a record at `place`. Raises UserError, with `number` as its row."""
    if isinstance(row, SparseRow):
        words, counts, width = np.asarray(row.keys, np.int64), _floats(row.values), row.width
        _check_keys(words, counts, width, place, feature_dim, number)
    else:
        counts, width = _floats(row), len(row)
        words = np.flatnonzero(counts)
        counts = counts[words]
    if width != feature_dim:
        raise UserError(
            f"{place}: expected {feature_dim} features (feature_dim), got {width}: make the two agree", row=number
        )
    wrong = first_wrong(counts)
    if wrong is not None:
        raise UserError(f"{place}, word {words[wrong]}: {explained(float(counts[wrong]))}", row=number)
    return words, counts


def _floats(values: Any) -> Floats:
    return narrowed(np.asarray(values, np.float64))


def wrong_count(documents: Documents) -> tuple[int, int, str] | None:
    """Document and word, counted from 0, of the first number that is no count, and why; None where all are."""
    wrong = first_wrong(documents.counts)
    if wrong is None:
        return None
    row = int(np.searchsorted(documents.starts, wrong, side="right")) - 1
    return row, int(documents.words[wrong]), explained(float(documents.counts[wrong]))


def _check_keys(
    words: NDArray[np.int64], counts: Floats, width: int, place: str, feature_dim: int, number: int | None
) -> None:
    if len(words) != len(counts):
        raise UserError(f"{place}: {len(words)} keys for {len(counts)} values", row=number, field="features")
    least = min(width, feature_dim)
    if len(words) and int(words.max()) >= least:
        limit = "feature_dim" if least == feature_dim else "its shape"
        raise UserError(
            f"{place}: the index {words.max()} is not below {limit}, which is {least}: words are numbered from 0 to "
            "feature_dim - 1; give indices that fit, or train with a larger feature_dim",
            row=number,
            field="features",
        )
