"""Figures drawn as SVG by matplotlib; only this module imports it, since that takes long.

Colours are written as CSS variables, so that the page decides them for light and dark. Series differ by dash and
marker as well as by colour. The palette is that of Okabe and Ito, Color Universal Design (2008).
"""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from sagedock.figures import LineChart, MatrixChart, ScatterChart

WIDTH, HEIGHT = 5.4, 3.3  # inches of 72 units; the page scales them
ROW = 0.22  # inches for a row of the legend

# Stand-ins that matplotlib can draw with, by the CSS variable that replaces them.
_INK, _FAINT, _CARD = "#010101", "#020202", "#030303"
_SERIES = ("#040404", "#050505", "#060606", "#070707", "#080808", "#090909")
_VARIABLES = {_INK: "ink", _FAINT: "faint", _CARD: "card"} | {c: f"series-{i}" for i, c in enumerate(_SERIES, 1)}
_DASHES: Sequence[Any] = ("solid", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)), (0, (9, 3)), (0, (3, 1, 1, 1)))
_POINTS = ("o", "s", "^", "D", "v", "P")
_MARKS = ("D", "o", "s", "^")

_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "sagedock",
    "font.family": "DejaVu Sans",
    "font.size": 10.5,
    "text.parse_math": False,
    "axes.unicode_minus": True,
    "axes.edgecolor": _FAINT,
    "axes.labelcolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": _FAINT,
    "grid.alpha": 0.35,
    "grid.linewidth": 0.6,
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "xtick.major.size": 0,
    "xtick.major.pad": 6,
    "ytick.major.pad": 5,
    "ytick.major.size": 0,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
}


def line_chart(chart: LineChart, prefix: str) -> str:
    """The chart as one <svg> element whose ids start with `prefix`; equal charts give equal text."""
    with mpl.rc_context(_STYLE):
        drawing, axes = _axes(chart.x_label, chart.y_label, rows=_legend_rows(chart))
        for index, line in enumerate(chart.lines):
            lone = sum(map(math.isfinite, line.y)) <= 30
            axes.plot(
                line.x,
                line.y,
                color=_SERIES[index % len(_SERIES)],
                linestyle=_DASHES[index % len(_DASHES)],
                linewidth=1.8,
                marker=_POINTS[index % len(_POINTS)] if lone else None,
                markersize=3.5,
            )
        if chart.diagonal:
            _diagonal(axes, [*_values(line.x for line in chart.lines), *_values(line.y for line in chart.lines)])
        _marks(axes, chart)
        if chart.y_from_zero:
            axes.set_ylim(bottom=min(0.0, *axes.get_ylim()))
            _zero_bottom(axes, chart)
        if all(float(x).is_integer() for line in chart.lines for x in line.x) and chart.lines:
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
        _thousands(axes)
        _legend(drawing, axes, chart)
        return _svg(drawing, chart.alt, prefix)


def scatter_chart(chart: ScatterChart, prefix: str) -> str:
    """The chart as one <svg> element whose ids start with `prefix`."""
    with mpl.rc_context(_STYLE):
        drawing, axes = _axes(chart.x_label, chart.y_label, rows=0)
        axes.plot(chart.x, chart.y, linestyle="none", marker="o", markersize=2.6, color=_SERIES[0], alpha=0.45, mew=0)
        if chart.diagonal:
            _diagonal(axes, _values([chart.x, chart.y]))
        else:
            axes.axhline(0, color=_FAINT, linewidth=1.2, linestyle=(0, (4, 3)))
        _thousands(axes)
        return _svg(drawing, chart.alt, prefix)


def matrix_picture(chart: MatrixChart, prefix: str) -> str:
    """A matrix too large for a table, as a heat map of each row's shares in one <svg> element."""
    shares = [[count / max(1, sum(row)) for count in row] for row in chart.counts]
    with mpl.rc_context(_STYLE | {"axes.grid": False, "axes.spines.top": True, "axes.spines.right": True}):
        drawing, axes = _axes("predicted class", "actual class", rows=0, height=4.6)
        picture = axes.imshow(shares, cmap="cividis", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
        bar = drawing.colorbar(picture, ax=axes, fraction=0.05, pad=0.02)
        bar.set_label("share of the actual class", color=_INK)
        bar.outline.set_visible(False)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(integer=True, nbins=10))
        return _svg(drawing, chart.alt, prefix)


def _axes(x_label: str, y_label: str, rows: int, height: float = HEIGHT) -> tuple[Drawing, Any]:
    drawing = Drawing(figsize=(WIDTH, height + rows * ROW), layout="constrained")
    FigureCanvasSVG(drawing)
    axes = drawing.add_subplot()
    axes.set_xlabel(x_label, parse_math=False)
    axes.set_ylabel(y_label, parse_math=False)
    axes.ticklabel_format(useOffset=False, style="plain")
    return drawing, axes


def _values(sequences: Iterable[Sequence[float]]) -> list[float]:
    return [value for sequence in sequences for value in sequence if math.isfinite(value)]


def _thousands(axes: Any) -> None:
    for axis in (axes.xaxis, axes.yaxis):
        if max(map(abs, axis.get_view_interval())) >= 10_000:
            axis.set_major_formatter(lambda value, _: f"{value:,.10g}")


def _diagonal(axes: Any, values: Sequence[float]) -> None:
    if values:
        ends = [min(values), max(values)]
        axes.plot(ends, ends, color=_FAINT, linewidth=1.2, linestyle=(0, (4, 3)), zorder=1)


def _zero_bottom(axes: Any, chart: LineChart) -> None:
    values = _values(line.y for line in chart.lines)
    if values and min(values) >= 0:
        axes.set_ylim(bottom=0)


def _marks(axes: Any, chart: LineChart) -> None:
    for index, mark in enumerate(chart.marks):
        axes.axvline(mark.x, color=_FAINT, linewidth=0.8, linestyle=(0, (2, 2)), zorder=1)
        axes.plot([mark.x], [mark.y], **_mark_style(index), zorder=5, clip_on=False)


def _mark_style(index: int) -> dict[str, Any]:
    colour = _SERIES[(index + 2) % len(_SERIES)]
    shape = _MARKS[index % len(_MARKS)]
    return {"marker": shape, "markersize": 7, "color": colour, "mec": _CARD, "mew": 1.2, "linestyle": "none"}


def _legend_rows(chart: LineChart) -> int:
    entries = (len(chart.lines) if len(chart.lines) > 1 else 0) + len(chart.marks)
    return -(-entries // _legend_columns(chart))


def _legend_columns(chart: LineChart) -> int:
    longest = max(
        (len(text) for text in [*(li.name for li in chart.lines), *(m.label for m in chart.marks)]), default=0
    )
    return 3 if longest <= 14 else 2 if longest <= 28 else 1


def _legend(drawing: Drawing, axes: Any, chart: LineChart) -> None:
    handles = [Line2D([], [], **_mark_style(index)) for index in range(len(chart.marks))]
    labels = [mark.label for mark in chart.marks]
    if len(chart.lines) > 1:
        handles = [*axes.get_lines()[: len(chart.lines)], *handles]
        labels = [*(line.name for line in chart.lines), *labels]
    if not handles:
        return
    legend = drawing.legend(
        handles,
        labels,
        loc="outside upper left",
        ncols=_legend_columns(chart),
        frameon=False,
        handlelength=2.4,
        columnspacing=1.6,
        borderaxespad=0,
        borderpad=0.1,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)


def _svg(drawing: Drawing, alt: str, prefix: str) -> str:
    out = io.StringIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # the browser's fonts draw the text, not ours
        drawing.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return _embedded(out.getvalue(), alt, prefix)


def _embedded(svg: str, alt: str, prefix: str) -> str:
    """matplotlib's document as an element of our page: its own ids, our colours and font, and the alternative text."""
    view = re.search(r'viewBox="[^"]*"', svg)
    body = svg[svg.index(">", svg.index("<svg")) + 1 :]
    body = re.sub(r"<metadata>.*?</metadata>|<style[^>]*>.*?</style>", "", body, flags=re.DOTALL)
    used = set(re.findall(r'(?:url\(#|href="#)([^")]+)', body))
    body = re.sub(r' id="([^"]*)"', lambda m: f' id="{prefix}{m[1]}"' if m[1] in used else "", body)
    body = re.sub(r'(url\(#|href="#)', rf"\g<1>{prefix}", body)
    body = body.replace("xlink:href", "href")
    body = re.sub(r"#0[1-9]0[1-9]0[1-9]\b", lambda m: f"var(--{_VARIABLES[m[0]]})", body)
    body = re.sub(r"font: ([\d.]+)px '?DejaVu Sans'?", r"font-size: \1px", body)
    label = _escaped(alt)
    return f'<svg role="img" aria-label="{label}" {view[0] if view else ""}>{body}'


def _escaped(text: str) -> str:
    from markupsafe import escape

    return str(escape(text))
