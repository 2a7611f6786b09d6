"""Maps: which labels are drawn, and which find no room."""

from __future__ import annotations

import re

from sagedock.figures import MapChart, Points
from sagedock.reports.maps import LONGEST_LABEL, map_chart


def drawn(*groups: Points) -> list[str]:
    """The texts of the picture beside the names of its axes."""
    picture = map_chart(MapChart("Map", "", "A map.", "across", "up", groups), "f1-")
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", picture)
    return [text for text in texts if text not in ("across", "up")]


def test_labels_far_apart_are_all_drawn() -> None:
    names = [f"word{number}" for number in range(20)]
    assert drawn(Points("words", range(20), [number % 7 for number in range(20)], names)) == names


def test_of_labels_in_one_place_the_first_find_room() -> None:
    names = [f"word{number}" for number in range(40)]
    found = drawn(Points("words", [1.0] * 40, [1.0] * 40, names))
    assert found == names[: len(found)]
    assert 2 <= len(found) <= 8


def test_the_first_of_each_group_come_before_the_second() -> None:
    groups = [Points(name, [0.0] * 9, [0.0] * 9, [f"{name}{number}" for number in range(9)]) for name in "ab"]
    found = [text for text in drawn(*groups) if len(text) == 2]
    assert found[:2] == ["a0", "b0"]
    assert found == ["a0", "b0", "a1", "b1", "a2", "b2", "a3", "b3"][: len(found)]


def test_points_without_a_place_or_a_name_are_not_named() -> None:
    nan = float("nan")
    assert drawn(Points("words", [0, nan, 2], [0, 1, 2], ["first", "nowhere", ""])) == ["first"]


def test_a_long_label_is_shortened() -> None:
    (text,) = drawn(Points("words", [0], [0], ["x" * 400]))
    assert text == "x" * (LONGEST_LABEL - 1) + "…"


def test_circles_with_sizes_are_all_named_even_where_they_lie_on_one_another() -> None:
    names = [f"{number} topic" for number in range(20)]
    x, y = [number % 5 for number in range(20)], [number % 4 for number in range(20)]
    assert drawn(Points("topics", x, y, names, [1 / (1 + number) for number in range(20)])) == names


def test_the_area_of_a_circle_is_its_size() -> None:
    picture = map_chart(
        MapChart("Map", "", "A map.", "x", "y", [Points("t", [0, 1, 2], [0, 1, 0], [""] * 3, [4.0, 1.0, 1e-9])]), "f1-"
    )
    circles = [path for path in re.findall(r'd="(M[^"]*C[^"]*)"', picture) if path.count("C") == 8]
    across = [[float(number) for number in re.findall(r"-?[\d.]+", path)][::2] for path in circles]
    widths = sorted(max(numbers) - min(numbers) for numbers in across)
    assert len(widths) == 3
    assert abs(widths[2] / widths[1] - 2) < 0.01
    assert abs(widths[0] - 5) < 0.01
