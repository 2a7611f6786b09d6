"""Where the lines of a chart lie in it."""

import re

from sagedock.figures import Line, LineChart
from sagedock.reports.charts import line_chart

NUMBERS = re.compile(r"[\d.]+ ([\d.]+)")


def test_a_line_far_above_zero_has_room_above_it() -> None:
    """It was drawn on the upper edge, and half of it cut off."""
    chart = LineChart("Loss", "", "A chart.", "x", "y", [Line("loss", [0, 1, 2], [0.71, 0.69, 0.68])], y_from_zero=True)
    paths = re.findall(r'<path d="([^"]+)"([^>]*)', line_chart(chart, "a"))
    heights = [[float(y) for y in NUMBERS.findall(path)] for path, _ in paths]
    (line,) = (found for found, (_, rest) in zip(heights, paths, strict=True) if "stroke-width: 1.8" in rest)
    axes = heights[1]
    assert (min(line) - min(axes)) / (max(axes) - min(axes)) > 0.04
