"""The frequency of a series (time_freq): its spelling, and numbers for its periods, as pandas.Period counts them.

A period is a month, a week that ends on Sunday, a day, an hour or a minute, numbered so that 1970-01-01 00:00 lies in
period 0, or 1 of the weeks. A multiple makes steps of several periods: with 2H a series may start at any hour.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

MONTH, WEEK, DAY, HOUR, MINUTE = "M", "W", "D", "H", "min"
UNITS = (MONTH, WEEK, DAY, HOUR, MINUTE)

LARGEST_MULTIPLE = 999_999

_SPELLING = re.compile(rf"([0-9]{{0,6}})({'|'.join(UNITS)})")
_MOMENT = re.compile(
    r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})(?:[ T]([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:\.[0-9]{1,9})?)?)?"
)
_EPOCH = datetime(1970, 1, 1)
_MINUTES = {DAY: 1440, HOUR: 60, MINUTE: 1}
_OF_DAYS = frozenset({MONTH, WEEK, DAY})
_DAYS_TO_MONDAY = 3
"""1970-01-01 was a Thursday."""

Ordinals = NDArray[np.int64]
Moments = NDArray[Any]
"""Of dtype datetime64."""


@dataclass(frozen=True)
class Frequency:
    """Steps of `multiple` periods of `unit`, one of UNITS."""

    multiple: int
    unit: str

    @classmethod
    def parse(cls, text: str) -> Frequency:
        """The frequency that `text` spells, such as 5min, H or 2W; raises ValueError saying what is allowed."""
        match = _SPELLING.fullmatch(text)
        multiple = int(match[1] or 1) if match else 0
        if match is None or not multiple:
            raise ValueError(
                "expected a whole number from 1 (may be absent) and one of M (months), W (weeks), D (days), H (hours), "
                "min (minutes), such as 5min, H or 2W"
            )
        return cls(multiple, match[2])

    def __str__(self) -> str:
        return f"{'' if self.multiple == 1 else self.multiple}{self.unit}"

    def ordinal(self, moment: datetime) -> int:
        """The number of the period that `moment`, without time zone, lies in."""
        if self.unit == MONTH:
            return (moment.year - 1970) * 12 + moment.month - 1
        passed = moment - _EPOCH
        if self.unit == WEEK:
            return int(_week(passed.days))
        return (passed.days * 1440 + passed.seconds // 60) // _MINUTES[self.unit]

    def ordinals(self, moments: Moments) -> Ordinals:
        """The numbers of the periods that `moments` lie in, none of which may be NaT."""
        if self.unit == MONTH:
            return moments.astype("datetime64[M]").astype(np.int64)
        if self.unit == WEEK:
            return np.asarray(_week(moments.astype("datetime64[D]").astype(np.int64)))
        return np.floor_divide(moments.astype("datetime64[m]").astype(np.int64), _MINUTES[self.unit])

    def moments(self, ordinals: Ordinals) -> Moments:
        """When the periods begin, in minutes."""
        if self.unit == MONTH:
            return np.asarray(ordinals).astype("datetime64[M]").astype("datetime64[m]")
        if self.unit == WEEK:
            return (np.asarray(ordinals) * 7 - 7 - _DAYS_TO_MONDAY).astype("datetime64[D]").astype("datetime64[m]")
        return (np.asarray(ordinals) * _MINUTES[self.unit]).astype("datetime64[m]")

    def text(self, ordinal: int) -> str:
        """When period `ordinal` begins, as a record's start is spelled."""
        return str(self.moments(np.asarray([ordinal]))[0]).replace("T", " ") + ":00"

    def steps(self, start: int, length: int) -> Ordinals:
        """The periods of a series of `length` points that begins in period `start`."""
        return start + self.multiple * np.arange(length, dtype=np.int64)

    def fits(self, moment: datetime) -> bool:
        """Whether a period begins at `moment`, so that nothing of it is lost as it is floored."""
        begin = moment.replace(hour=0, minute=0) if self.unit in _OF_DAYS else moment
        begin = begin.replace(minute=0) if self.unit == HOUR else begin
        day = {MONTH: moment.day == 1, WEEK: moment.weekday() == 0}.get(self.unit, True)
        return day and moment == begin.replace(second=0, microsecond=0)


def _week(days: Any) -> Any:
    """The week that a day since 1970 is in; weeks begin on Monday, and that of 1970-01-01 is number 1."""
    return (days + _DAYS_TO_MONDAY) // 7 + 1


def moment(text: str) -> datetime:
    """The moment that `text` (YYYY-MM-DD, with HH:MM:SS or without) spells, cut to whole seconds.

    Raises ValueError saying what is wrong with it: a time zone too.
    """
    match = _MOMENT.fullmatch(text.strip())
    if match is None:
        raise ValueError("expected YYYY-MM-DD HH:MM:SS without a time zone")
    try:
        year, month, day, hour, minute, second = (int(part or 0) for part in match.groups())
        return datetime(year, month, day, hour, minute, second)
    except ValueError as error:
        raise ValueError(f"no such moment ({error})") from error
