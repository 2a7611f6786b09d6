"""Forecasts as SVG: what was known, the forecast's middle within its bands, and what came."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from sagedock.figures import FanChart
from sagedock.reports.drawing import FAINT, INK, SERIES, STYLE, add_legend, blank, legend_rows, svg, thousands

WIDE, HIGH = 11.2, 3.4  # inches
_FAINTEST, _STRONGEST = 0.16, 0.34  # of the bands
_FORECAST, _TRUTH = SERIES[0], SERIES[1]
_HALF_A_STEP = 0.2
_BESIDE = 40  # values that stand so sparsely that each is marked


def fan_chart(chart: FanChart, prefix: str) -> str:
    """The chart as one <svg> element whose ids start with `prefix`; equal charts give equal text."""
    with mpl.rc_context(STYLE):
        handles = _handles(chart)
        labels = [handle.get_label() for handle in handles]
        drawing, axes = blank(chart.x_label, chart.y_label, legend_rows(labels), HIGH, WIDE)
        begin = len(chart.history)
        steps = np.arange(begin, begin + len(chart.middle))
        for band, style in zip(chart.bands, _shades(chart), strict=True):
            axes.fill_between(*_area(steps, band.low, band.high), color=_FORECAST, linewidth=0, alpha=style)
        if chart.middle:
            axes.axvline(begin - 0.5, color=FAINT, linewidth=1.0, linestyle=(0, (2, 2)), zorder=1)
        axes.plot(range(begin), chart.history, color=INK, linewidth=1.0, alpha=0.75, **_marked(chart.history))
        axes.plot(steps, chart.middle, color=_FORECAST, linewidth=1.8, **_marked(chart.middle))
        axes.plot(steps[: len(chart.truth)], chart.truth, color=_TRUTH, linewidth=1.4, linestyle=(0, (5, 1.5)))
        lone = _lone(chart.truth)
        axes.plot(steps[lone], np.asarray(chart.truth)[lone], color=_TRUTH, linestyle="none", marker="o", markersize=4)
        _name_positions(axes, chart)
        thousands(axes)
        add_legend(drawing, handles, labels)
        return svg(drawing, chart.alt, prefix)


def _marked(values: Sequence[float]) -> dict[str, Any]:
    """A point for each value where few would otherwise be hard to see, or be no line at all."""
    return {"marker": "o", "markersize": 2.6} if len(values) <= _BESIDE else {}


def _area(steps: NDArray[np.int64], low: Sequence[float], high: Sequence[float]) -> tuple[Any, Any, Any]:
    """Of a band; that of a single step is as wide as can be seen."""
    if len(steps) != 1:
        return steps, low, high
    return (steps[0] - _HALF_A_STEP, steps[0] + _HALF_A_STEP), (*low, *low), (*high, *high)


def _lone(values: Sequence[float]) -> NDArray[np.int64]:
    """Where a value has none beside it to which a line could be drawn."""
    there = np.pad(np.isfinite(np.asarray(values, np.float64)), 1)
    return np.flatnonzero(there[1:-1] & ~there[:-2] & ~there[2:])


def _shades(chart: FanChart) -> list[float]:
    """How strong each band is, the narrower the stronger."""
    shades: list[float] = np.linspace(_FAINTEST, _STRONGEST, len(chart.bands)).tolist()
    return shades


def _handles(chart: FanChart) -> list[Any]:
    handles: list[Any] = [Line2D([], [], color=INK, linewidth=1.0, alpha=0.75, label="known")]
    handles.append(Line2D([], [], color=_FORECAST, linewidth=1.8, label="forecast"))
    if chart.truth:
        handles.append(Line2D([], [], color=_TRUTH, linewidth=1.4, linestyle=(0, (5, 1.5)), label="what came"))
    handles += [
        Patch(color=_FORECAST, linewidth=0, alpha=shade, label=band.name)
        for band, shade in zip(chart.bands, _shades(chart), strict=True)
    ]
    return handles


def _name_positions(axes: Any, chart: FanChart) -> None:
    axes.set_xlim(-0.5, max(1, len(chart.history) + len(chart.middle)) - 0.5)
    if chart.ticks:
        axes.set_xticks([position for position, _ in chart.ticks], [name for _, name in chart.ticks])
    else:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=10))
