"""What a data set looks like in numbers, and the log lines that tell it in the words of the built-in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sagedock.algorithms.deepar.series import SeriesList

_BLOCK = 1 << 20


@dataclass(frozen=True)
class Statistics:
    """`observations` are values that are not missing; what follows is of these, NaN where there are none."""

    series: int
    points: int
    observations: int
    lowest: float
    mean: float
    highest: float
    mean_absolute: float
    whole: bool
    """Whether all values are whole numbers."""

    @classmethod
    def of(cls, series: SeriesList) -> Statistics:
        """Sums are of doubles, block by block."""
        observed, total, absolute, lowest, highest, whole = 0, 0.0, 0.0, np.inf, -np.inf, True
        for begin in range(0, len(series.target), _BLOCK):
            block = series.target[begin : begin + _BLOCK]
            block = block[~np.isnan(block)].astype(np.float64)
            if not len(block):
                continue
            observed += len(block)
            total += float(block.sum())
            absolute += float(np.abs(block).sum())
            lowest, highest = min(lowest, float(block.min())), max(highest, float(block.max()))
            whole = whole and bool((block == np.floor(block)).all())
        none = np.nan
        return cls(
            series=len(series),
            points=len(series.target),
            observations=observed,
            lowest=lowest if observed else none,
            mean=total / observed if observed else none,
            highest=highest if observed else none,
            mean_absolute=absolute / observed if observed else none,
            whole=whole,
        )

    @property
    def missing(self) -> float:
        """The share of values that are missing."""
        return 1 - self.observations / self.points if self.points else 0.0

    def lines(self, title: str) -> Iterator[str]:
        """The log lines, `title` being Training or Test."""
        yield f"{title} set statistics:"
        yield "Integer time series" if self.whole else "Real time series"
        yield f"number of time series: {self.series}"
        yield f"number of observations: {self.observations}"
        yield f"mean target length: {self.points / max(self.series, 1):.12g}"
        yield f"min/mean/max target: {_spelt(self.lowest)}/{self.mean:.12g}/{_spelt(self.highest)}"
        yield f"mean abs(target): {self.mean_absolute:.12g}"
        yield f"contains missing values: {f'yes ({100 * self.missing:.1f}%)' if self.missing else 'no'}"


def _spelt(value: float) -> str:
    """A 32-bit float with no more digits than tell it from its neighbours."""
    return repr(float(str(np.float32(value))))
