"""Calendar features: where in the hour, day, week, month or year a period lies, each between -0.5 and 0.5.

Which features a frequency has is SageMaker's table (developer guide, "How the DeepAR Algorithm Works"); how they are
scaled is GluonTS's (time_feature/_base.py). The date of a week is that of its last day, as pandas.Period has it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.deepar.frequency import DAY, HOUR, MINUTE, MONTH, WEEK, Frequency, Moments, Ordinals

Floats = NDArray[np.float32]

FEATURES = {
    MINUTE: ("minute of hour", "hour of day", "day of week", "day of month", "day of year"),
    HOUR: ("hour of day", "day of week", "day of month", "day of year"),
    DAY: ("day of week", "day of month", "day of year"),
    WEEK: ("day of month", "week of year"),
    MONTH: ("month of year",),
}
_LAST_DAY = np.timedelta64(6, "D")
_THURSDAY = 3


def names(frequency: Frequency) -> Sequence[str]:
    """What the features of a frequency are called, in their order."""
    return FEATURES[frequency.unit]


def features(frequency: Frequency, ordinals: Ordinals) -> Floats:
    """The features of periods, (features, *shape of ordinals)."""
    moments = frequency.moments(ordinals)
    if frequency.unit == WEEK:
        moments = moments + _LAST_DAY
    found = np.empty((len(names(frequency)), *moments.shape), np.float32)
    for row, name in zip(found, names(frequency), strict=True):
        position, last = _POSITIONS[name]
        row[...] = position(moments) / last - 0.5
    return found


def age(steps: Ordinals) -> Floats:
    """How far into its series a point lies, `steps` after its first, as the network is told."""
    found: Floats = np.log10(2.0 + steps).astype(np.float32)
    return found


def ahead(context: int, horizon: int) -> Floats:
    """(context + horizon,): how far ahead of what is known a step lies, 0 in the context and at the first forecast."""
    steps = np.arange(-context, horizon)
    return (0.25 * np.log1p(np.maximum(steps, 0))).astype(np.float32)


def _within(unit: str, whole: str) -> Callable[[Moments], Ordinals]:
    """How many of `unit` a moment is after the beginning of its `whole`."""

    def position(moments: Moments) -> Ordinals:
        begin = moments.astype(f"datetime64[{whole}]").astype(f"datetime64[{unit}]")
        found: Ordinals = (moments.astype(f"datetime64[{unit}]") - begin).astype(np.int64)
        return found

    return position


def _weekday(moments: Moments) -> Ordinals:
    """Monday is 0."""
    return (moments.astype("datetime64[D]").astype(np.int64) + _THURSDAY) % 7


def _week_of_year(moments: Moments) -> Ordinals:
    """From 0, by ISO 8601: a week belongs to the year of its Thursday."""
    days = moments.astype("datetime64[D]").astype(np.int64)
    thursdays = (days - _weekday(moments) + _THURSDAY).astype("datetime64[D]")
    return _within("D", "Y")(thursdays) // 7


_POSITIONS: dict[str, tuple[Callable[[Moments], Ordinals], float]] = {
    "minute of hour": (_within("m", "h"), 59.0),
    "hour of day": (_within("h", "D"), 23.0),
    "day of week": (_weekday, 6.0),
    "day of month": (_within("D", "M"), 30.0),
    "day of year": (_within("D", "Y"), 365.0),
    "week of year": (_week_of_year, 52.0),
    "month of year": (_within("M", "Y"), 11.0),
}
"""How a feature counts, from 0, and the largest number it can have."""
