"""The figures that show the quality of an XGBoost model, by kind of objective, from what metrics.json holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from sagedock.figures import Facts, Figure, Grid, Line, LineChart, Mark, MatrixChart, ScatterChart, Section, shown

SCATTER_POINTS = 1000
CLASSES_IN_TABLE = 200


def amount(value: float) -> str:
    """How the report writes money: whole from 1,000 on, else with two decimals unless it is whole."""
    return f"{value:,.0f}" if float(value).is_integer() or abs(value) >= 1000 else f"{value:,.2f}"


def decimal(cut_off: float) -> str:
    """How the report writes a cut-off: as few decimals as it has, six at most."""
    return f"{cut_off:g}"


def figures_of_binary(found: Mapping[str, Any]) -> list[Figure]:
    """ROC, precision-recall, calibration, confusion at each cut-off, and the cost of errors, as far as they exist."""
    matrices = [_decision(found, decided) for decided in found["confusion"]]
    curves = [figure for figure in (_roc(found), _precision_recall(found), _calibration(found)) if figure]
    names = {
        "AUC": "auc",
        "Average precision": "average_precision",
        "Error rate at 0.5": "error",
        "Log loss": "log_loss",
        "Brier score": "brier",
        "Share of positives": "positives",
    }
    measures = Facts("Measures", [(label, shown(found[name])) for label, name in names.items() if name in found])
    return [*matrices, *curves, measures, *_cost(found)]


def _has(found: Mapping[str, Any], name: str) -> bool:
    curve = found.get(name)
    return curve is not None and None not in curve["x"] and None not in curve["y"]


def _roc(found: Mapping[str, Any]) -> Figure | None:
    if not _has(found, "roc"):
        return None
    return LineChart(
        title="ROC curve",
        caption=f"The area under the curve (AUC) is {shown(found['auc'])}; a coin would follow the diagonal.",
        alt=f"ROC curve: true-positive rate against false-positive rate; the area under it is {shown(found['auc'])}.",
        x_label="false-positive rate",
        y_label="true-positive rate",
        lines=[Line("model", found["roc"]["x"], found["roc"]["y"])],
        marks=[_mark(item, "false_positive_rate", "recall") for item in found["confusion"]],
        diagonal=True,
    )


def _mark(decided: Mapping[str, Any], x: str, y: str) -> Mark:
    return Mark(f"cut-off {decimal(decided['cut_off'])}", decided["weighted"][x], decided["weighted"][y])


def _precision_recall(found: Mapping[str, Any]) -> Figure | None:
    if not _has(found, "precision_recall"):
        return None
    area, base = shown(found["average_precision"]), shown(found["positives"])
    decided = [item for item in found["confusion"] if item["weighted"]["precision"] is not None]
    return LineChart(
        title="Precision and recall",
        caption=f"The average precision is {area}; choosing at random would give {base}, the share of positives.",
        alt=f"Precision against recall; the average precision is {area}.",
        x_label="recall",
        y_label="precision",
        lines=[Line("model", found["precision_recall"]["x"], found["precision_recall"]["y"])],
        marks=[_mark(item, "recall", "precision") for item in decided],
        y_from_zero=True,
    )


def _calibration(found: Mapping[str, Any]) -> Figure | None:
    bins = found.get("calibration")
    if not bins or not bins["counts"]:
        return None
    loss, brier = shown(found["log_loss"]), shown(found["brier"])
    return LineChart(
        title="Calibration",
        caption="How often what was predicted came true, in bins of equally many records; the diagonal would be "
        f"perfect. Log loss {loss}, Brier score {brier}.",
        alt=f"Observed share of positives against mean predicted probability in {shown(len(bins['counts']))} bins; "
        f"log loss {loss}, Brier score {brier}.",
        x_label="mean predicted probability",
        y_label="share of positives",
        lines=[Line("model", bins["predicted"], bins["observed"])],
        diagonal=True,
    )


def _decision(found: Mapping[str, Any], decided: Mapping[str, Any]) -> Figure:
    cut_off = decimal(decided["cut_off"])
    measures = f"error rate {shown(decided['error'])}, precision {shown(decided['precision'])}, "
    measures += f"recall {shown(decided['recall'])}"
    chosen = decided is not found["confusion"][0]
    return MatrixChart(
        title=f"Confusion matrix at the cheapest cut-off, {cut_off}" if chosen else f"Confusion matrix at {cut_off}",
        caption=f"Records by actual and predicted class: {measures}.",
        alt=f"Confusion matrix at cut-off {cut_off}: {measures}.",
        row_names=["0", "1"],
        column_names=["0", "1"],
        counts=decided["counts"],
    )


def _cost(found: Mapping[str, Any]) -> list[Figure]:
    cost = found.get("cost")
    if not cost:
        return []
    cut_off, least = decimal(cost["cut_off"]), amount(cost["per_thousand"])
    chart = LineChart(
        title="Cost against cut-off",
        caption=f"A record above the cut-off is treated as positive. {cut_off} is cheapest: {least} per 1,000 records.",
        alt=f"Cost per 1,000 records against the cut-off; it is least, {least}, at {cut_off}.",
        x_label="cut-off on the predicted probability",
        y_label="cost per 1,000 records",
        lines=[Line("cost", cost["curve"]["x"], cost["curve"]["y"])],
        marks=[
            Mark(f"cheapest, {cut_off}: {least}", cost["cut_off"], cost["per_thousand"]),
            Mark(f"0.5: {amount(cost['per_thousand_at_half'])}", 0.5, cost["per_thousand_at_half"]),
        ],
        y_from_zero=True,
    )
    policies = Grid(
        "What each policy costs",
        "The cost of all records measured, and of 1,000 of them.",
        ["Policy", "All records", "Per 1,000"],
        [
            _policy(f"Cut-off {cut_off}", cost["total"], cost["per_thousand"]),
            _policy("Cut-off 0.5", cost["total_at_half"], cost["per_thousand_at_half"]),
            _policy("Treat nobody", cost["total_of_nobody"], cost["per_thousand_of_nobody"]),
            _policy("Treat everybody", cost["total_of_everybody"], cost["per_thousand_of_everybody"]),
        ],
    )
    return [Section("Cost of errors", _cost_text(cost)), chart, policies]


def _policy(name: str, total: float, per_thousand: float) -> list[str]:
    return [name, amount(total), amount(per_thousand)]


def _cost_text(cost: Mapping[str, Any]) -> str:
    (true_negative, false_positive), (false_negative, true_positive) = cost["matrix"]
    return (
        f"A missed positive costs {amount(false_negative)}, a positive that is found {amount(true_positive)}, "
        f"a false alarm {amount(false_positive)}, a negative left alone {amount(true_negative)}. "
        f"Per 1,000 records the cheapest cut-off saves {amount(cost['saved_per_thousand_against_nobody'])} against "
        f"treating nobody and {amount(cost['saved_per_thousand_against_half'])} against the cut-off 0.5."
    )


def figures_of_multiclass(found: Mapping[str, Any]) -> list[Figure]:
    """The confusion matrix and, for up to 200 classes, a table of precision and recall by class.

    A matrix of more classes than a report can show was never made.
    """
    if "confusion" not in found:
        return []
    names, counts = found["confusion"]["classes"], found["confusion"]["counts"]
    error = shown(found["error"])
    worst = _most_confused(names, counts)
    matrix = MatrixChart(
        title="Confusion matrix",
        caption=f"Records by actual and predicted class; the error rate is {error}.{worst}",
        alt=f"Confusion matrix of {shown(len(names))} classes; the error rate is {error}.{worst}",
        row_names=names,
        column_names=names,
        counts=counts,
    )
    if len(names) > CLASSES_IN_TABLE:
        return [matrix]
    rows = [
        [item["name"], shown(item["records"]), *(shown(item[name]) for name in ("recall", "precision", "f1"))]
        for item in found["classes"]
    ]
    caption = "Recall is the share of a class that is found, precision the share of its predictions that are right."
    return [matrix, Grid("By class", caption, ["Class", "Records", "Recall", "Precision", "F1"], rows)]


def _most_confused(names: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    off_diagonal = np.array(counts)
    np.fill_diagonal(off_diagonal, 0)
    if not off_diagonal.any():
        return ""
    actual, predicted = divmod(int(off_diagonal.argmax()), len(names))
    many = shown(int(off_diagonal.max()))
    return f" Most often confused: class {names[actual]}, taken for class {names[predicted]}; {many} records."


def figures_of_regression(labels: ArrayLike, predictions: ArrayLike, found: Mapping[str, Any]) -> list[Figure]:
    """Predicted against actual values, residuals against predictions, and the measures of error."""
    actual, predicted = np.asarray(labels, dtype=np.float64), np.asarray(predictions, dtype=np.float64)
    chosen = np.linspace(0, len(actual) - 1, min(len(actual), SCATTER_POINTS)).round().astype(int)
    actual, predicted = actual[chosen], predicted[chosen]
    part = "" if len(chosen) == found["records"] else f" {shown(len(chosen))} of the records are drawn."
    scatter = ScatterChart(
        title="Predicted and actual values",
        caption=f"On the diagonal a prediction is exact. R² is {shown(found['r2'])}.{part}",
        alt=f"Predicted against actual values; R² is {shown(found['r2'])}, RMSE {shown(found['rmse'])}.",
        x_label="actual value",
        y_label="predicted value",
        x=actual.tolist(),
        y=predicted.tolist(),
        diagonal=True,
    )
    residuals = ScatterChart(
        title="Residuals",
        caption=f"Actual minus predicted value; the mean is {shown(found['mean_residual'])}.{part}",
        alt=f"Residuals against predicted values; their mean is {shown(found['mean_residual'])}.",
        x_label="predicted value",
        y_label="actual minus predicted",
        x=predicted.tolist(),
        y=(actual - predicted).tolist(),
    )
    names = {
        "Root mean squared error": "rmse",
        "Mean absolute error": "mae",
        "Median absolute error": "median_absolute_error",
        "Mean residual": "mean_residual",
        "R²": "r2",
    }
    return [scatter, residuals, Facts("Errors", [(label, shown(found[name])) for label, name in names.items()])]
