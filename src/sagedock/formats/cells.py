"""What the text of one cell means, in every text format alike."""

from __future__ import annotations

import math
import re

import numpy as np

from sagedock.formats.table import Floats

NAN_SPELLINGS = tuple(f"{n}{a}{m}" for n in "nN" for a in "aA" for m in "nN")

LIMIT = 2.0**128 - 2.0**103
"""The least double that rounds to an infinite 32-bit float."""

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_INFINITE = re.compile(r"[+-]?inf(?:inity)?", re.IGNORECASE)
_SHOWN = 40


def number(text: str) -> float:
    """The double nearest to the decimal number `text`; empty and nan mean missing and give NaN.

    Raises ValueError, its text the end of a sentence that begins with the place, when the cell is neither, or when
    it does not fit a finite 32-bit float.
    """
    stripped = text.strip(" \t")
    if not stripped or stripped.lower() == "nan":
        return math.nan
    if not _NUMBER.fullmatch(stripped):
        if _INFINITE.fullmatch(stripped):
            raise ValueError(f"{shown(text)} is infinite: give a finite number, or leave it out if it is missing")
        raise ValueError(f"{shown(text)} is not a number")
    return finite(float(stripped), stripped)


def finite(value: float, text: str) -> float:
    """`value`, unless it is infinite as a 32-bit float; `text` is what the error calls it. Raises ValueError."""
    if abs(value) >= LIMIT:
        raise ValueError(f"{shown(text)} does not fit a 32-bit float: scale the column, or leave the cell empty")
    return value


def shown(text: str) -> str:
    """`text` quoted for an error message, cut when it is long."""
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")


def narrowed(values: np.ndarray) -> Floats:
    """`values` rounded to 32-bit floats; what is too large becomes infinite, without a warning."""
    with np.errstate(over="ignore"):
        return values.astype(np.float32)
