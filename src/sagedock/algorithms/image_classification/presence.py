"""How well each class is recognised where a picture may be of several: average precision, thresholds, figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sagedock.algorithms.image_classification.judgement import HALF, Judgement, ratio
from sagedock.figures import BarChart, Figure, Grid, Section, shown

IN_ORDER, MOST_ROWS, MOST_BARS = 20, 300, 24


def measures(judgement: Judgement, train_counts: Sequence[int]) -> dict[str, Any]:
    """Accuracy of decisions, share of pictures with no wrong one, and the measures of each class, as JSON values."""
    truths, decisions = judgement.truths, judgement.decisions
    count = judgement.classes
    trained = [int(each) for each in train_counts] if len(train_counts) == count else [None] * count
    classes = [
        {"name": name, "training_pictures": trained[place]}
        | of_class(judgement.probabilities[:, place], truths[:, place])
        for place, name in enumerate(judgement.class_names)
    ]
    known = [each["average_precision"] for each in classes if each["average_precision"] is not None]
    return {
        "pictures": len(truths),
        "accuracy": float((truths == decisions).mean()) if truths.size else None,
        "exact_matches": float((truths == decisions).all(axis=1).mean()) if len(truths) else None,
        "mean_average_precision": sum(known) / len(known) if known else None,
        "classes": classes,
    }


def of_class(probabilities: ArrayLike, truths: ArrayLike) -> dict[str, Any]:
    """Average precision, the measures at 0.5, and the threshold with the best F1; None is what is not defined.

    Average precision is the mean of the precisions at each rise of recall, equal probabilities taken together (C. D.
    Manning, P. Raghavan and H. Schütze, Introduction to Information Retrieval, 2008, 8.4). A class is told above its
    threshold.
    """
    sure, present = np.asarray(probabilities, np.float64), np.asarray(truths, bool)
    told = sure > HALF
    right, positives = int((told & present).sum()), int(present.sum())
    found: dict[str, Any] = {
        "pictures": positives,
        "precision": ratio(right, int(told.sum())),
        "recall": ratio(right, positives),
        "f1": ratio(2 * right, int(told.sum()) + positives),
        "average_precision": None,
        "best_threshold": None,
        "best_f1": None,
    }
    return found | (_by_threshold(sure, present) if positives else {})


def _by_threshold(sure: NDArray[np.float64], present: NDArray[np.bool_]) -> dict[str, float]:
    order = np.argsort(-sure, kind="stable")
    levels = sure[order]
    last = np.append(np.flatnonzero(np.diff(levels)), len(levels) - 1)  # of each run of equal probabilities
    right = np.cumsum(present[order])[last]
    told, positives = last + 1, int(present.sum())
    average = float((np.diff(right, prepend=0) * right / told).sum() / positives)
    scores = 2 * right / (told + positives)
    best = int(scores.argmax())
    below = levels[last[best] + 1] if last[best] + 1 < len(levels) else 0.0
    return {
        "average_precision": average,
        "best_threshold": float((levels[last[best]] + below) / 2),
        "best_f1": float(scores[best]),
    }


def figures(found: Mapping[str, Any]) -> list[Figure]:
    """Average precision of the classes as bars, and the table of classes, from what `measures` gave."""
    text = "Measured on the validation channel, pictures cropped in their middle; one may be of several classes."
    return [Section("Classes", text), *_bars(found["classes"]), _table(found["classes"])]


def _bars(classes: Sequence[Mapping[str, Any]]) -> list[Figure]:
    known = sorted(
        (each for each in classes if each["average_precision"] is not None), key=lambda each: each["average_precision"]
    )
    drawn = known[:MOST_BARS][::-1]
    if not drawn:
        return []
    part = f" The {MOST_BARS} lowest of {shown(len(known))} classes." if len(known) > MOST_BARS else ""
    return [
        BarChart(
            title="Average precision",
            caption="1 where every picture of the class has a higher probability for it than any other picture; a "
            f"model that guesses gets the class's share of pictures.{part}",
            alt=f"Bars of the average precision of {shown(len(drawn))} classes, from "
            f"{shown(drawn[0]['average_precision'])} down to {shown(drawn[-1]['average_precision'])}.",
            value_label="average precision",
            names=[each["name"] for each in drawn],
            values=[each["average_precision"] for each in drawn],
        )
    ]


def _table(classes: Sequence[Mapping[str, Any]]) -> Grid:
    order = list(classes) if len(classes) <= IN_ORDER else sorted(classes, key=_weakness)
    trained = any(each["training_pictures"] is not None for each in classes)
    names = ("precision", "recall", "f1", "average_precision", "best_threshold", "best_f1")
    rows = [
        [
            each["name"],
            *([shown(each["training_pictures"])] if trained else []),
            shown(each["pictures"]),
            *(shown(each[name]) for name in names),
        ]
        for each in order[:MOST_ROWS]
    ]
    caption = (
        "Precision, recall and F1 at the threshold 0.5, and the threshold that gives the best F1 on these pictures; "
        "being chosen on them, that F1 is a little high."
    )
    if len(classes) > IN_ORDER:
        caption += " The class with the lowest average precision stands first."
    if len(classes) > MOST_ROWS:
        caption += f" Of {shown(len(classes))} classes {MOST_ROWS} are shown; metrics.json has all."
    columns = ["Class", *(["Trained on"] if trained else []), "Pictures", "Precision", "Recall", "F1"]
    return Grid("By class", caption, [*columns, "Average precision", "Best threshold", "F1 there"], rows)


def _weakness(each: Mapping[str, Any]) -> tuple[bool, float]:
    """Classes with pictures come first, the lowest average precision before others."""
    return not each["pictures"], each["average_precision"] or 0.0
