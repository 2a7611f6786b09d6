"""How well each class is told apart: confusion, precision, recall and F1, and their figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.blazingtext.classification import Judged
from sagedock.algorithms.blazingtext.corpus import Examples
from sagedock.algorithms.blazingtext.ngrams import END_OF_LINE
from sagedock.figures import Figure, Grid, MatrixChart, Section, shown

MOST_CLASSES = 200
"""Of more classes no confusion matrix is made: it would show nothing, and its size is their square."""
_PAIRS, _EXAMPLES, _LONGEST = 10, 2, 160
"""Pairs of labels that are shown, lines shown of each, and characters shown of a line."""


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
        "confused_most": [
            {
                "label": names[row],
                "taken_for": names[column],
                "lines": int(counts[row, column]),
                "share": float(counts[row, column] / counts[row].sum()),
                "examples": [_text(examples, line) for line in _lines(actual, found.found, row, column)],
            }
            for row, column in _worst(counts)
        ],
    }


def _worst(counts: NDArray[np.int64]) -> list[tuple[int, int]]:
    """The pairs of labels (row, column) that were confused most often, the most frequent first."""
    wrong = counts * (1 - np.eye(len(counts), dtype=np.int64))
    order = np.argsort(-wrong, axis=None, kind="stable")[:_PAIRS]
    return [
        (row, column) for row, column in zip(*np.unravel_index(order, wrong.shape), strict=True) if wrong[row, column]
    ]


def _lines(actual: NDArray[np.int32], found: NDArray[np.int32], row: int, column: int) -> list[int]:
    """The first lines of one label that were taken for another."""
    return [int(line) for line in np.flatnonzero((actual == row) & (found == column))[:_EXAMPLES]]


def _text(examples: Examples, line: int) -> str:
    """A line as training sees it: those of its words that the dictionary has, in their order."""
    words = examples.dictionary.words
    rows = examples.seen[examples.rows[examples.starts[line] : examples.starts[line + 1]]]
    known = [words[row] for row in rows.tolist() if row < len(words) and words[row] != END_OF_LINE]
    text = b" ".join(known).decode("utf-8", "replace")
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1].rstrip() + "…"


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
    return [Section("Classes", text), _matrix(names, counts), _table(found["classes"]), *_pairs(found["confused_most"])]


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


def _pairs(found: Sequence[Mapping[str, Any]]) -> list[Figure]:
    rows = [
        [
            f"{_short(pair['label'])} taken for {_short(pair['taken_for'])}",
            shown(pair["lines"]),
            shown(pair["share"]),
            "\n".join(pair["examples"]),
        ]
        for pair in found
    ]
    caption = (
        "Which label was taken for which other, and the first such lines, without words that training did not know."
    )
    return (
        [Grid("Confused most", caption, ["Pair", "Lines", "Share of label", "Lines such as"], rows, texts=1)]
        if rows
        else []
    )
