"""The figures of a report as plain data; `reports` draws them.

Every figure has a `title`, one sentence of `caption` for the reader, and `alt`, the text that stands for the picture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias


@dataclass(frozen=True)
class Line:
    """A named curve through the points (x[i], y[i])."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True)
class Mark:
    """A labelled point on a LineChart, for example the chosen cut-off."""

    label: str
    x: float
    y: float


@dataclass(frozen=True)
class LineChart:
    """Curves over a common axis; `diagonal` adds the line y = x for comparison."""

    title: str
    caption: str
    alt: str
    x_label: str
    y_label: str
    lines: Sequence[Line]
    marks: Sequence[Mark] = ()
    diagonal: bool = False
    y_from_zero: bool = False


@dataclass(frozen=True)
class Panel:
    """One of the curves of a SeriesChart: a value for each position; `level` draws a horizontal line, named."""

    y_label: str
    y: Sequence[float]
    level: tuple[str, float] | None = None


@dataclass(frozen=True)
class SeriesChart:
    """A series, panels one beneath the other over its positions 0, 1, 2 and so on, drawn across the page.

    `spans` are shaded, each from a position to one behind its end; `marks` are positions marked on the first panel.
    `ticks` names positions, for example with dates; without it their numbers stand there.
    """

    title: str
    caption: str
    alt: str
    x_label: str
    panels: Sequence[Panel]
    spans: Sequence[tuple[int, int]] = ()
    spans_label: str = ""
    marks: Sequence[int] = ()
    marks_label: str = ""
    ticks: Sequence[tuple[int, str]] = ()


@dataclass(frozen=True)
class Band:
    """What lies between two curves over the steps of a forecast, `low[i]` to `high[i]`."""

    name: str
    low: Sequence[float]
    high: Sequence[float]


@dataclass(frozen=True)
class FanChart:
    """A forecast that fans out from the end of what was known, drawn across the page; what is missing is NaN.

    `history` are the values known, `middle` the forecast's, within `bands`, the widest first, and `truth` what came.
    `ticks` names positions: 0 is the first of the history, and the forecast follows its last.
    """

    title: str
    caption: str
    alt: str
    x_label: str
    y_label: str
    history: Sequence[float]
    middle: Sequence[float]
    bands: Sequence[Band] = ()
    truth: Sequence[float] = ()
    ticks: Sequence[tuple[int, str]] = ()


@dataclass(frozen=True)
class HistogramChart:
    """Counts between edges, one edge more than counts, on a logarithmic scale if so; `marks` are named values of x."""

    title: str
    caption: str
    alt: str
    x_label: str
    y_label: str
    edges: Sequence[float]
    counts: Sequence[int]
    marks: Sequence[tuple[str, float]] = ()
    logarithmic: bool = False


@dataclass(frozen=True)
class BarChart:
    """Horizontal bars, largest first as given."""

    title: str
    caption: str
    alt: str
    value_label: str
    names: Sequence[str]
    values: Sequence[float]


@dataclass(frozen=True)
class Ranking:
    """A short list of names, largest value first, and a note such as what they are in sum."""

    title: str
    note: str
    names: Sequence[str]
    values: Sequence[float]


@dataclass(frozen=True)
class RankingChart:
    """Rankings side by side as bars, those of each by its own largest value."""

    title: str
    caption: str
    alt: str
    rankings: Sequence[Ranking]


@dataclass(frozen=True)
class ScatterChart:
    """Points (x[i], y[i]); `diagonal` adds the line y = x."""

    title: str
    caption: str
    alt: str
    x_label: str
    y_label: str
    x: Sequence[float]
    y: Sequence[float]
    diagonal: bool = False


@dataclass(frozen=True)
class Points:
    """Points (x[i], y[i]) of one kind on a MapChart, the first ones those that matter most.

    `labels` say what stands beside each point, where there is room; an empty one leaves the point unnamed. With `sizes`
    points are circles whose areas are to one another as these, and labels may stand on them.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    labels: Sequence[str]
    sizes: Sequence[float] = ()


@dataclass(frozen=True)
class MapChart:
    """Where things lie to one another: an inch is as far across as up, and the axes have no numbers."""

    title: str
    caption: str
    alt: str
    x_label: str
    y_label: str
    groups: Sequence[Points]


@dataclass(frozen=True)
class MatrixChart:
    """Counts by actual class (row) and predicted class (column)."""

    title: str
    caption: str
    alt: str
    row_names: Sequence[str]
    column_names: Sequence[str]
    counts: Sequence[Sequence[int]]


@dataclass(frozen=True)
class Facts:
    """A two-column table: what, and how much."""

    title: str
    rows: Sequence[tuple[str, str]]
    kind: Literal["headline", "table"] = "table"


@dataclass(frozen=True)
class Grid:
    """A table of several columns; the first column heads its row, the others hold numbers as text.

    The last `texts` columns hold words instead, which begin at the left and take several lines where they are long.
    """

    title: str
    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    texts: int = 0


@dataclass(frozen=True)
class Picture:
    """A picture or several side by side, as data URIs (image/png, image/jpeg), with named texts beneath them.

    `alt` stands for the pictures, `note` says where they come from, and `mark` whether what was told of them is right.
    """

    sources: Sequence[str]
    alt: str
    rows: Sequence[tuple[str, str]]
    note: str = ""
    mark: Literal["", "right", "wrong"] = ""


@dataclass(frozen=True)
class Gallery:
    """Pictures beside and beneath one another."""

    title: str
    caption: str
    alt: str
    pictures: Sequence[Picture]


@dataclass(frozen=True)
class Section:
    """A heading for the figures that follow, with a sentence for the reader or none."""

    title: str
    text: str = ""


Figure: TypeAlias = (
    LineChart
    | SeriesChart
    | FanChart
    | HistogramChart
    | BarChart
    | RankingChart
    | ScatterChart
    | MapChart
    | MatrixChart
    | Facts
    | Grid
    | Gallery
    | Section
)


def shown(value: float | None) -> str:
    """How a report writes a number: whole ones whole, others to four decimals, to two from 100 on."""
    if value is None or not math.isfinite(value):
        return "not defined"
    if float(value).is_integer() and (isinstance(value, int) or abs(value) >= 100):
        return f"{int(value):,}"
    if abs(value) >= 100:
        return f"{value:,.2f}"
    return f"{value:.4f}" if abs(value) >= 0.001 or value == 0 else f"{value:.3g}"
