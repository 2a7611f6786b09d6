"""Maps drawn as SVG: points, and beside them as many of their labels as find room."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure as Drawing
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.textpath import TextPath

from sagedock.figures import MapChart, Points
from sagedock.reports.drawing import INK, POINTS, SERIES, STYLE, add_legend, blank, lay_out, legend_rows, svg

MAP_WIDTH, MAP_HEIGHT = 9.0, 5.4
LABEL_SIZE = 8.5
LONGEST_LABEL = 24
_NAMED, _UNNAMED = 4.0, 2.8  # sizes of points in units of 1/72 inch
_LARGEST, _SMALLEST = 46.0, 5.0  # of those with sizes
_GAP = 2.5
_WITHIN = math.sqrt(0.5)
_SIDES = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1))
"""Where a label may stand beside its point, the best place first."""


@dataclass(frozen=True)
class _Box:
    """A rectangle on the drawing, in units of 1/72 inch from its lower left corner."""

    left: float
    bottom: float
    right: float
    top: float

    def meets(self, other: _Box) -> bool:
        across = self.left < other.right and other.left < self.right
        return across and self.bottom < other.top and other.bottom < self.top

    def lies_in(self, other: _Box) -> bool:
        across = other.left <= self.left and self.right <= other.right
        return across and other.bottom <= self.bottom and self.top <= other.top


@dataclass(frozen=True)
class _Label:
    """A label that asks for room: its text, where its point lies on the drawing, and the group that colours it."""

    text: str
    x: float
    y: float
    group: int
    point: float = _NAMED
    """How wide the point is."""

    @property
    def point_box(self) -> _Box:
        """What the point fills; of a circle with a size a square within it."""
        half = self.point / 2 * (1 if self.point <= _NAMED else _WITHIN)
        return _Box(self.x - half, self.y - half, self.x + half, self.y + half)

    def places(self) -> Iterator[_Box]:
        """The boxes beside its point that it could fill, the best first."""
        wide, high, away = _width(self.text), LABEL_SIZE * 1.25, self.point / 2 + _GAP
        for across, up in _SIDES:
            left = self.x + across * away - wide * (1 - across) / 2
            bottom = self.y + up * away - high * (1 - up) / 2
            yield _Box(left, bottom, left + wide, bottom + high)

    @property
    def on_point(self) -> _Box:
        """The box in the middle of its point."""
        wide, high = _width(self.text), LABEL_SIZE * 1.25
        return _Box(self.x - wide / 2, self.y - high / 2, self.x + wide / 2, self.y + high / 2)


def map_chart(chart: MapChart, prefix: str) -> str:
    """The map as one <svg> element whose ids start with `prefix`; equal maps give equal text.

    Labels are placed one after the other, the first of each group first; one that finds no room is left out.
    """
    groups = [_finite(group) for group in chart.groups]
    names = [group.name for group in groups] if len(groups) > 1 else []
    with mpl.rc_context(STYLE | {"axes.grid": False}):
        drawing, axes = blank(chart.x_label, chart.y_label, legend_rows(names), MAP_HEIGHT, MAP_WIDTH)
        axes.set(xticks=[], yticks=[])
        axes.set_aspect("equal", adjustable="datalim")
        axes.margins(0.12 if any(group.sizes for group in groups) else 0.07)
        for index, group in enumerate(groups):
            _draw_points(axes, group, index)
        handles = [Line2D([], [], **_style(index, 6.0)) for index in range(len(names))]
        add_legend(drawing, handles, names)
        _draw_labels(drawing, axes, groups)
        return svg(drawing, chart.alt, prefix)


def _finite(group: Points) -> Points:
    points = zip(group.x, group.y, group.labels, group.sizes or [0.0] * len(group.x), strict=True)
    kept = [point for point in points if all(map(math.isfinite, (point[0], point[1], point[3])))]
    x, y, labels, sizes = zip(*kept, strict=True) if kept else ((), (), (), ())
    return Points(group.name, x, y, labels, sizes if group.sizes else ())


def _diameters(group: Points) -> list[float]:
    """Of the named points."""
    if not group.sizes:
        return [_NAMED] * len(group.x)
    largest = max(*group.sizes, 1e-30)
    return [max(_SMALLEST, _LARGEST * math.sqrt(max(size, 0.0) / largest)) for size in group.sizes]


def _style(index: int, size: float) -> dict[str, Any]:
    shape = POINTS[index % len(POINTS)]
    return {"color": SERIES[index % len(SERIES)], "marker": shape, "markersize": size, "linestyle": "none", "mew": 0}


def _draw_points(axes: Any, group: Points, index: int) -> None:
    if group.sizes:
        areas = [diameter**2 for diameter in _diameters(group)]
        colour = SERIES[index % len(SERIES)]
        axes.scatter(group.x, group.y, s=areas, color=colour, alpha=0.3, linewidths=0)
        return
    for size, opacity, named in ((_UNNAMED, 0.4, False), (_NAMED, 0.9, True)):
        chosen = [place for place, label in enumerate(group.labels) if bool(label) is named]
        x, y = ([values[place] for place in chosen] for values in (group.x, group.y))
        axes.plot(x, y, alpha=opacity, zorder=2 + named, **_style(index, size))


def _draw_labels(drawing: Drawing, axes: Any, groups: Sequence[Points]) -> None:
    lay_out(drawing)
    scale = 72 / drawing.dpi
    frame = _Box(*(axes.bbox.min * scale), *(axes.bbox.max * scale))
    for label, box in _placed(list(_labels(axes, groups, scale)), frame):
        corner = axes.transAxes.inverted().transform((box.left / scale, (box.bottom + LABEL_SIZE * 0.3) / scale))
        colour = SERIES[label.group % len(SERIES)] if len(groups) > 1 else INK
        axes.text(*corner, label.text, transform=axes.transAxes, fontsize=LABEL_SIZE, color=colour, parse_math=False)


def _labels(axes: Any, groups: Sequence[Points], scale: float) -> Iterator[_Label]:
    """Every label of the map: the first of each group, then the second of each, and so on."""
    diameters = [_diameters(group) for group in groups]
    for place in range(max((len(group.labels) for group in groups), default=0)):
        for index, group in enumerate(groups):
            if place < len(group.labels) and group.labels[place]:
                x, y = axes.transData.transform((group.x[place], group.y[place])) * scale
                yield _Label(_shortened(group.labels[place]), x, y, index, diameters[index][place])


def _placed(labels: Sequence[_Label], frame: _Box) -> Iterator[tuple[_Label, _Box]]:
    """The labels that find room inside `frame`, each clear of the others and of all named points.

    One of a circle with a size may stand on it, or on others, where there is no better place.
    """
    points = [label.point_box for label in labels]
    taken: list[_Box] = []
    for label in labels:
        free = [box for box in label.places() if box.lies_in(frame) and not any(map(box.meets, taken))]
        clear = [box for box in free if not any(map(box.meets, points))]
        if label.point > _NAMED:
            middle = label.on_point
            if middle.right - middle.left <= label.point * _WITHIN and not any(map(middle.meets, taken)):
                clear.insert(0, middle)
            clear += [*([middle] if middle.lies_in(frame) and not any(map(middle.meets, taken)) else ()), *free]
        if clear:
            taken.append(clear[0])
            yield label, clear[0]


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_LABEL else f"{line[: LONGEST_LABEL - 1]}…"


def _width(text: str) -> float:
    """The width of a label in units of 1/72 inch: in DejaVu Sans, which is wider than what browsers mostly take."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    narrow = "".join(character if _is_drawn(character) else "n" for character in text)
    box = TextPath((0, 0), narrow, size=LABEL_SIZE, prop=FontProperties(family="DejaVu Sans")).get_extents()
    return float(box.x1) + wide * LABEL_SIZE * 0.6


def _is_drawn(character: str) -> bool:
    """Whether DejaVu Sans is sure to have it; anything else counts as wide as an n."""
    return " " < character < "\u0500"
