"""How well each class is told apart: confusion, precision, recall and F1, and their figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.blazingtext.classification import Judged
from sagedock.algorithms.blazingtext.corpus import Examples
from sagedock.figures import Figure, Grid, MatrixChart, Section, shown

MOST_CLASSES = 200
"""Of more classes no confusion matrix is made: it would show nothing, and its size is their square."""
_PAIRS = 10


def measures(found: Judged, examples: Examples) -> dict[str, Any]:
    """The confusion matrix and the measures of each class, as JSON values; nothing for very many classes.

    A line of several labels counts for the one that was found, or else for its first.
    """
    labels = examples.dictionary.labels
    if len(labels) > MOST_CLASSES or not len(found.found):
        return {}
    first = np.asarray(examples.labels)[np.asarray(examples.label_starts[:-1])]
    actual = np.where(found.right, found.found, first)
    counts = np.zeros((len(labels), len(labels)), np.int64)
    np.add.at(counts, (actual, found.found), 1)
    names = [label.decode("utf-8", "replace") for label in labels]
    return {
        "confusion": {"classes": names, "counts": counts.tolist()},
        "classes": [_of_class(name, counts, place) for place, name in enumerate(names)],
    }


def _of_class(name: str, counts: NDArray[np.int64], place: int) -> dict[str, Any]:
    right, lines, told = int(counts[place, place]), int(counts[place].sum()), int(counts[:, place].sum())
    return {
        "name": name,
        "lines": lines,
        "precision": _ratio(right, told),
        "recall": _ratio(right, lines),
        "f1": _ratio(2 * right, lines + told),
    }


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def figures(channel: str, found: Mapping[str, Any]) -> list[Figure]:
    """Confusion matrix, table of classes and the pairs that are confused most, from what `measures` gave."""
    if "confusion" not in found:
        return []
    names = [_short(name) for name in found["confusion"]["classes"]]
    counts = found["confusion"]["counts"]
    text = f"Measured on the {channel} channel; lines whose labels training never saw are left out."
    return [Section("Classes", text), _matrix(names, counts), _table(found["classes"]), *_pairs(names, counts)]


def _short(label: str) -> str:
    return label.removeprefix("__label__")


def _matrix(names: Sequence[str], counts: Sequence[Sequence[int]]) -> MatrixChart:
    right = sum(row[place] for place, row in enumerate(counts))
    return MatrixChart(
        title="Confusion matrix",
        caption="Lines by their label (rows) and by the label that was found (columns).",
        alt=f"Confusion matrix of {shown(len(names))} classes; {shown(right)} lines lie on its diagonal.",
        row_names=names,
        column_names=names,
        counts=counts,
    )


def _table(classes: Sequence[Mapping[str, Any]]) -> Grid:
    rows = [
        [_short(each["name"]), shown(each["lines"]), *(shown(each[name]) for name in ("precision", "recall", "f1"))]
        for each in classes
    ]
    caption = "Precision: how many of the lines told to be of the class are. Recall: how many of its lines were found."
    return Grid("By class", caption, ["Label", "Lines", "Precision", "Recall", "F1"], rows)


def _pairs(names: Sequence[str], counts: Sequence[Sequence[int]]) -> list[Figure]:
    wrong = [
        (count, names[row], names[column], sum(counts[row]))
        for row in range(len(names))
        for column, count in enumerate(counts[row])
        if count and row != column
    ]
    worst = sorted(wrong, key=lambda pair: (-pair[0], pair[1], pair[2]))[:_PAIRS]
    rows = [[f"{actual} taken for {told}", shown(count), shown(count / lines)] for count, actual, told, lines in worst]
    if not rows:
        return []
    return [Grid("Confused most", "Which label was taken for which other.", ["Pair", "Lines", "Share of label"], rows)]
