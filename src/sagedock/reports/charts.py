"""Line, scatter and matrix charts as SVG."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from sagedock.figures import LineChart, MatrixChart, ScatterChart
from sagedock.reports.drawing import (
    CARD,
    FAINT,
    INK,
    POINTS,
    SERIES,
    STYLE,
    add_legend,
    blank,
    legend_rows,
    svg,
    thousands,
)

_DASHES: Sequence[Any] = ("solid", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)), (0, (9, 3)), (0, (3, 1, 1, 1)))
MATRIX_WIDTH, MATRIX_HEIGHT = 9.6, 8.2  # inches
NAMED_CLASSES, LONGEST_NAME = 48, 22
_MARKS = ("D", "o", "s", "^")


def line_chart(chart: LineChart, prefix: str) -> str:
    """The chart as one <svg> element whose ids start with `prefix`; equal charts give equal text."""
    with mpl.rc_context(STYLE):
        drawing, axes = blank(chart.x_label, chart.y_label, rows=legend_rows(_labels(chart)))
        for index, line in enumerate(chart.lines):
            lone = sum(map(math.isfinite, line.y)) <= 30
            axes.plot(
                line.x,
                line.y,
                color=SERIES[index % len(SERIES)],
                linestyle=_DASHES[index % len(_DASHES)],
                linewidth=1.8,
                marker=POINTS[index % len(POINTS)] if lone else None,
                markersize=3.5,
            )
        if chart.diagonal:
            _diagonal(axes, [*_values(line.x for line in chart.lines), *_values(line.y for line in chart.lines)])
        _marks(axes, chart)
        if chart.y_from_zero:
            _from_zero(axes, chart)
        if all(float(x).is_integer() for line in chart.lines for x in line.x) and chart.lines:
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
        thousands(axes)
        _legend(drawing, axes, chart)
        return svg(drawing, chart.alt, prefix)


def scatter_chart(chart: ScatterChart, prefix: str) -> str:
    """The chart as one <svg> element whose ids start with `prefix`."""
    with mpl.rc_context(STYLE):
        drawing, axes = blank(chart.x_label, chart.y_label, rows=0)
        axes.plot(chart.x, chart.y, linestyle="none", marker="o", markersize=2.6, color=SERIES[0], alpha=0.45, mew=0)
        if chart.diagonal:
            _diagonal(axes, _values([chart.x, chart.y]))
        else:
            axes.axhline(0, color=FAINT, linewidth=1.2, linestyle=(0, (4, 3)))
        thousands(axes)
        return svg(drawing, chart.alt, prefix)


def matrix_picture(chart: MatrixChart, prefix: str) -> str:
    """A matrix too large for a table, as a heat map of each row's shares in one <svg> element."""
    shares = [[count / max(1, sum(row)) for count in row] for row in chart.counts]
    with mpl.rc_context(STYLE | {"axes.grid": False, "axes.spines.top": True, "axes.spines.right": True}):
        drawing, axes = blank("predicted class", "actual class", rows=0, height=MATRIX_HEIGHT, width=MATRIX_WIDTH)
        norm = PowerNorm(0.5, vmin=0, vmax=1)  # a few of many pictures confused are to be seen, too
        picture = axes.imshow(shares, cmap="cividis", norm=norm, aspect="auto", interpolation="nearest")
        bar = drawing.colorbar(picture, ax=axes, fraction=0.05, pad=0.02)
        bar.set_label("share of the actual class", color=INK)
        bar.outline.set_visible(False)
        _name_classes(axes.xaxis, chart.column_names)
        _name_classes(axes.yaxis, chart.row_names)
        axes.tick_params(axis="x", rotation=90 if len(chart.column_names) <= NAMED_CLASSES else 0)
        return svg(drawing, chart.alt, prefix)


def _name_classes(axis: Any, names: Sequence[str]) -> None:
    """By their names where there is room for them, else some by their numbers."""
    if len(names) > NAMED_CLASSES:
        axis.set_major_locator(MaxNLocator(integer=True, nbins=16))
        return
    short = [name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…" for name in names]
    axis.set_ticks(range(len(names)), short, fontsize=8.5, parse_math=False)


def _values(sequences: Iterable[Sequence[float]]) -> list[float]:
    return [value for sequence in sequences for value in sequence if math.isfinite(value)]


def _diagonal(axes: Any, values: Sequence[float]) -> None:
    if values:
        ends = [min(values), max(values)]
        axes.plot(ends, ends, color=FAINT, linewidth=1.2, linestyle=(0, (4, 3)), zorder=1)


def _from_zero(axes: Any, chart: LineChart) -> None:
    """From 0, or what is below it, and with as much room above the highest value as is usual: the line is not cut."""
    values = _values(line.y for line in chart.lines)
    bottom, top = axes.get_ylim()
    bottom = 0.0 if values and min(values) >= 0 else min(0.0, bottom)
    highest = max(values, default=top)
    axes.set_ylim(bottom, max(top, highest + mpl.rcParams["axes.ymargin"] * (highest - bottom)))


def _marks(axes: Any, chart: LineChart) -> None:
    for index, mark in enumerate(chart.marks):
        axes.axvline(mark.x, color=FAINT, linewidth=0.8, linestyle=(0, (2, 2)), zorder=1)
        axes.plot([mark.x], [mark.y], **_mark_style(index), zorder=5, clip_on=False)


def _mark_style(index: int) -> dict[str, Any]:
    colour = SERIES[(index + 2) % len(SERIES)]
    shape = _MARKS[index % len(_MARKS)]
    return {"marker": shape, "markersize": 7, "color": colour, "mec": CARD, "mew": 1.2, "linestyle": "none"}


def _labels(chart: LineChart) -> list[str]:
    """The entries of the legend; a single line needs none."""
    names = [line.name for line in chart.lines] if len(chart.lines) > 1 else []
    return [*names, *(mark.label for mark in chart.marks)]


def _legend(drawing: Drawing, axes: Any, chart: LineChart) -> None:
    lines = axes.get_lines()[: len(chart.lines)] if len(chart.lines) > 1 else []
    handles = [*lines, *(Line2D([], [], **_mark_style(index)) for index in range(len(chart.marks)))]
    add_legend(drawing, handles, _labels(chart))
