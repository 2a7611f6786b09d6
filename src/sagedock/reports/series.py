"""Long series and histograms as SVG."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from sagedock.figures import HistogramChart, SeriesChart
from sagedock.reports.drawing import CARD, SERIES, STYLE, blank, svg, thousands

WIDE, PANEL = 11.2, 2.0  # inches: across the page, and the height of a panel
BUCKETS = 1200
"""Pieces of a longer series of which only the lowest and the highest value are drawn: what a screen can show."""
MARKED, SHADED, LEVEL = SERIES[1], SERIES[4], SERIES[2]


def series_chart(chart: SeriesChart, prefix: str) -> str:
    """The chart as one <svg> element whose ids start with `prefix`; equal charts give equal text."""
    with mpl.rc_context(STYLE):
        drawing = Drawing(figsize=(WIDE, 0.7 + PANEL * max(1, len(chart.panels))), layout="constrained")
        FigureCanvasSVG(drawing)
        panels = np.atleast_1d(drawing.subplots(max(1, len(chart.panels)), sharex=True))
        for axes, panel in zip(panels, chart.panels, strict=False):
            for begin, end in chart.spans:
                axes.axvspan(begin - 0.5, end - 0.5, color=SHADED, alpha=0.22, linewidth=0)
            axes.plot(*_drawn(panel.y), color=SERIES[0], linewidth=0.9)
            if panel.level is not None:
                axes.axhline(panel.level[1], color=LEVEL, linewidth=1.3, linestyle=(0, (5, 2)))
            axes.set_ylabel(panel.y_label, parse_math=False)
            axes.ticklabel_format(axis="y", useOffset=False, style="plain")
            thousands(axes)
        drawing.align_ylabels()
        if chart.panels:
            _mark(panels[0], chart)
        _name_positions(panels[-1], chart)
        _legend(drawing, chart)
        return svg(drawing, chart.alt, prefix)


def histogram(chart: HistogramChart, prefix: str) -> str:
    """The chart as one <svg> element whose ids start with `prefix`."""
    with mpl.rc_context(STYLE):
        drawing, axes = blank(chart.x_label, chart.y_label, rows=1 if chart.marks else 0)
        axes.stairs(chart.counts, chart.edges, fill=True, color=SERIES[0], alpha=0.75)
        if chart.logarithmic and any(chart.counts):
            axes.set_yscale("log")
            axes.set_ylim(bottom=0.7)
            axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
        handles = []
        for index, (name, value) in enumerate(chart.marks):
            style: Any = {
                "color": SERIES[(index + 1) % len(SERIES)],
                "linewidth": 1.6,
                "linestyle": (0, (5, 2 + index)),
            }
            axes.axvline(value, **style)
            handles.append(Line2D([], [], label=name, **style))
        if handles:
            _listed(drawing, handles, columns=2)
        return svg(drawing, chart.alt, prefix)


def _drawn(values: Any) -> tuple[Any, Any]:
    """Positions and values of the points to draw; of a long series, the lowest and the highest of each bucket."""
    y = np.asarray(values, dtype=float)
    if len(y) <= 2 * BUCKETS:
        return np.arange(len(y)), y
    starts = np.linspace(0, len(y), BUCKETS, endpoint=False).astype(int)
    pieces = np.split(y, starts[1:])
    chosen = [
        start + np.sort([np.where(np.isfinite(p), p, np.inf).argmin(), np.where(np.isfinite(p), p, -np.inf).argmax()])
        for start, p in zip(starts, pieces, strict=True)
    ]
    x = np.unique(np.concatenate(chosen))
    return x, y[x]


def _mark(axes: Any, chart: SeriesChart) -> None:
    marks = [position for position in chart.marks if 0 <= position < len(chart.panels[0].y)]
    axes.plot(marks, [chart.panels[0].y[position] for position in marks], zorder=5, **_mark_style())


def _mark_style() -> dict[str, Any]:
    return {"marker": "o", "markersize": 3.6, "color": MARKED, "mec": CARD, "mew": 0.4, "linestyle": "none"}


def _name_positions(axes: Any, chart: SeriesChart) -> None:
    axes.set_xlabel(chart.x_label, parse_math=False)
    longest = max((len(panel.y) for panel in chart.panels), default=0)
    axes.set_xlim(0, max(1, longest - 1))
    if chart.ticks:
        axes.set_xticks([position for position, _ in chart.ticks], [name for _, name in chart.ticks])
    else:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=10))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")


def _legend(drawing: Drawing, chart: SeriesChart) -> None:
    handles: list[Any] = []
    if chart.marks:
        handles.append(Line2D([], [], label=chart.marks_label, **_mark_style()))
    if chart.spans:
        handles.append(Patch(color=SHADED, alpha=0.22, linewidth=0, label=chart.spans_label))
    levels = {panel.level[0] for panel in chart.panels if panel.level is not None}
    handles += [
        Line2D([], [], color=LEVEL, linewidth=1.3, linestyle=(0, (5, 2)), label=name) for name in sorted(levels)
    ]
    if handles:
        _listed(drawing, handles, columns=4)


def _listed(drawing: Drawing, handles: list[Any], columns: int) -> None:
    legend = drawing.legend(
        handles=handles,
        loc="outside upper left",
        ncols=columns,
        frameon=False,
        handlelength=2.4,
        columnspacing=1.6,
        borderaxespad=0,
        borderpad=0.1,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
