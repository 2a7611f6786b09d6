"""How well a model predicts: what training hands to the report, and the measures taken from it.

The measures follow scikit-learn's definitions, and its tests compare them; `weights` count a record that many times.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sagedock.algorithms.xgboost.cost import CostMatrix, CutOff

Array: TypeAlias = NDArray[np.float64]
Kind: TypeAlias = Literal["binary", "multiclass", "regression", "other"]

_PROBABILITY_FLOOR = 1e-16


@dataclass(frozen=True)
class Evaluation:
    """A finished training run, seen from the data it was judged on.

    `dataset` names that data: "validation", "train" where there was no validation, "cross-validation" where each
    record was predicted by the folds that did not see it. `predictions` are (n,) or (n, classes), as the booster gives
    them for `objective`. `history` maps "train-auc" and the like to one value per round; `folds` holds the histories
    of a k-fold job instead. `best_round` counts from 0. `importance` is the mean gain of a split by feature name.
    `cost_matrix` and `cut_off` are None when costs were not given. `timings` are seconds by step.
    """

    objective: str
    dataset: str
    labels: NDArray[np.float32]
    predictions: NDArray[np.float32]
    weights: NDArray[np.float32] | None = None
    history: Mapping[str, Sequence[float]] = field(default_factory=dict)
    folds: Sequence[Mapping[str, Sequence[float]]] = ()
    best_round: int | None = None
    watched: str | None = None
    importance: Mapping[str, float] = field(default_factory=dict)
    cost_matrix: CostMatrix | None = None
    cut_off: CutOff | None = None
    train_rows: int = 0
    validation_rows: int = 0
    columns: int = 0
    class_names: Sequence[str] = ()
    hyperparameters: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)

    @property
    def kind(self) -> Kind:
        """What can be measured: ranking and survival objectives have nothing beyond their own metrics.

        reg:logistic with a cut-off decides between two classes, so it is judged as a binary objective.
        """
        if self.cut_off is not None:
            return "binary"
        family = self.objective.partition(":")[0]
        kinds: dict[str, Kind] = {"binary": "binary", "multi": "multiclass", "reg": "regression", "count": "regression"}
        return kinds.get(family, "other")

    @property
    def gives_probabilities(self) -> bool:
        """False for binary:hinge, whose predictions are bare classes."""
        return self.kind == "binary" and self.objective != "binary:hinge"

    @property
    def probabilities(self) -> Array:
        """(n,) probability of class 1 for a binary objective; the margins of binary:logitraw become probabilities."""
        values = np.asarray(self.predictions, dtype=np.float64)
        return sigmoid(values) if self.objective == "binary:logitraw" else values

    @property
    def classes(self) -> NDArray[np.int64]:
        """(n,) predicted class of a binary objective at 0.5, or of a multiclass one."""
        if self.kind == "binary":
            return (self.probabilities > 0.5).astype(np.int64)
        scores = np.asarray(self.predictions)
        return (scores.argmax(axis=1) if scores.ndim == 2 else scores).astype(np.int64)

    @property
    def class_count(self) -> int:
        """Classes of the objective: 2 for a binary one."""
        if self.kind == "binary":
            return 2
        if self.predictions.ndim == 2:
            return int(self.predictions.shape[1])
        declared = int(self.hyperparameters.get("num_class") or 0)
        seen = [int(np.max(values)) + 1 for values in (self.labels, self.classes) if len(values)]
        return max([declared, len(self.class_names), *seen])


class Curve(NamedTuple):
    """Points of a curve in the order of falling thresholds."""

    x: Array
    y: Array


class Calibration(NamedTuple):
    """Bins of equally many records by predicted probability: mean prediction, share of positives, records."""

    predicted: Array
    observed: Array
    counts: NDArray[np.int64]


def sigmoid(margins: ArrayLike) -> Array:
    """1 / (1 + exp(-margin)), without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * np.asarray(margins, dtype=np.float64))))


def roc(labels: ArrayLike, scores: ArrayLike, weights: ArrayLike | None = None) -> Curve:
    """False-positive rate (x) and true-positive rate (y) from (0, 0) to (1, 1); NaN where a class is absent."""
    positives, negatives = _cumulated(labels, scores, weights)
    start = np.zeros(1)
    return Curve(np.concatenate([start, _share(negatives)]), np.concatenate([start, _share(positives)]))


def area_under_roc(labels: ArrayLike, scores: ArrayLike, weights: ArrayLike | None = None) -> float:
    """AUC, ties counted half; NaN where a class is absent."""
    curve = roc(labels, scores, weights)
    return float(np.trapezoid(curve.y, curve.x))


def precision_recall(labels: ArrayLike, scores: ArrayLike, weights: ArrayLike | None = None) -> Curve:
    """Recall (x) and precision (y), one point per distinct score; recall is NaN where there is no positive."""
    positives, negatives = _cumulated(labels, scores, weights)
    return Curve(_share(positives), _quotient(positives, positives + negatives))


def average_precision(labels: ArrayLike, scores: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Sum over thresholds of precision times the recall gained; NaN where there is no positive."""
    recall, precision = precision_recall(labels, scores, weights)
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def calibration(labels: ArrayLike, probabilities: ArrayLike, bins: int = 10) -> Calibration:
    """Up to `bins` bins of nearly equally many records; records of equal probability are never parted."""
    outcome, scores = np.asarray(labels, dtype=np.float64), np.asarray(probabilities, dtype=np.float64)
    edges = np.unique(np.quantile(scores, np.linspace(0, 1, bins + 1)[1:-1])) if len(scores) else np.zeros(0)
    index = np.searchsorted(edges, scores, side="left")
    counts = np.bincount(index, minlength=len(edges) + 1)
    used = counts > 0
    predicted = np.bincount(index, scores, minlength=len(edges) + 1)[used] / counts[used]
    observed = np.bincount(index, outcome, minlength=len(edges) + 1)[used] / counts[used]
    return Calibration(predicted, observed, counts[used])


def confusion(labels: ArrayLike, classes: ArrayLike, count: int) -> NDArray[np.int64]:
    """(count, count) records by actual class (row) and predicted class (column), unweighted."""
    actual, predicted = np.asarray(labels).astype(np.int64), np.asarray(classes).astype(np.int64)
    return np.bincount(actual * count + predicted, minlength=count * count).reshape(count, count)


def weighted_confusion(labels: ArrayLike, positive: ArrayLike, weights: ArrayLike) -> Array:
    """(2, 2) weight of the records by actual class (row) and predicted class (column)."""
    index = 2 * (np.asarray(labels) == 1) + np.asarray(positive)
    return np.asarray(np.bincount(index, np.asarray(weights, dtype=np.float64), minlength=4).reshape(2, 2), np.float64)


def error_rate(labels: ArrayLike, classes: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Share of wrong classes."""
    return mean(np.asarray(labels) != np.asarray(classes), weights)


def log_loss(labels: ArrayLike, probabilities: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Mean negative log-likelihood of the labels: probabilities are (n,) of class 1, or (n, classes)."""
    actual, p = np.asarray(labels).astype(np.int64), np.asarray(probabilities, dtype=np.float64)
    chosen = np.where(actual == 1, p, 1 - p) if p.ndim == 1 else p[np.arange(len(actual)), actual]
    return mean(-np.log(np.clip(chosen, _PROBABILITY_FLOOR, 1)), weights)


def brier(labels: ArrayLike, probabilities: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Mean squared difference between label and probability of class 1."""
    return mean((np.asarray(labels, dtype=np.float64) - np.asarray(probabilities, dtype=np.float64)) ** 2, weights)


def r_squared(labels: ArrayLike, values: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Share of the labels' variance explained; NaN when the labels do not vary."""
    actual = np.asarray(labels, dtype=np.float64)
    spread = mean((actual - mean(actual, weights)) ** 2, weights)
    if not spread > 0:
        return float("nan")
    return 1 - mean((actual - np.asarray(values, dtype=np.float64)) ** 2, weights) / spread


def root_mean_square(differences: ArrayLike, weights: ArrayLike | None = None) -> float:
    """The size of a typical error, large ones counting more."""
    return float(np.sqrt(mean(np.asarray(differences, dtype=np.float64) ** 2, weights)))


def mean_absolute(differences: ArrayLike, weights: ArrayLike | None = None) -> float:
    """The size of a typical error."""
    return mean(np.abs(np.asarray(differences, dtype=np.float64)), weights)


def mean(values: ArrayLike, weights: ArrayLike | None = None) -> float:
    """The weighted mean; NaN without any weight."""
    numbers = np.asarray(values, dtype=np.float64)
    weight = np.ones(len(numbers)) if weights is None else np.asarray(weights, dtype=np.float64)
    total = weight.sum()
    return float((numbers * weight).sum() / total) if total > 0 else float("nan")


def _cumulated(labels: ArrayLike, scores: ArrayLike, weights: ArrayLike | None) -> tuple[Array, Array]:
    """Weight of the positives and of the negatives at or above each distinct score, from the highest down."""
    positive, values = np.asarray(labels) == 1, np.asarray(scores, dtype=np.float64)
    weight = np.ones(len(values)) if weights is None else np.asarray(weights, dtype=np.float64)
    order = np.argsort(-values, kind="stable")
    last = np.flatnonzero(np.diff(values[order], append=np.nan))  # the NaN makes the last record end a run
    return np.cumsum((weight * positive)[order])[last], np.cumsum((weight * ~positive)[order])[last]


def _share(cumulated: Array) -> Array:
    total = cumulated[-1] if len(cumulated) else 0.0
    return np.asarray(cumulated / total) if total > 0 else np.full(len(cumulated), np.nan)


def _quotient(part: Array, whole: Array) -> Array:
    return np.asarray(np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0))
