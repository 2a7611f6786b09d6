"""Lines, bands and points of a chart: where they lie in it, and that they can be seen."""

import math
import re

from sagedock.figures import Band, FanChart, Line, LineChart
from sagedock.reports.charts import line_chart
from sagedock.reports.fans import fan_chart

NUMBERS = re.compile(r"[\d.]+ ([\d.]+)")


def test_a_line_far_above_zero_has_room_above_it() -> None:
    """It was drawn on the upper edge, and half of it cut off."""
    chart = LineChart("Loss", "", "A chart.", "x", "y", [Line("loss", [0, 1, 2], [0.71, 0.69, 0.68])], y_from_zero=True)
    paths = re.findall(r'<path d="([^"]+)"([^>]*)', line_chart(chart, "a"))
    heights = [[float(y) for y in NUMBERS.findall(path)] for path, _ in paths]
    (line,) = (found for found, (_, rest) in zip(heights, paths, strict=True) if "stroke-width: 1.8" in rest)
    axes = heights[1]
    assert (min(line) - min(axes)) / (max(axes) - min(axes)) > 0.04


def test_a_forecast_of_one_step_shows_its_band_and_what_came() -> None:
    """A line through one point, and the area above it, cannot be seen."""
    fan = FanChart("Fan", "", "A fan.", "x", "y", [1.0, 2.0], [2.5], [Band("90 %", [2.0], [3.0])], [2.9])
    drawn = fan_chart(fan, "a")
    (name,) = re.findall(r'<use href="#(\w+)"[^>]*style="fill: var\(--series-1\); fill-opacity', drawn)
    (band,) = re.findall(rf'<path id="{name}" d="([^"]+)"', drawn)
    across = [float(x) for x in re.findall(r"[ML] ([\d.]+) ", band)]
    assert max(across) - min(across) > 5
    assert marks(drawn) == 1


def test_what_came_between_missing_values_is_marked() -> None:
    nan = math.nan
    truth = [1.0, 2.0, nan, 3.0, nan, nan, 4.0]
    assert marks(fan_chart(FanChart("Fan", "", "A fan.", "x", "y", [1.0], [2.0] * 7, [], truth), "a")) == 2


def marks(drawn: str) -> int:
    """Points in the colour of what came."""
    return len(re.findall(r'<use [^>]*style="fill: var\(--series-2\)', drawn))
