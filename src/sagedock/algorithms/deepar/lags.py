"""Which earlier points of a series the network sees at each step, by frequency.

Lags 1 to 7, and points about whole seasons ago: hours and days for minutes, days and weeks for hours, weeks, months and
years for days. The rule is that of GluonTS (time_feature/lag.py); SageMaker documents examples only (developer guide,
"How the DeepAR Algorithm Works").
"""

from __future__ import annotations

from collections.abc import Iterator

from sagedock.algorithms.deepar.frequency import DAY, HOUR, MINUTE, MONTH, WEEK, Frequency

RECENT = 7
LONGEST = 1200

_COARSER = {
    MONTH: {MONTH: 1},
    WEEK: {WEEK: 1},
    DAY: {DAY: 1, WEEK: 7},
    HOUR: {HOUR: 1, DAY: 24, WEEK: 168},
    MINUTE: {MINUTE: 1, HOUR: 60, DAY: 1440, WEEK: 10_080},
}
"""The units whose seasons count for each unit, and how many of it they hold."""

_SEASONS = {
    MONTH: [(12 * cycle, 1) for cycle in (1, 2, 3)],
    WEEK: [*((52 * cycle, 1) for cycle in (1, 2, 3)), (4, 0), (8, 0), (12, 0)],
    DAY: [*((7 * cycle, 1) for cycle in (1, 2, 3, 4)), (30, 1)],
    HOUR: [(24 * cycle, 1) for cycle in range(1, 8)],
    MINUTE: [(60 * cycle, 2) for cycle in (1, 2, 3)],
}
"""For each unit: how many of it ago, and how far around that."""


def lags(frequency: Frequency) -> tuple[int, ...]:
    """The lags in steps of `frequency`, in ascending order."""
    seasonal = {lag for lag in _seasonal(frequency) if RECENT < lag <= LONGEST}
    return (*range(1, RECENT + 1), *sorted(seasonal))


def _seasonal(frequency: Frequency) -> Iterator[int]:
    for unit, held in _COARSER[frequency.unit].items():
        multiple = frequency.multiple / held
        for periods, around in _SEASONS[unit]:
            centre = int(periods // multiple)
            yield from range(centre - around, centre + around + 1)
