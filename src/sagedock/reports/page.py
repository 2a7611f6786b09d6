"""The HTML page: one file that needs no other, from figures."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from sagedock.figures import (
    BarChart,
    Facts,
    FanChart,
    Figure,
    Gallery,
    HistogramChart,
    LineChart,
    MapChart,
    MatrixChart,
    RankingChart,
    ScatterChart,
    Section,
    SeriesChart,
)

CLASSES_IN_TABLE = 16
SHADES = 10

_Drawn = LineChart | ScatterChart | MapChart | MatrixChart | SeriesChart | FanChart | HistogramChart

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")  # no HTML text


@dataclass(frozen=True)
class _Part:
    """A section of the page: its heading, if it has one, and its blocks, each the name of a macro and its data."""

    heading: Section | None
    blocks: Sequence[tuple[str, Any]]


def render(title: str, subtitle: str, figures: Sequence[Figure]) -> str:
    """The page as HTML text, equal for equal arguments; `figures` appear in their order, `Section`s group them."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    template = environment.get_template("page.html")
    return _CONTROL.sub("\ufffd", template.render(title=title, subtitle=subtitle, parts=_parts(figures)).lstrip())


def _parts(figures: Sequence[Figure]) -> list[_Part]:
    parts: list[_Part] = []
    heading: Section | None = None
    blocks: list[tuple[str, Any]] = []
    for number, figure in enumerate(figures, start=1):
        if isinstance(figure, Section):
            if heading or blocks:
                parts.append(_Part(heading, blocks))
            heading, blocks = figure, []
        else:
            blocks.append(_block(figure, f"f{number}-"))
    return [*parts, _Part(heading, blocks)]


def _block(figure: Figure, prefix: str) -> tuple[str, Any]:
    if isinstance(figure, MatrixChart) and max(len(figure.row_names), len(figure.column_names)) <= CLASSES_IN_TABLE:
        return "matrix", {"figure": figure, "shades": _shades(figure.counts)}
    if isinstance(figure, _Drawn):
        name = "wide_chart" if isinstance(figure, SeriesChart | FanChart | MapChart | MatrixChart) else "chart"
        return name, {"figure": figure, "svg": _drawn(figure, prefix), "from_end": isinstance(figure, FanChart)}
    if isinstance(figure, BarChart):
        return "bars", {
            "figure": figure,
            "bars": _bars(figure.values),
            "texts": _texts(figure.values),
        }
    if isinstance(figure, RankingChart):
        return "rankings", {"figure": figure, "bars": [_bars(ranking.values) for ranking in figure.rankings]}
    if isinstance(figure, Facts):
        return ("headline" if figure.kind == "headline" else "facts"), {"figure": figure}
    return ("gallery" if isinstance(figure, Gallery) else "grid"), {"figure": figure}


def _drawn(figure: _Drawn, prefix: str) -> Markup:
    from sagedock.reports import charts, fans, maps, series  # matplotlib takes long to import

    draw: dict[type, Callable[[Any, str], str]] = {
        LineChart: charts.line_chart,
        ScatterChart: charts.scatter_chart,
        MapChart: maps.map_chart,
        MatrixChart: charts.matrix_picture,
        SeriesChart: series.series_chart,
        FanChart: fans.fan_chart,
        HistogramChart: series.histogram,
    }
    return Markup(draw[type(figure)](figure, prefix))  # noqa: S704 - matplotlib escapes every text it draws


def _shades(counts: Sequence[Sequence[int]]) -> list[list[int]]:
    """0 to SHADES for each cell, by its share of its row."""
    return [[round(SHADES * count / max(1, sum(row))) for count in row] for row in counts]


def _bars(values: Sequence[float]) -> list[tuple[str, str]]:
    """Start and width of each bar in per cent of the widest span, which includes zero."""
    low, high = min([0.0, *values]), max([0.0, *values])
    span = (high - low) or 1.0
    return [(f"{100 * (min(v, 0.0) - low) / span:.2f}", f"{100 * abs(v) / span:.2f}") for v in values]


def _texts(values: Sequence[float]) -> list[str]:
    """The values with as many decimals as suit the largest, so that a column of them lines up."""
    decimals = 4 if max(map(abs, values), default=0.0) < 10 else 2
    return [f"{value:,.{decimals}f}" for value in values]
