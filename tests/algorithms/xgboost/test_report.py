"""metrics.json and the report of an XGBoost job: equal numbers, every kind of objective, awkward inputs."""

from __future__ import annotations

import dataclasses
import html
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest

from sagedock.algorithms.xgboost import report
from sagedock.algorithms.xgboost.cost import CostMatrix, best_cut_off
from sagedock.algorithms.xgboost.evaluation import Evaluation
from sagedock.figures import BarChart, Facts, LineChart, MatrixChart, ScatterChart, Section
from sagedock.reports.page import render

WORKSHOP = CostMatrix(0, 100, 500, 100)
CURVES = {"roc", "precision_recall", "calibration", "curve", "history", "by_round"}
PROSE = {"0.5", "1,000", "0"}  # numbers of the wording: the usual cut-off, "per 1,000 records", "from 0"


def history(metric: str, rounds: int = 12) -> dict[str, list[float]]:
    falling = np.linspace(0.61, 0.2, rounds)
    return {f"train-{metric}": falling.tolist(), f"validation-{metric}": (falling + 0.043).tolist()}


def judged(objective: str, labels: Any, predictions: Any, **facts: Any) -> Evaluation:
    given = {
        "history": history("logloss"),
        "importance": {"Day Mins": 31.25, "Intl Calls": 7.5},
        "train_rows": 4321,
        "validation_rows": len(labels),
        "columns": 69,
        "hyperparameters": {"objective": objective, "eta": "0.2", "num_round": "12"},
        "versions": {"sagedock": "0.1.0", "xgboost": "3.2.0"},
        "timings": {"boosting": 1.234},
    }
    return Evaluation(objective, "validation", np.float32(labels), np.float32(predictions), **(given | facts))


def binary(rows: int = 400, **facts: Any) -> Evaluation:
    random = np.random.default_rng(5)
    labels = (random.random(rows) < 0.3).astype(np.float32)
    probabilities = np.clip(0.45 * labels + 0.5 * random.random(rows), 0, 1).astype(np.float32)
    best = best_cut_off(labels, probabilities, WORKSHOP, facts.get("weights"))
    given = {"best_round": 7, "watched": "logloss", "cost_matrix": WORKSHOP, "cut_off": best}
    return judged("binary:logistic", labels, probabilities, **(given | facts))


def multiclass(count: int = 10, rows: int = 600) -> Evaluation:
    random = np.random.default_rng(5)
    labels = random.integers(0, count, rows)
    wrong = random.random(rows) < 0.2
    classes = np.where(wrong, random.integers(0, count, rows), labels)
    return judged("multi:softmax", labels, classes, hyperparameters={"num_class": str(count)})


def softprob() -> Evaluation:
    random = np.random.default_rng(5)
    return judged("multi:softprob", random.integers(0, 3, 90), random.dirichlet(np.ones(3), 90))


def regression(objective: str = "reg:squarederror") -> Evaluation:
    random = np.random.default_rng(5)
    labels = random.gamma(3, 4, 3000)
    return judged(objective, labels, labels + random.normal(0, 2, 3000), history=history("rmse"))


def ranking() -> Evaluation:
    return judged("rank:ndcg", [0, 1, 2, 1], [0.1, 0.5, 1.5, 0.2], history=history("ndcg"))


def hinge() -> Evaluation:
    return judged("binary:hinge", [0, 1, 1, 0], [0, 1, 0, 0])


def folds() -> Evaluation:
    random = np.random.default_rng(5)
    several = [{name: list(values + random.random() / 9) for name, values in folded().items()} for _ in range(5)]
    return dataclasses.replace(binary(), dataset="cross-validation", history={}, folds=several, best_round=None)


def folded() -> dict[str, Any]:
    return {name: np.array(values) for name, values in history("auc").items()}


KINDS = {
    "binary": binary,
    "weighted": lambda: binary(weights=np.linspace(0.5, 2, 400, dtype=np.float32)),
    "margins": lambda: judged("binary:logitraw", [0, 1, 1, 0], [-2, 1.5, -0.5, 0.25]),
    "hinge": hinge,
    "multiclass": multiclass,
    "softprob": softprob,
    "regression": regression,
    "counts": lambda: regression("count:poisson"),
    "ranking": ranking,
    "folds": folds,
}


def page_of(evaluation: Evaluation) -> tuple[str, dict[str, Any]]:
    """The page, and metrics.json as a reader of it finds it."""
    found = report.metrics(evaluation)
    page = render("Title", "Subtitle", report.figures(evaluation, found))
    return page, json.loads(json.dumps(found, allow_nan=False))


def leaves(value: Any) -> Iterator[Any]:
    """Every value and name below `value`, and the numbers of its items; of curves only how many points they have."""
    if isinstance(value, Mapping):
        yield len(value)
        for name, item in value.items():
            yield name
            yield from (len(points) for points in item.values()) if name in CURVES and item else leaves(item)
    elif isinstance(value, list):
        yield from range(len(value) + 1)
        for item in value:
            yield from leaves(item)
    else:
        yield value


def text_of(page: str) -> str:
    """What the page says in words: without its head and charts, but with their alternative texts."""
    body = page[page.index("<body>") :]
    alternatives = " ".join(re.findall(r'aria-label="([^"]*)"', body))
    words = re.sub(r"<svg.*?</svg>", " ", body, flags=re.DOTALL)
    return html.unescape(re.sub(r"<[^>]+>", " ", words + " " + alternatives))


def written(value: Any) -> set[str]:
    """The ways in which the report may write a value of metrics.json."""
    if isinstance(value, str):
        return {value, *numbers(value)}
    if value is None or isinstance(value, bool):
        return set()
    ways = {f"{value:,.{decimals}f}" for decimals in (0, 2, 4)} if isinstance(value, float) else {f"{value:,}"}
    return ways | {f"{value:g}", f"{value:.3g}"}


def numbers(text: str) -> list[str]:
    return re.findall(r"(?<![\w.:@-])-?\d(?:[\d,]*\d)?(?:\.\d+)*(?:e[+-]?\d+)?(?!\w)", text)


@pytest.mark.parametrize("kind", KINDS)
def test_every_number_of_the_report_stands_in_metrics(kind):
    page, found = page_of(KINDS[kind]())
    known = PROSE.union(*map(written, leaves(found)))
    said = numbers(text_of(page))
    assert len(said) > 10
    assert [number for number in said if number not in known] == []


def test_the_check_above_finds_a_wrong_number():
    page, found = page_of(binary())
    known = PROSE.union(*map(written, leaves(found)))
    wrong = page.replace(f"{found['auc']:.4f}", "0.1234")
    assert wrong != page
    assert "0.1234" in [number for number in numbers(text_of(wrong)) if number not in known]


def headline(figures: list[Any]) -> dict[str, str]:
    return dict(next(figure for figure in figures if isinstance(figure, Facts) and figure.kind == "headline").rows)


def test_the_headline_of_churn_is_quality_and_money():
    evaluation = binary()
    found = report.metrics(evaluation)
    assert headline(report.figures(evaluation, found)) == {
        "AUC": f"{found['auc']:.4f}",
        "Error rate at 0.5": f"{found['error']:.4f}",
        "Cheapest cut-off": f"{found['cost']['cut_off']:g}",
        "Saved per 1,000 records": f"{found['cost']['saved_per_thousand_against_nobody']:,.0f}",
        "Best round, from 0": "7",
        "Validation records": "400",
    }


def test_costs_and_matrices_agree_with_one_another():
    found = report.metrics(binary())
    at_half, at_best = found["confusion"]
    cost = found["cost"]
    assert WORKSHOP.cost(at_half["counts"]) == cost["total_at_half"]
    assert WORKSHOP.cost(at_best["counts"]) == cost["total"] == min(cost["curve"]["y"]) * 400 / 1000
    assert cost["saved_per_thousand_against_half"] == cost["per_thousand_at_half"] - cost["per_thousand"]
    assert cost["per_thousand_of_nobody"] == cost["curve"]["y"][-1]


def test_marks_lie_on_their_curves_even_with_weights():
    evaluation = KINDS["weighted"]()
    figures = {figure.title: figure for figure in report.figures(evaluation, report.metrics(evaluation))}
    for title in ("ROC curve", "Precision and recall", "Cost against cut-off"):
        line, marks = figures[title].lines[0], figures[title].marks
        span_x, span_y = np.ptp(line.x) or 1, np.ptp(line.y) or 1
        for mark in marks:
            gaps = np.hypot((np.array(line.x) - mark.x) / span_x, (np.array(line.y) - mark.y) / span_y)
            assert gaps.min() < 0.03, (title, mark)


def test_the_best_round_is_marked_and_final():
    evaluation = binary()
    found = report.metrics(evaluation)
    chart = next(f for f in report.figures(evaluation, found) if isinstance(f, LineChart) and f.x_label == "round")
    assert chart.marks[0].x == 7
    assert chart.marks[0].y == found["final"]["validation-logloss"] == found["history"]["validation-logloss"][7]
    assert "stops early" in chart.caption


@pytest.mark.parametrize(
    ("kind", "types"),
    [
        ("multiclass", {MatrixChart, LineChart, BarChart, Facts, Section}),
        ("regression", {ScatterChart, LineChart, BarChart, Facts, Section}),
        ("ranking", {LineChart, BarChart, Facts, Section}),
        ("hinge", {MatrixChart, LineChart, BarChart, Facts, Section}),
    ],
)
def test_each_kind_has_its_figures(kind, types):
    evaluation = KINDS[kind]()
    figures = report.figures(evaluation, report.metrics(evaluation))
    assert types <= {type(figure) for figure in figures}


def test_long_curves_are_thinned_and_short_ones_whole():
    found = report.metrics(binary(rows=20_000))
    for name in ("roc", "precision_recall"):
        assert 100 < len(found[name]["x"]) <= report.CURVE_POINTS
    assert (found["roc"]["x"][0], found["roc"]["y"][0]) == (0, 0)
    assert (found["roc"]["x"][-1], found["roc"]["y"][-1]) == (1, 1)
    assert len(report.metrics(binary(rows=50))["precision_recall"]["x"]) == 50


def test_scatter_is_thinned_alike_every_time():
    first, second = (
        next(f for f in report.figures(e, report.metrics(e)) if isinstance(f, ScatterChart))
        for e in (regression(), regression())
    )
    assert first == second
    assert len(first.x) == 1000


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_leaves_out_what_is_not_defined(label):
    labels, probabilities = np.full(30, label), np.linspace(0.05, 0.95, 30)
    best = best_cut_off(labels, probabilities, WORKSHOP)
    evaluation = judged("binary:logistic", labels, probabilities, cost_matrix=WORKSHOP, cut_off=best)
    page, found = page_of(evaluation)
    assert found["auc"] is None
    assert "ROC curve" not in page
    assert "not defined" in page
    assert "Cost against cut-off" in page


def test_a_metric_that_is_nan_or_infinite_becomes_null_and_is_still_drawn():
    broken = {"train-auc": [float("nan")] * 3, "validation-auc": [0.5, float("inf"), float("nan")]}
    page, found = page_of(dataclasses.replace(binary(), history=broken, best_round=2))
    assert found["history"]["validation-auc"] == [0.5, None, None]
    assert "not defined" in page


def test_one_round_is_drawn():
    page, _ = page_of(dataclasses.replace(binary(), history=history("auc", rounds=1), best_round=0))
    assert "best round 0" in page


def test_a_job_without_validation_says_so():
    page, _ = page_of(dataclasses.replace(binary(), dataset="train", validation_rows=0))
    assert "no validation channel" in page


def test_five_hundred_features_show_twenty():
    names = {f"feature {index} " + "with a very long name " * 8: float(index + 1) for index in range(500)}
    page, found = page_of(dataclasses.replace(binary(), importance=names))
    assert len(found["feature_importance"]) == 500
    assert page.count('<th scope="row">feature ') == 20
    assert "the first 20 of the 500" in page


@pytest.mark.parametrize("count", [3, 10, 100, 300])
def test_any_number_of_classes_makes_a_page(count):
    page, found = page_of(multiclass(count, rows=2000))
    assert np.array(found["confusion"]["counts"]).shape == (count, count)
    assert len(page) < 3_000_000


def test_folds_show_their_spread():
    page, found = page_of(folds())
    values = found["folds"]["validation-auc"]["last"]
    assert len(values) == 5
    assert found["folds"]["validation-auc"]["mean"] == pytest.approx(np.mean(values))
    assert f"{np.std(values):.4f}" in page
    assert "folds that did not see it" in page


def test_reg_logistic_with_costs_is_judged_as_a_decision():
    evaluation = dataclasses.replace(binary(), objective="reg:logistic")
    assert report.metrics(evaluation)["cost"]["cut_off"] == evaluation.cut_off.value
