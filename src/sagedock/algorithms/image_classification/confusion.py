"""How well classes are told apart where each picture is of one: confusion, precision, recall, F1, and their figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.image_classification.judgement import Judgement, ratio
from sagedock.figures import Figure, Grid, MatrixChart, Section, shown

MOST_CLASSES = 1000
"""Of more classes no confusion matrix is made: it would show nothing, and its size is their square."""
IN_ORDER, MOST_ROWS, PAIRS, BESIDE = 20, 300, 12, 4
"""Classes of which the table keeps the order; rows of the table; pairs that are shown; classes of a narrow matrix."""


def measures(judgement: Judgement, train_counts: Sequence[int]) -> dict[str, Any]:
    """Accuracy, confusion matrix, measures of each class and the pairs most often confused, as JSON values."""
    labels, told, names = judgement.labels.astype(np.int64), judgement.told, judgement.class_names
    cells, counts = np.unique(labels * judgement.classes + told, return_counts=True)
    rows, columns = np.divmod(cells, judgement.classes)
    classes = _classes(judgement, labels, told, train_counts)
    found: dict[str, Any] = {
        "pictures": len(labels),
        "accuracy": ratio((labels == told).sum(), len(labels)),
        "top_5_accuracy": _top(judgement, labels, 5),
        "macro_f1": _mean([each["f1"] for each in classes if each["pictures"]]),
        "classes": classes,
        "confused_most": _pairs(rows, columns, counts, names, [each["pictures"] for each in classes]),
    }
    if judgement.classes <= MOST_CLASSES:
        matrix = np.zeros((judgement.classes, judgement.classes), np.int64)
        matrix[rows, columns] = counts
        found["confusion"] = {"classes": names, "counts": matrix.tolist()}
    return found


def _classes(
    judgement: Judgement, labels: NDArray[np.int64], told: NDArray[np.int64], train_counts: Sequence[int]
) -> list[dict[str, Any]]:
    count = judgement.classes
    actual, said = (np.bincount(each, minlength=count).tolist() for each in (labels, told))
    right = np.bincount(labels[labels == told], minlength=count).tolist()
    trained = [int(each) for each in train_counts] if len(train_counts) == count else [None] * count
    return [
        {
            "name": name,
            "training_pictures": trained[place],
            "pictures": actual[place],
            "precision": ratio(right[place], said[place]),
            "recall": ratio(right[place], actual[place]),
            "f1": ratio(2 * right[place], actual[place] + said[place]),
        }
        for place, name in enumerate(judgement.class_names)
    ]


def _top(judgement: Judgement, labels: NDArray[np.int64], count: int) -> float | None:
    """How often the label is among so many most probable classes; None where there are not more than those."""
    if judgement.classes <= count or not len(labels):
        return None
    best = np.argpartition(judgement.probabilities, -count, axis=1)[:, -count:]
    return float((best == labels[:, None]).any(axis=1).mean())


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _pairs(
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    counts: NDArray[np.int64],
    names: Sequence[str],
    pictures: Sequence[int],
) -> list[dict[str, Any]]:
    wrong = np.flatnonzero(rows != columns)
    worst = wrong[np.argsort(-counts[wrong], kind="stable")][:PAIRS]
    return [
        {
            "class": names[rows[place]],
            "taken_for": names[columns[place]],
            "pictures": int(counts[place]),
            "share": float(counts[place] / pictures[rows[place]]),
        }
        for place in worst
    ]


def figures(found: Mapping[str, Any]) -> list[Figure]:
    """Confusion matrix, table of classes and the pairs that are confused most, from what `measures` gave."""
    text = "Measured on the validation channel, each picture cropped in its middle."
    matrix, table, confused = _matrix(found), [_table(found["classes"])], _confused(found["confused_most"])
    narrow = len(found["classes"]) <= BESIDE  # then the pairs fit beside the matrix
    rest = [*confused, *table] if narrow else [*table, *confused]
    return [Section("Classes", text), *matrix, *rest]


def _matrix(found: Mapping[str, Any]) -> list[Figure]:
    if "confusion" not in found:
        return []
    names, counts = found["confusion"]["classes"], found["confusion"]["counts"]
    right = sum(row[place] for place, row in enumerate(counts))
    return [
        MatrixChart(
            title="Confusion matrix",
            caption="Pictures by their class (rows) and by the class that was told (columns).",
            alt=f"Confusion matrix of {shown(len(names))} classes; {shown(right)} of {shown(found['pictures'])} "
            "pictures lie on its diagonal.",
            row_names=names,
            column_names=names,
            counts=counts,
        )
    ]


def _table(classes: Sequence[Mapping[str, Any]]) -> Grid:
    trained = any(each["training_pictures"] is not None for each in classes)
    order = list(classes) if len(classes) <= IN_ORDER else sorted(classes, key=_weakness)
    rows = [
        [
            each["name"],
            *([shown(each["training_pictures"])] if trained else []),
            shown(each["pictures"]),
            *(shown(each[name]) for name in ("precision", "recall", "f1")),
        ]
        for each in order[:MOST_ROWS]
    ]
    caption = (
        "Precision: how many of the pictures told to be of the class are. Recall: how many of its pictures were found."
    )
    if len(classes) > IN_ORDER:
        caption += " The class with the lowest F1 stands first."
    if len(classes) > MOST_ROWS:
        caption += f" Of {shown(len(classes))} classes {MOST_ROWS} are shown; metrics.json has all."
    columns = ["Class", *(["Trained on"] if trained else []), "Pictures", "Precision", "Recall", "F1"]
    return Grid("By class", caption, columns, rows)


def _weakness(each: Mapping[str, Any]) -> tuple[bool, float]:
    """Classes with pictures come first, the lowest F1 before others."""
    return not each["pictures"], each["f1"] or 0.0


def _confused(found: Sequence[Mapping[str, Any]]) -> list[Figure]:
    rows = [
        [f"{pair['class']} taken for {pair['taken_for']}", shown(pair["pictures"]), shown(pair["share"])]
        for pair in found
    ]
    caption = "Which class was taken for which other, how often, and for which share of its pictures."
    return [Grid("Confused most", caption, ["Pair", "Pictures", "Share of the class"], rows)] if rows else []
