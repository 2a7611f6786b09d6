"""Figures for the tests of the page: ordinary ones, and as awkward as a job may make them."""

from __future__ import annotations

import math
from typing import Literal

from sagedock.figures import (
    Band,
    BarChart,
    Facts,
    FanChart,
    Figure,
    Gallery,
    Grid,
    HistogramChart,
    Line,
    LineChart,
    MapChart,
    Mark,
    MatrixChart,
    Panel,
    Picture,
    Points,
    Ranking,
    RankingChart,
    ScatterChart,
    Section,
    SeriesChart,
)

HOSTILE = (
    """<script>alert("1")</script><img src=x onerror='alert(2)'>&amp; $x_1^2$ \\frac """
    "\x00\x1b ]]> --> {{ 7 * 7 }} äöü 你好"
)
DOT = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGO4GscAAAM/ATSTd+sxAAAAAElFTkSuQmCC"
)
LONG = "a_feature_name_without_any_blank_" * 6


def matrix(size: int, title: str = "Confusion matrix") -> MatrixChart:
    names = [str(index) for index in range(size)]
    counts = [[12_345 if row == column else (row * column) % 7 for column in range(size)] for row in range(size)]
    return MatrixChart(title, "Records by class.", f"Confusion matrix of {size} classes.", names, names, counts)


def cloud(name: str, points: int, label: str, turn: float) -> Points:
    """A spiral of points, each named `label` and a letter; every third one is not named."""
    angles = [turn + 0.5 * index for index in range(points)]
    x = [angle * math.cos(angle) for angle in angles]
    y = [angle * math.sin(angle) for angle in angles]
    return Points(name, x, y, [f"{label} {chr(97 + index % 26)}" if index % 3 else "" for index in range(points)])


def ordinary(text: str = "train") -> list[Figure]:
    rounds = [float(index) for index in range(40)]
    curve = [1 / (1 + index) for index in rounds]
    return [
        Facts("Key figures", [(text, "0.9123"), ("Rounds", "40"), ("Records", "1,000")], kind="headline"),
        Section("Quality", text),
        LineChart(
            title=text,
            caption=text,
            alt=text,
            x_label=text,
            y_label=text,
            lines=[Line(text, rounds, curve), Line("validation", rounds, [value + 0.1 for value in curve])],
            marks=[Mark(text, 3.0, curve[3])],
            diagonal=True,
            y_from_zero=True,
        ),
        ScatterChart(text, text, text, text, text, rounds, curve, diagonal=True),
        series(text, 10_000),
        fan(text, 150, 48),
        HistogramChart(text, text, text, text, text, [0.5, 1, 1.5, 2], [900, 30, 2], [(text, 1.2)], logarithmic=True),
        MapChart(text, text, text, text, text, [cloud(text, 60, "word", 0), cloud("validation", 40, text, 1)]),
        MatrixChart(text, text, text, [text, "1"], [text, "1"], [[453, 9], [27, 52]]),
        BarChart(text, text, text, "gain", [text, "Day Mins"], [31.5, 2.25]),
        RankingChart(text, text, text, [Ranking(text, text, [text, "word"], [0.2, 0.1]) for _ in range(7)]),
        Grid(text, text, ["Class", text], [[text, "0.5"], ["1", "0.75"]]),
        Grid(text, text, ["Class", text, "Words"], [[text, "0.5", f"{text} " * 40], ["1", "0.75", ""]], texts=1),
        Gallery(text, text, text, [picture(text, 1 + number // 9, "wrong") for number in range(9)]),
        Gallery(text, text, text, [picture(text, 2, "right") for _ in range(3)]),
        Facts(text, [(text, text)]),
    ]


def picture(text: str, sources: int, mark: Literal["", "right", "wrong"]) -> Picture:
    """A red dot or several, with `text` at each place that has some."""
    return Picture([DOT] * sources, text, [("told", text), ("true", text)], text, mark)


def circles(count: int) -> Points:
    """Circles of many sizes, most of them in one place."""
    x = [math.sin(number) / (1 + number % 3) for number in range(count)]
    y = [math.cos(number * 1.3) / (1 + number % 4) for number in range(count)]
    return Points("topics", x, y, [f"{n} word other" for n in range(count)], [1 / (1 + n) for n in range(count)])


def series(text: str, length: int) -> SeriesChart:
    values = [math.sin(position / 50) + (position == 700) for position in range(length)]
    panels = [Panel(text, values), Panel("score", [abs(value) for value in values], (text, 1.5))]
    spans, ticks = [(650, 750), (1200, 1210)], [(0, "2014-07-01"), (length // 2, "2014-10-01")]
    return SeriesChart(text, text, text, text, panels, spans, text, [700], "anomaly", ticks)


def fan(text: str, known: int, steps: int) -> FanChart:
    values = [100 * math.sin(position / 4) + 20_000 for position in range(known + steps)]
    bands = [
        Band(f"{text[:60]} {share}", [v - size * (i + 1) for i, v in enumerate(values[known:])], values[known:])
        for share, size in (("90 %", 2), ("50 %", 1))
    ]
    truth = [value + 30 for value in values[known:]]
    ticks = [(0, "2014-07-01"), (known, "2014-10-01")]
    return FanChart(text, text, text, text, text, values[:known], values[known:], bands, truth, ticks)


def awkward() -> list[Figure]:
    nothing = [math.nan] * 3
    return [
        Facts("Key figures", [("AUC", "not defined")] * 7, kind="headline"),
        Facts("No rows", []),
        Section("Nothing in here"),
        Section("Charts"),
        LineChart("Empty", "", "An empty chart.", "x", "y", [Line("none", [], [])], diagonal=True),
        LineChart("No lines", "", "A chart without lines.", "x", "y", []),
        LineChart("NaN", "", "A chart of NaN.", "x", "y", [Line("nan", [0, 1, 2], nothing)], y_from_zero=True),
        LineChart("One point", "", "One point.", "round", "auc", [Line("train", [0], [0.5])], [Mark("best", 0, 0.5)]),
        LineChart("Flat", "", "A flat line.", "x", "y", [Line("_hidden", [0, 1], [0, 0]), Line("b", [0, 1], [0, 0])]),
        LineChart("Many", "", "Many lines.", "x", "y", [Line(LONG[:60], [0, 1], [0, n]) for n in range(9)]),
        LineChart("Large", "", "Large values.", "x", "cost", [Line("cost", [0, 1], [1.5e7, 1e12])]),
        ScatterChart("No points", "", "No points.", "x", "y", [], [], diagonal=True),
        SeriesChart("No panels", "", "No panels.", "x", []),
        SeriesChart("No values", "", "No values.", "x", [Panel("y", [])], marks=[3], marks_label="anomaly"),
        SeriesChart(
            "One value", "", "One value.", "x", [Panel("y", [1e9], ("cut-off", 2e9))], [(0, 1)], "label", [0], "a"
        ),
        SeriesChart("NaN series", "", "NaN.", "x", [Panel("y", [math.nan] * 5000)]),
        FanChart("No fan", "", "No fan.", "x", "y", [], []),
        FanChart("No truth", "", "No truth.", "x", "y", [1.0], [2.0], [Band("90 %", [1.0], [3.0])]),
        FanChart("NaN fan", "", "A fan of NaN.", "x", "y", nothing, nothing, [Band("all", nothing, nothing)], nothing),
        HistogramChart("No counts", "", "No counts.", "score", "rows", [0, 1], [0], logarithmic=True),
        HistogramChart("Long name", "", "Long name.", "score", "rows", [0, 1], [5], [(LONG[:60], 0.5)]),
        MapChart("Circles", "", "Circles.", "x", "y", [circles(30)]),
        MapChart("One circle", "", "One circle.", "x", "y", [Points("one", [2], [2], ["its name"], [0.0])]),
        RankingChart("No rankings", "", "No rankings.", []),
        RankingChart("Empty", "", "An empty ranking.", [Ranking("none", "", [], []), Ranking(LONG, LONG, [LONG], [0])]),
        MapChart("No groups", "", "No groups.", "x", "y", []),
        MapChart("Empty map", "", "An empty map.", "x", "y", [Points("none", [], [], [])]),
        MapChart("NaN map", "", "A map of NaN.", "x", "y", [Points("nan", nothing, nothing, ["a", "b", "c"])]),
        MapChart("One place", "", "All in one place.", "x", "y", [Points("one", [1] * 9, [1] * 9, ["same"] * 9)]),
        MapChart(
            "Long names", "", "Long names.", "x", "y", [cloud(LONG[:60], 200, name, 0) for name in (LONG, "你好")]
        ),
        MapChart("Groups", "", "Nine groups.", "x", "y", [cloud(f"group {n}", 30, "MWQ", n) for n in range(9)]),
        BarChart("Signs", "", "Bars of both signs.", "effect", [LONG, "b", "zero"], [2.5, -5.0, 0.0]),
        BarChart("No bars", "", "No bars.", "effect", [], []),
        Gallery("No pictures", "", "No pictures.", []),
        Gallery(
            "Bare",
            "",
            "Pictures without anything.",
            [Picture([], "", []), Picture([DOT], "", []), picture(LONG, 1, "")],
        ),
        matrix(10),
        matrix(30, "Thirty classes"),
        MatrixChart("Long classes", "", "Long.", [f"{n}{LONG}" for n in range(20)], ["你好 $x$"] * 20, [[1] * 20] * 20),
        Grid("Long", "", ["Class", "F1"], [[str(n), "0.5"] for n in range(257)]),
        matrix(100, "One hundred classes"),
        matrix(1, "One class"),
        MatrixChart("Nothing counted", "", "Zeros.", [LONG, "b"], [LONG, "b"], [[0, 0], [0, 0]]),
        Grid("Wide", "", [f"column {n}" for n in range(12)], [[LONG, *["123,456.78"] * 11]]),
        Facts("Long", [(LONG, LONG)]),
    ]
