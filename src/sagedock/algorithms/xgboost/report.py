"""What metrics.json holds of an XGBoost job, and the figures of its report, which are drawn from those metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from sagedock.algorithms.xgboost import evaluation as measure
from sagedock.algorithms.xgboost.charts import (
    amount,
    decimal,
    figures_of_binary,
    figures_of_multiclass,
    figures_of_regression,
)
from sagedock.algorithms.xgboost.cost import HALF, CutOff, expected_costs
from sagedock.algorithms.xgboost.evaluation import Evaluation, Kind
from sagedock.figures import BarChart, Facts, Figure, Grid, Line, LineChart, Mark, Section, shown

CURVE_POINTS = 300
MOST_CLASSES = 1000
"""Of more classes no confusion matrix is made: it would show nothing, and its size is their square."""
ROUND_POINTS = 500
IMPORTANT_FEATURES = 20

JSON = dict[str, Any]


def metrics(evaluation: Evaluation) -> JSON:
    """Every number that the report shows, as JSON values; None stands for what is not defined, such as one class's AUC.

    `final` holds the metrics of the best round, else of the last. Curves are thinned to 300 points.
    """
    history = {name: list(values) for name, values in evaluation.history.items()}
    rounds = max((len(values) for values in [*history.values(), *_fold_values(evaluation)]), default=0)
    found = {
        "objective": evaluation.objective,
        "dataset": evaluation.dataset,
        "records": len(evaluation.labels),
        "rows": {"train": evaluation.train_rows, "validation": evaluation.validation_rows},
        "columns": evaluation.columns,
        "rounds": rounds,
        "best_round": evaluation.best_round,
        "watched": evaluation.watched,
        "final": {name: _final(values, evaluation.best_round) for name, values in history.items() if values},
        **_MEASURES[evaluation.kind](evaluation),
        "feature_importance": dict(sorted(evaluation.importance.items(), key=lambda item: (-item[1], item[0]))),
        "history": history,
        "folds": _folds(evaluation.folds),
        "job": {
            "hyperparameters": dict(evaluation.hyperparameters),
            "versions": dict(evaluation.versions),
            "seconds": dict(evaluation.timings),
        },
    }
    plain: JSON = _plain(found)
    return plain


def figures(evaluation: Evaluation, metrics: Mapping[str, Any]) -> list[Figure]:
    """The report in reading order: headline, quality and cost, learning curves, importance, facts of the job."""
    return [
        _headline(evaluation, metrics),
        *_quality(evaluation, metrics),
        *_learning(metrics),
        *_importance(metrics),
        *_job(metrics),
    ]


def _binary(evaluation: Evaluation) -> JSON:
    labels, weights, probabilities = evaluation.labels, evaluation.weights, evaluation.probabilities
    cut_offs = [HALF] if evaluation.cut_off is None else [HALF, evaluation.cut_off.value]
    found: JSON = {
        "error": measure.error_rate(labels, evaluation.classes, weights),
        "confusion": [_decided(labels, probabilities, weights, cut_off) for cut_off in cut_offs],
    }
    if evaluation.gives_probabilities:
        found |= {
            "auc": measure.area_under_roc(labels, probabilities, weights),
            "average_precision": measure.average_precision(labels, probabilities, weights),
            "log_loss": measure.log_loss(labels, probabilities, weights),
            "brier": measure.brier(labels, probabilities, weights),
            "positives": measure.mean(labels, weights),
            "roc": _points(*measure.roc(labels, probabilities, weights)),
            "precision_recall": _points(*measure.precision_recall(labels, probabilities, weights)),
            "calibration": measure.calibration(labels, probabilities)._asdict(),
        }
    if evaluation.cut_off is not None:
        found["cost"] = _cost(evaluation, evaluation.cut_off)
    return found


def _decided(labels: ArrayLike, probabilities: measure.Array, weights: ArrayLike | None, cut_off: float) -> JSON:
    """Counts of records and their rates at `cut_off`, and the rates by weight, which are points of the curves."""
    predicted = probabilities > cut_off
    counts = measure.confusion(labels, predicted, 2)
    weighted = counts if weights is None else measure.weighted_confusion(labels, predicted, weights)
    return {"cut_off": cut_off, "counts": counts, **_rates(counts.tolist()), "weighted": _rates(weighted.tolist())}


def _rates(counts: Sequence[Sequence[float]]) -> JSON:
    (true_negative, false_positive), (false_negative, true_positive) = counts
    wrong = false_positive + false_negative
    return {
        "error": _ratio(wrong, wrong + true_negative + true_positive),
        "precision": _ratio(true_positive, true_positive + false_positive),
        "recall": _ratio(true_positive, true_positive + false_negative),
        "false_positive_rate": _ratio(false_positive, false_positive + true_negative),
    }


def _cost(evaluation: Evaluation, cut_off: CutOff) -> JSON:
    if evaluation.cost_matrix is None:
        return {}
    curve = expected_costs(evaluation.labels, evaluation.probabilities, evaluation.cost_matrix, evaluation.weights)
    per_thousand = 1000 / cut_off.customers
    return {
        "matrix": evaluation.cost_matrix.rows(),
        "cut_off": cut_off.value,
        "customers": cut_off.customers,
        "total": cut_off.cost,
        "total_at_half": cut_off.cost_at_half,
        "total_of_nobody": cut_off.cost_of_nobody,
        "total_of_everybody": cut_off.cost_of_everybody,
        "per_thousand": cut_off.cost_per_thousand,
        "per_thousand_at_half": per_thousand * cut_off.cost_at_half,
        "per_thousand_of_nobody": per_thousand * cut_off.cost_of_nobody,
        "per_thousand_of_everybody": per_thousand * cut_off.cost_of_everybody,
        "saved_per_thousand_against_nobody": cut_off.saved_against_nobody,
        "saved_per_thousand_against_half": cut_off.saved_against_half,
        "curve": _points(*_stairs(curve.lows, curve.highs, curve.costs * per_thousand)),
    }


def _stairs(lows: measure.Array, highs: measure.Array, costs: measure.Array) -> tuple[measure.Array, measure.Array]:
    """The costs as a line of steps over the cut-offs from 0 to 1."""
    edges = np.clip(np.stack([lows, highs], axis=1).ravel(), 0, 1)
    return edges, np.repeat(costs, 2)


def _multiclass(evaluation: Evaluation) -> JSON:
    found: JSON = {"error": measure.error_rate(evaluation.labels, evaluation.classes, evaluation.weights)}
    if evaluation.class_count <= MOST_CLASSES:
        found |= _by_class(evaluation)
    if evaluation.predictions.ndim == 2:
        found["log_loss"] = measure.log_loss(evaluation.labels, evaluation.predictions, evaluation.weights)
    return found


def _by_class(evaluation: Evaluation) -> JSON:
    count = evaluation.class_count
    counts = measure.confusion(evaluation.labels, evaluation.classes, count)
    names = list(evaluation.class_names) or [str(index) for index in range(count)]
    right, actual, predicted = counts.diagonal(), counts.sum(axis=1), counts.sum(axis=0)
    return {
        "confusion": {"classes": names, "counts": counts},
        "classes": [
            {
                "name": names[index],
                "records": actual[index],
                "recall": _ratio(right[index], actual[index]),
                "precision": _ratio(right[index], predicted[index]),
                "f1": _ratio(2 * right[index], actual[index] + predicted[index]),
            }
            for index in range(count)
        ],
    }


def _regression(evaluation: Evaluation) -> JSON:
    labels, weights = evaluation.labels, evaluation.weights
    residuals = np.asarray(labels, dtype=np.float64) - np.asarray(evaluation.predictions, dtype=np.float64)
    return {
        "rmse": measure.root_mean_square(residuals, weights),
        "mae": measure.mean_absolute(residuals, weights),
        "median_absolute_error": np.median(np.abs(residuals)) if len(residuals) else None,
        "mean_residual": measure.mean(residuals, weights),
        "r2": measure.r_squared(labels, evaluation.predictions, weights),
    }


_MEASURES: Mapping[Kind, Callable[[Evaluation], JSON]] = {
    "binary": _binary,
    "multiclass": _multiclass,
    "regression": _regression,
    "other": lambda _: {},
}


def _fold_values(evaluation: Evaluation) -> Iterator[Sequence[float]]:
    return (values for fold in evaluation.folds for values in fold.values())


def _folds(folds: Sequence[Mapping[str, Sequence[float]]]) -> JSON:
    """By metric: the last value of each fold, their mean and deviation, and mean, least and greatest by round."""
    found = {}
    for name in folds[0] if folds else ():
        rounds = min(len(fold[name]) for fold in folds)
        values = np.array([list(fold[name])[:rounds] for fold in folds], dtype=np.float64)  # (folds, rounds)
        if not rounds:
            continue
        found[name] = {
            "last": values[:, -1],
            "mean": values[:, -1].mean(),
            "standard_deviation": values[:, -1].std(),
            "by_round": {"mean": values.mean(axis=0), "least": values.min(axis=0), "greatest": values.max(axis=0)},
        }
    return found


def _final(values: Sequence[float], best_round: int | None) -> float:
    return values[-1] if best_round is None or best_round >= len(values) else values[best_round]


def _ratio(part: float, whole: float) -> float | None:
    return float(part / whole) if whole else None


def _points(x: ArrayLike, y: ArrayLike) -> JSON:
    """At most CURVE_POINTS of the points, evenly along the curve, with both ends and the lowest point."""
    across, up = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if len(across) > CURVE_POINTS and np.isfinite(across).all() and np.isfinite(up).all():
        length = np.cumsum(_steps(across) + _steps(up))
        chosen = np.searchsorted(length, np.linspace(0, length[-1], CURVE_POINTS - 1))
        chosen = np.unique(np.append(np.minimum(chosen, len(across) - 1), up.argmin()))
        across, up = across[chosen], up[chosen]
    return {"x": across, "y": up}


def _steps(values: measure.Array) -> measure.Array:
    return np.asarray(np.abs(np.diff(values, prepend=values[0])) / (np.ptp(values) or 1.0))


def _plain(value: Any) -> Any:
    """`value` with numpy's types turned to Python's, and what is no number to None, since JSON has no NaN."""
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


def _headline(evaluation: Evaluation, found: Mapping[str, Any]) -> Facts:
    names = {
        "binary": (("AUC", "auc"), ("Error rate at 0.5", "error")),
        "multiclass": (("Error rate", "error"), ("Log loss", "log_loss")),
        "regression": (("RMSE", "rmse"), ("MAE", "mae"), ("R²", "r2")),
        "other": (),
    }[evaluation.kind]
    rows = [(label, shown(found[name])) for label, name in names if name in found]
    if evaluation.kind == "other":
        rows = [(name, shown(value)) for name, value in found["final"].items()][-4:]
    if cost := found.get("cost"):
        rows.append(("Cheapest cut-off", decimal(cost["cut_off"])))
        rows.append(("Saved per 1,000 records", amount(cost["saved_per_thousand_against_nobody"])))
    if found["best_round"] is None:
        rows.append(("Rounds", shown(found["rounds"])))
    else:
        rows.append(("Best round, from 0", shown(found["best_round"])))
    rows.append((f"{found['dataset'].capitalize()} records", shown(found["records"])))
    return Facts("Key figures", rows, kind="headline")


_SECTION_TEXTS = {
    "train": "Measured on the training data itself, since there was no validation channel: new data will fare worse.",
    "validation": "Measured on the validation channel, which the trees were not grown on.",
    "cross-validation": "Each record was predicted by the models of the folds that did not see it.",
}


def _quality(evaluation: Evaluation, found: Mapping[str, Any]) -> list[Figure]:
    by_kind: Mapping[str, Callable[[], list[Figure]]] = {
        "binary": lambda: figures_of_binary(found),
        "multiclass": lambda: figures_of_multiclass(found),
        "regression": lambda: figures_of_regression(evaluation.labels, evaluation.predictions, found),
        "other": list,
    }
    drawn = by_kind[evaluation.kind]()
    heading = Section("Quality", _SECTION_TEXTS.get(evaluation.dataset, f"Measured on {evaluation.dataset}."))
    return [heading, *drawn] if drawn else []


def _learning(found: Mapping[str, Any]) -> list[Figure]:
    names = list(dict.fromkeys(_metric(name) for name in [*found["history"], *found["folds"]]))
    charts = [chart for name in names for chart in (_curves(name, found), _fold_curves(name, found)) if chart]
    if not charts:
        return []
    text = "Each metric after every round of boosting, as it stands in the training log."
    return [Section("Learning", text), *charts, *_fold_table(found)]


def _metric(name: str) -> str:
    return name.split("-", 1)[-1]


def _curves(metric: str, found: Mapping[str, Any]) -> LineChart | None:
    histories = {name: values for name, values in found["history"].items() if _metric(name) == metric and values}
    if not histories:
        return None
    marks = []
    best, last = found["best_round"], list(histories.items())[-1]
    if best is not None and best < len(last[1]) and last[1][best] is not None:
        marks = [Mark(f"best round {shown(best)}: {shown(last[1][best])}", best, last[1][best])]
    endings = ", ".join(f"{name.split('-', 1)[0]} {shown(found['final'][name])}" for name in histories)
    watched = " It decides when training stops early." if found["watched"] in (metric, last[0]) and marks else ""
    return LineChart(
        title=metric,
        caption=f"{'At the best round' if marks else 'After the last round'}: {endings}.{watched}",
        alt=f"Curve of {metric} over {shown(found['rounds'])} rounds, ending at {endings}.",
        x_label="round",
        y_label=metric,
        lines=[_rounds(name.split("-", 1)[0], values) for name, values in histories.items()],
        marks=marks,
    )


def _rounds(name: str, values: Sequence[float | None]) -> Line:
    step = max(1, -(-len(values) // ROUND_POINTS))
    chosen = sorted({*range(0, len(values), step), len(values) - 1})
    return Line(name, chosen, [float("nan") if (value := values[index]) is None else value for index in chosen])


def _fold_curves(metric: str, found: Mapping[str, Any]) -> LineChart | None:
    folds = {name: fold for name, fold in found["folds"].items() if _metric(name) == metric}
    if not folds:
        return None
    lines = []
    for name, fold in folds.items():
        dataset = name.split("-", 1)[0]
        lines.append(_rounds(f"{dataset}, mean", fold["by_round"]["mean"]))
    widest = list(folds.values())[-1]
    lines += [_rounds(f"{dataset}, {side} fold", widest["by_round"][side]) for side in ("least", "greatest")]
    ending = f"mean {shown(widest['mean'])}, standard deviation {shown(widest['standard_deviation'])}"
    return LineChart(
        title=f"{metric} over the folds",
        caption=f"After the last round, on {dataset}: {ending}.",
        alt=f"Curves of {metric} per round, over {shown(len(widest['last']))} folds; {dataset}: {ending}.",
        x_label="round",
        y_label=metric,
        lines=lines,
    )


def _fold_table(found: Mapping[str, Any]) -> list[Figure]:
    if not found["folds"]:
        return []
    columns = [fold["last"] for fold in found["folds"].values()]
    rows = [[f"Fold {shown(index)}", *map(shown, values)] for index, values in enumerate(zip(*columns, strict=True))]
    rows.append(["Mean", *(shown(fold["mean"]) for fold in found["folds"].values())])
    return [Grid("Folds", "Every metric after the last round of each fold.", ["Fold", *found["folds"]], rows)]


def _importance(found: Mapping[str, Any]) -> list[Figure]:
    importance = list(found["feature_importance"].items())
    if not importance:
        return []
    top = importance[:IMPORTANT_FEATURES]
    kept = "all" if len(top) == len(importance) else f"the first {shown(len(top))}"
    chart = BarChart(
        title="Feature importance",
        caption=f"Mean gain of the splits on a feature; {kept} of the {shown(len(importance))} features that are used.",
        alt=f"Bars of feature importance; {top[0][0]} comes first with a mean gain of {shown(top[0][1])}.",
        value_label="mean gain",
        names=[name for name, _ in top],
        values=[value or 0.0 for _, value in top],
    )
    return [Section("What the model uses"), chart]


def _job(found: Mapping[str, Any]) -> list[Figure]:
    job = found["job"]
    data = [
        ("Objective", str(found["objective"])),
        ("Training records", shown(found["rows"]["train"])),
        ("Validation records", shown(found["rows"]["validation"])),
        ("Features", shown(found["columns"])),
        ("Rounds", shown(found["rounds"])),
    ]
    tables = {
        "Data": data,
        "Hyperparameters": [(name, str(value)) for name, value in job["hyperparameters"].items()],
        "Time in seconds": [(name, f"{value:,.2f}") for name, value in job["seconds"].items()],
        "Versions": [(name, str(value)) for name, value in job["versions"].items()],
    }
    return [Section("The job"), *(Facts(title, rows) for title, rows in tables.items() if rows)]
