"""The evaluation metrics of the XGBoost container: which there are, which is watched, and those it computes itself.

XGBoost computes most metrics ("native"). The container computes the rest ("custom"), without instance weights, by
scikit-learn's definitions and conventions (specification of the container, section 5.2).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from sagedock.contracts.hyperparameters import Values
from sagedock.errors import UserError

Direction = Literal["Maximize", "Minimize"]

MAXIMISED = (
    "accuracy",
    "auc",
    "aucpr",
    "balanced_accuracy",
    "f1",
    "f1_binary",
    "f1_macro",
    "map",
    "ndcg",
    "precision",
    "precision_macro",
    "precision_micro",
    "r2",
    "recall",
    "recall_macro",
    "recall_micro",
)
MINIMISED = (
    "aft-nloglik",
    "cox-nloglik",
    "error",
    "gamma-deviance",
    "gamma-nloglik",
    "interval-regression-accuracy",
    "logloss",
    "mae",
    "mape",
    "merror",
    "mlogloss",
    "mphe",
    "mse",
    "poisson-nloglik",
    "rmse",
    "rmsle",
    "tweedie-nloglik",
)
METRICS = (*MAXIMISED, *MINIMISED)
THRESHOLD_METRICS = ("error", "ndcg", "map")
"""The metrics that may be given as name@t: a threshold for error, a number of places for the others."""

DEFAULT_METRIC: Mapping[str, str] = {
    "binary:logistic": "logloss",
    "binary:logitraw": "logloss",
    "binary:hinge": "error",
    "count:poisson": "poisson-nloglik",
    "multi:softmax": "mlogloss",
    "multi:softprob": "mlogloss",
    "rank:pairwise": "ndcg@32",
    "rank:ndcg": "ndcg@32",
    "rank:map": "map@32",
    "reg:linear": "rmse",
    "reg:squarederror": "rmse",
    "reg:logistic": "rmse",
    "reg:gamma": "gamma-deviance",
    "reg:pseudohubererror": "mphe",
    "reg:squaredlogerror": "rmsle",
    "reg:absoluteerror": "mae",
    "reg:tweedie": "tweedie-nloglik",
    "survival:aft": "aft-nloglik",
    "survival:cox": "cox-nloglik",
}
"""What XGBoost 3.2 computes and prints for an objective when no metric is asked for."""

_DIRECTLY_COUNTED = 4096
_LOG_LINK = ("count:poisson", "reg:gamma", "reg:tweedie", "survival:cox")


def direction(name: str) -> Direction:
    """Whether more or less of a metric is better; `ndcg@5` goes with ndcg (defect 8.5 of the built-in)."""
    return "Maximize" if name.split("@", maxsplit=1)[0] in MAXIMISED else "Minimize"


def default_metric(values: Values) -> str:
    """The metric that XGBoost prints of itself for the job's objective, by the name it prints."""
    return _as_printed(DEFAULT_METRIC[values["objective"]], values)


def requested_metrics(values: Values) -> tuple[list[str], list[str]]:
    """The metrics asked for, by the names that are printed: those XGBoost computes, and those of the container.

    They are the items of eval_metric in the user's order, each once; with a tuning metric, the union of both sorted
    by name.
    """
    names = list(dict.fromkeys(values.get("eval_metric", ())))
    tuned = _tuning_metric(values)
    if tuned is not None:
        names = sorted({*names, tuned})
    native = [_as_printed(name, values) for name in names if name not in CUSTOM]
    return native, [name for name in names if name in CUSTOM]


def watched_metric(values: Values) -> str:
    """The metric that early stopping and the choice of the best round go by, on the validation channel.

    The tuning metric, else the last item of eval_metric, else the objective's default metric (defect 8.4: the
    built-in then ignores early stopping without a word; the caller warns).
    """
    asked = values.get("eval_metric")
    name = _tuning_metric(values) or (asked[-1] if asked else default_metric(values))
    return _as_printed(name, values)


def _tuning_metric(values: Values) -> str | None:
    tuned: str | None = values.get("_tuning_objective_metric")
    return None if tuned is None else tuned.removeprefix("validation:")


def _as_printed(name: str, values: Values) -> str:
    if name == "tweedie-nloglik":
        return f"{name}@{values.get('tweedie_variance_power', 1.5):g}"
    return name


def predicted_labels(predictions: NDArray[np.float32], objective: str) -> NDArray[np.int64]:
    """The class that each row is predicted to have, as the container's releases up to 1.7-1 mean it (defect 8.1).

    They take the arg max of the margins, or margin > 0. `predictions` are those XGBoost hands to a custom metric:
    transformed ones (rows,) or (rows, classes). A margin of 0 is a probability of 0.5, a class index is a label
    already, and with a log link it is a prediction of 1.
    """
    if predictions.ndim == 2:
        classes: NDArray[np.int64] = predictions.argmax(axis=1)
        return classes
    if objective == "multi:softmax":
        return predictions.astype(np.int64)
    return (predictions > _threshold(objective)).astype(np.int64)


def _threshold(objective: str) -> float:
    if objective in {"binary:logistic", "reg:logistic"}:
        return 0.5
    return 1.0 if objective in _LOG_LINK else 0.0


@dataclass(frozen=True)
class ClassCounts:
    """How often each class occurs, each an array (classes,): among the labels, among the predictions, in both at once.

    The classes are those that occur on either side.
    """

    classes: NDArray[np.int64]
    actual: NDArray[np.int64]
    predicted: NDArray[np.int64]
    right: NDArray[np.int64]

    @classmethod
    def of(cls, actual: NDArray[np.int64], predicted: NDArray[np.int64]) -> ClassCounts:
        """Count the labels (rows,) and the predicted labels (rows,)."""
        low, high = min(actual.min(), predicted.min()), max(actual.max(), predicted.max())
        if high - low < _DIRECTLY_COUNTED:
            classes, labels, guesses = np.arange(low, high + 1), actual - low, predicted - low
        else:
            classes, codes = np.unique(np.concatenate([actual, predicted]), return_inverse=True)
            labels, guesses = np.split(codes, [len(actual)])
        counts = [np.bincount(codes, minlength=len(classes)) for codes in (labels, guesses, labels[labels == guesses])]
        seen = counts[0] + counts[1] > 0
        return cls(classes[seen], *(count[seen] for count in counts))

    def accuracy(self) -> float:
        """The share of rows that are right."""
        return float(self.right.sum() / self.actual.sum())

    def precision(self) -> NDArray[np.float64]:
        """Of each class: the share right among the rows predicted so; 0 where there are none."""
        return _ratio(self.right, self.predicted)

    def recall(self) -> NDArray[np.float64]:
        """Of each class: the share right among the rows that are so; 0 where there are none."""
        return _ratio(self.right, self.actual)

    def f1(self) -> NDArray[np.float64]:
        """Of each class: the harmonic mean of precision and recall."""
        return _ratio(2 * self.right, self.actual + self.predicted)

    def balanced_accuracy(self) -> float:
        """The mean recall of the classes that occur among the actual labels."""
        return float(self.recall()[self.actual > 0].mean())

    def of_class_one(self, scores: NDArray[np.float64], metric: str) -> float:
        """The entry of class 1 in `scores`; raises UserError when there are classes beside 0 and 1."""
        if not set(self.classes.tolist()) <= {0, 1}:
            raise UserError(
                f"metric {metric} is of class 1 against class 0, but the labels hold other classes: "
                f"use {metric.removesuffix('_binary')}_macro",
                field="eval_metric",
            )
        where = np.flatnonzero(self.classes == 1)
        return float(scores[where[0]]) if len(where) else 0.0


def _ratio(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    ratio = np.zeros(len(part))
    np.divide(part, whole, out=ratio, where=whole > 0)
    return ratio


CLASSIFICATION: Mapping[str, Callable[[ClassCounts], float]] = {
    "accuracy": ClassCounts.accuracy,
    "balanced_accuracy": ClassCounts.balanced_accuracy,
    "f1": lambda counts: float(counts.f1().mean()),
    "f1_binary": lambda counts: counts.of_class_one(counts.f1(), "f1_binary"),
    "f1_macro": lambda counts: float(counts.f1().mean()),
    "precision": lambda counts: counts.of_class_one(counts.precision(), "precision"),
    "precision_macro": lambda counts: float(counts.precision().mean()),
    "precision_micro": ClassCounts.accuracy,
    "recall": lambda counts: counts.of_class_one(counts.recall(), "recall"),
    "recall_macro": lambda counts: float(counts.recall().mean()),
    "recall_micro": ClassCounts.accuracy,
}
"""Metrics of labels. With one label to a row, the micro averages are the accuracy."""


def mean_squared_error(actual: NDArray[np.float64], predicted: NDArray[np.float64]) -> float:
    """The mean of the squared differences of two (rows,) arrays."""
    return float(np.mean((actual - predicted) ** 2))


def root_mean_squared_error(actual: NDArray[np.float64], predicted: NDArray[np.float64]) -> float:
    """The root of the mean squared error, in the label's unit."""
    return math.sqrt(mean_squared_error(actual, predicted))


def mean_absolute_error(actual: NDArray[np.float64], predicted: NDArray[np.float64]) -> float:
    """The mean of the absolute differences of two (rows,) arrays."""
    return float(np.mean(np.abs(actual - predicted)))


def r2(actual: NDArray[np.float64], predicted: NDArray[np.float64]) -> float:
    """The coefficient of determination: of constant labels 1 if every row is right and 0 else; NaN of one row."""
    if len(actual) < 2:
        return math.nan
    residual = float(np.sum((actual - predicted) ** 2))
    total = float(np.sum((actual - actual.mean()) ** 2))
    if total == 0.0:
        return 1.0 if residual == 0.0 else 0.0
    return 1.0 - residual / total


REGRESSION: Mapping[str, Callable[[NDArray[np.float64], NDArray[np.float64]], float]] = {
    "mae": mean_absolute_error,
    "mse": mean_squared_error,
    "r2": r2,
    "rmse": root_mean_squared_error,
}
"""Metrics of values: transformed predictions against labels."""

CUSTOM = frozenset({*CLASSIFICATION, *REGRESSION})


class Labelled(Protocol):
    """What a custom metric needs of a DMatrix."""

    def get_label(self) -> NDArray[np.float32]:
        """The (rows,) labels."""


@dataclass(frozen=True)
class CustomMetrics:
    """The container's own metrics, to be given to `xgboost.train` as `custom_metric`."""

    names: Sequence[str]
    objective: str

    def __call__(self, predictions: NDArray[np.float32], data: Labelled) -> list[tuple[str, float]]:
        """Name and value of each metric, from the transformed predictions that XGBoost hands over.

        Raises UserError when a metric of classes meets labels that are not whole numbers.
        """
        labels = data.get_label()
        of_classes = [name for name in self.names if name in CLASSIFICATION]
        found: dict[str, float] = {}
        if of_classes:
            counts = self._counts(labels, predictions)
            found = {name: CLASSIFICATION[name](counts) for name in of_classes}
        if len(of_classes) < len(self.names):
            actual, predicted = labels.astype(np.float64), predictions.astype(np.float64)
            found |= {name: measure(actual, predicted) for name, measure in REGRESSION.items() if name in self.names}
        return [(name, found[name]) for name in self.names]

    def _counts(self, labels: NDArray[np.float32], predictions: NDArray[np.float32]) -> ClassCounts:
        whole = labels.astype(np.int64)
        if not np.array_equal(whole, labels):
            raise UserError(
                f"metrics of classes ({', '.join(name for name in self.names if name in CLASSIFICATION)}) need labels "
                f"that are whole numbers, got {labels[whole != labels][0]:g}: use metrics of values, such as rmse",
                field="eval_metric",
            )
        return ClassCounts.of(whole, predicted_labels(predictions, self.objective))
