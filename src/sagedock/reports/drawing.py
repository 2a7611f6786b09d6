"""What all drawings share: matplotlib's style, and the way from its picture to one <svg> element of the page.

Colours are written as CSS variables, so that the page decides them for light and dark. Series differ by dash and
marker as well as by colour. The palette is that of Okabe and Ito, Color Universal Design (2008).
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Drawing

WIDTH, HEIGHT = 5.4, 3.3  # inches of 72 units; the page scales them
ROW = 0.22  # inches for a row of the legend

# Stand-ins that matplotlib can draw with, by the CSS variable that replaces them.
INK, FAINT, CARD = "#010101", "#020202", "#030303"
SERIES = ("#040404", "#050505", "#060606", "#070707", "#080808", "#090909")
_VARIABLES = {INK: "ink", FAINT: "faint", CARD: "card"} | {c: f"series-{i}" for i, c in enumerate(SERIES, 1)}
POINTS = ("o", "s", "^", "D", "v", "P")

STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "sagedock",
    "font.family": "DejaVu Sans",
    "font.size": 10.5,
    "text.parse_math": False,
    "axes.unicode_minus": True,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.alpha": 0.35,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.size": 0,
    "xtick.major.pad": 6,
    "ytick.major.pad": 5,
    "ytick.major.size": 0,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
}


def blank(x_label: str, y_label: str, rows: int, height: float = HEIGHT, width: float = WIDTH) -> tuple[Drawing, Any]:
    """A drawing and its only axes; `rows` are those of the legend above."""
    drawing = Drawing(figsize=(width, height + rows * ROW), layout="constrained")
    FigureCanvasSVG(drawing)
    axes = drawing.add_subplot()
    axes.set_xlabel(x_label, parse_math=False)
    axes.set_ylabel(y_label, parse_math=False)
    axes.ticklabel_format(useOffset=False, style="plain")
    return drawing, axes


def thousands(axes: Any) -> None:
    for axis in (axes.xaxis, axes.yaxis):
        if max(map(abs, axis.get_view_interval())) >= 10_000:
            axis.set_major_formatter(lambda value, _: f"{value:,.10g}")


def legend_columns(labels: Sequence[str]) -> int:
    """How many entries of a legend stand side by side."""
    longest = max(map(len, labels), default=0)
    return 3 if longest <= 14 else 2 if longest <= 28 else 1


def legend_rows(labels: Sequence[str]) -> int:
    """How many rows the legend has."""
    return -(-len(labels) // legend_columns(labels))


def add_legend(drawing: Drawing, handles: Sequence[Any], labels: Sequence[str]) -> None:
    """Put a legend above the axes, unless it were empty."""
    if not handles:
        return
    legend = drawing.legend(
        handles,
        labels,
        loc="outside upper left",
        ncols=legend_columns(labels),
        frameon=False,
        handlelength=2.4,
        columnspacing=1.6,
        borderaxespad=0,
        borderpad=0.1,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)


def lay_out(drawing: Drawing) -> None:
    """Decide where the parts of the drawing lie, for good."""
    with _any_glyph():
        drawing.draw_without_rendering()
    drawing.set_layout_engine("none")


def svg(drawing: Drawing, alt: str, prefix: str) -> str:
    """The drawing as one <svg> element whose ids start with `prefix`; equal drawings give equal text."""
    out = io.StringIO()
    with _any_glyph():
        drawing.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return _embedded(out.getvalue(), alt, prefix)


@contextmanager
def _any_glyph() -> Iterator[None]:
    """Within, no warning of glyphs that matplotlib lacks: the browser's fonts draw the text."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        yield


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
