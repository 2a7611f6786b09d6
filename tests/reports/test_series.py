"""Series: what is shaded lies around the points that it is said of."""

from __future__ import annotations

import re

import pytest

from sagedock.figures import Panel, SeriesChart
from sagedock.reports.series import series_chart

POINTS = 11


def shaded(begin: int, end: int) -> tuple[float, float]:
    """From where to where `begin` up to `end` of so many points are shaded, in points."""
    panels = [Panel("y", [1.0] * POINTS)]
    picture = series_chart(SeriesChart("t", "", "a", "x", panels, [(begin, end)], "shaded", [], "", []), "f1-")
    found = re.search(r'<path d="M ([\d.]+) [^L]*L ([\d.]+) [^"]*" clip-path[^>]*opacity: 0\.22', picture)
    ends = re.findall(r'<text[^>]* x="([\d.]+)"[^>]*>(?:0|10)</text>', picture)
    assert found is not None
    left, right = (float(place) for place in ends[:2])
    first, last = ((float(place) - left) / (right - left) * (POINTS - 1) for place in found.groups())
    return first, last


@pytest.mark.parametrize(("begin", "end"), [(3, 4), (0, 2), (POINTS - 1, POINTS)])
def test_a_point_stands_in_the_midst_of_its_shade(begin: int, end: int) -> None:
    """The last point, too, whose shade was outside of the picture when it began at the point itself."""
    assert shaded(begin, end) == pytest.approx((begin - 0.5, end - 0.5), abs=1e-3)
