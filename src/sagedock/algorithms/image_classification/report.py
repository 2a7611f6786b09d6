"""What metrics.json holds of an image classification job, and the figures of its report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sagedock.algorithms.image_classification import calibration, confusion, learning, mistakes, presence
from sagedock.algorithms.image_classification.judgement import Judgement
from sagedock.algorithms.image_classification.learning import Epoch
from sagedock.algorithms.image_classification.mistakes import Explain, Pictures
from sagedock.algorithms.image_classification.saliency import METHOD
from sagedock.figures import Facts, Figure, Section, shown

__all__ = ["Epoch", "Run", "made"]

JSON = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """How a job went. `best_epoch`, counted from 0, is the model; `train_counts` are the pictures of each class.

    `facts` are rows for the reader: which weights the network began with, what was trained, on what.
    `squashed_accuracy` is the validation accuracy with pictures squeezed to the network's shape, as endpoints do it.
    """

    hyperparameters: Mapping[str, str]
    epochs: Sequence[Epoch]
    best_epoch: int
    train_counts: Sequence[int] = ()
    facts: Sequence[tuple[str, str]] = ()
    squashed_accuracy: float | None = None


def made(
    run: Run, judgement: Judgement | None, pictures: Pictures | None = None, explain: Explain | None = None
) -> tuple[JSON, Sequence[Figure]]:
    """Metrics (JSON values) and figures; `judgement` is that of epoch `best_epoch`, None without a validated epoch.

    Probabilities that are no numbers are left out, and the figures for which there is nothing to show with them.
    """
    finite = None if judgement is None else judgement.finite
    judged = finite if finite is not None and len(finite.labels) else None
    found = metrics(run, judgement, judged)
    return found, figures(run, found, judged, pictures, explain)


def metrics(run: Run, judgement: Judgement | None, judged: Judgement | None) -> JSON:
    """Curves, how well classes are recognised, calibration and the worst mistakes; `judged` is what is finite."""
    best = run.epochs[run.best_epoch] if run.best_epoch < len(run.epochs) else None
    return {
        "epochs": len(run.epochs),
        "best_epoch": run.best_epoch,
        "validation_accuracy": None if best is None else _finite(best.validation_accuracy),
        "squashed_validation_accuracy": _finite(run.squashed_accuracy),
        "by_epoch": learning.measures(run.epochs),
        "undefined_pictures": 0 if judgement is None else len(judgement.labels) - _rows(judged),
        "validation": None if judged is None else _of_validation(run, judged),
        "facts": dict(run.facts),
        "hyperparameters": dict(run.hyperparameters),
    }


def _of_validation(run: Run, judged: Judgement) -> JSON:
    measures = presence.measures if judged.multi_label else confusion.measures
    return {
        **measures(judged, run.train_counts),
        "calibration": calibration.measures(judged),
        "worst_mistakes": mistakes.as_json(judged, mistakes.worst(judged)),
    }


def _rows(judged: Judgement | None) -> int:
    return 0 if judged is None else len(judged.labels)


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def figures(
    run: Run, found: Mapping[str, Any], judged: Judgement | None, pictures: Pictures | None, explain: Explain | None
) -> Sequence[Figure]:
    """The report in reading order: headline, classes, mistakes, what it looked at, calibration, learning, the job."""
    quality: list[Figure] = []
    if judged is not None:
        of_classes = presence.figures if judged.multi_label else confusion.figures
        quality = [
            *of_classes(found["validation"]),
            *mistakes.figures(judged, pictures, explain, METHOD),
            *calibration.figures(found["validation"]["calibration"], multi_label=judged.multi_label),
        ]
    return [
        Facts("Key figures", _headline(found), kind="headline"),
        *quality,
        *learning.figures(found["by_epoch"], run.best_epoch),
        *_job(run, found),
    ]


def _headline(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    validation = found["validation"] or {}
    rows = [("Validation accuracy", shown(found["validation_accuracy"]))]
    for name, label in (
        ("mean_average_precision", "Mean average precision"),
        ("macro_f1", "Mean F1 of the classes"),
        ("top_5_accuracy", "Right among the first 5"),
    ):
        if validation.get(name) is not None:
            rows.append((label, shown(validation[name])))
    if validation:
        rows.append(("Calibration error", shown(validation["calibration"]["expected_calibration_error"])))
    if found["squashed_validation_accuracy"] is not None:
        rows.append(("Accuracy as an endpoint sees it", shown(found["squashed_validation_accuracy"])))
    rows.append(("Best epoch, counted from 0", shown(found["best_epoch"])))
    return rows


def _job(run: Run, found: Mapping[str, Any]) -> list[Figure]:
    """What the network began with, what serving's resizing costs, and what was asked for."""
    parts = [Facts("The network", list(run.facts))] if run.facts else []
    asked = Facts("Hyperparameters", sorted(run.hyperparameters.items()))
    return [Section("The job"), *parts, *_resizing(found), asked]


def _resizing(found: Mapping[str, Any]) -> list[Figure]:
    cropped, squashed = found["validation_accuracy"], found["squashed_validation_accuracy"]
    if cropped is None or squashed is None:
        return []
    rows = [
        ("Cropped in the middle (validation)", shown(cropped)),
        ("Squeezed to shape (an endpoint)", shown(squashed)),
        ("Difference in points", f"{100 * (squashed - cropped):+.2f}"),
    ]
    return [Facts("Accuracy by how pictures are brought to size", rows)]
