"""XGBoost's metrics: xgboost.md sections 5.2, 6.2, 6.3, defects 8.1, 8.4, 8.5, statements 29 to 33."""

from __future__ import annotations

import math
import re
import warnings

import numpy as np
import pytest
import sklearn.metrics
import xgboost
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sagedock.algorithms.xgboost import ALGORITHM
from sagedock.algorithms.xgboost.hyperparameters import HYPERPARAMETERS, booster_parameters
from sagedock.algorithms.xgboost.metrics import (
    CLASSIFICATION,
    CUSTOM,
    DEFAULT_METRIC,
    MAXIMISED,
    METRICS,
    MINIMISED,
    REGRESSION,
    ClassCounts,
    CustomMetrics,
    default_metric,
    direction,
    predicted_labels,
    requested_metrics,
    watched_metric,
)
from sagedock.contracts.hyperparameters import Values
from sagedock.errors import UserError

BINARY = ("binary:logistic", "binary:logitraw", "binary:hinge", "reg:logistic")
MULTICLASS = ("multi:softmax", "multi:softprob")
OF_CLASS_ONE = ("f1_binary", "precision", "recall")

BY_SCIKIT_LEARN = {
    "accuracy": sklearn.metrics.accuracy_score,
    "balanced_accuracy": sklearn.metrics.balanced_accuracy_score,
    "f1": lambda y, p: sklearn.metrics.f1_score(y, p, average="macro"),
    "f1_binary": sklearn.metrics.f1_score,
    "f1_macro": lambda y, p: sklearn.metrics.f1_score(y, p, average="macro"),
    "precision": sklearn.metrics.precision_score,
    "precision_macro": lambda y, p: sklearn.metrics.precision_score(y, p, average="macro"),
    "precision_micro": lambda y, p: sklearn.metrics.precision_score(y, p, average="micro"),
    "recall": sklearn.metrics.recall_score,
    "recall_macro": lambda y, p: sklearn.metrics.recall_score(y, p, average="macro"),
    "recall_micro": lambda y, p: sklearn.metrics.recall_score(y, p, average="micro"),
    "mae": sklearn.metrics.mean_absolute_error,
    "mse": sklearn.metrics.mean_squared_error,
    "r2": sklearn.metrics.r2_score,
    "rmse": sklearn.metrics.root_mean_squared_error,
}


def parse(**raw: object) -> Values:
    return HYPERPARAMETERS.parse({"num_round": "2", **raw})


def expected(name, actual, predicted) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of each division by zero, whose outcome is what we test
        return float(BY_SCIKIT_LEARN[name](actual, predicted))


def pairs_of_labels(classes: int):
    labels = st.integers(0, classes - 1)
    return st.integers(1, 30).flatmap(
        lambda rows: st.tuples(arrays(np.int64, rows, elements=labels), arrays(np.int64, rows, elements=labels))
    )


@given(pairs_of_labels(2))
def test_metrics_of_two_classes_equal_scikit_learns(labels):
    """Statement 32; the conventions for classes that never occur or are never predicted included."""
    for name, measure in CLASSIFICATION.items():
        assert measure(ClassCounts.of(*labels)) == pytest.approx(expected(name, *labels), abs=1e-12), name


@given(pairs_of_labels(5))
def test_metrics_of_several_classes_equal_scikit_learns(labels):
    for name, measure in CLASSIFICATION.items():
        if name not in OF_CLASS_ONE:
            assert measure(ClassCounts.of(*labels)) == pytest.approx(expected(name, *labels), abs=1e-12), name


@given(st.integers(5_000, 2**40), pairs_of_labels(3))
def test_metrics_of_classes_far_apart_equal_scikit_learns(step, labels):
    """Class numbers need not be small; what is counted stays as small as the classes that occur."""
    actual, predicted = (side * step for side in labels)
    counts = ClassCounts.of(actual, predicted)
    assert len(counts.right) <= 3
    for name in ("accuracy", "f1_macro", "precision_macro", "recall_macro", "balanced_accuracy"):
        assert CLASSIFICATION[name](counts) == pytest.approx(expected(name, actual, predicted), abs=1e-12), name


@given(
    st.integers(1, 30).flatmap(
        lambda n: st.tuples(*[arrays(np.float64, n, elements=st.floats(-1e6, 1e6, width=32))] * 2)
    )
)
def test_metrics_of_values_equal_scikit_learns(values):
    for name, measure in REGRESSION.items():
        wanted = expected(name, *values)
        assert measure(*values) == pytest.approx(wanted, rel=1e-9, abs=1e-12, nan_ok=True), name


def test_r2_of_constant_labels_and_of_one_row():
    """scikit-learn's conventions: 1 when all is right, 0 when not, NaN below two rows."""
    constant = np.full(3, 2.0)
    assert REGRESSION["r2"](constant, constant) == 1.0
    assert REGRESSION["r2"](constant, constant + 1) == 0.0
    assert math.isnan(REGRESSION["r2"](constant[:1], constant[:1]))


@pytest.mark.parametrize("name", OF_CLASS_ONE)
def test_metrics_of_class_one_refuse_other_classes(name):
    with pytest.raises(UserError, match=f"metric {name} .*_macro"):
        CLASSIFICATION[name](ClassCounts.of(np.array([0, 1, 2]), np.array([0, 1, 1])))


def test_the_tables_are_those_of_the_container():
    """Section 5.2, counted."""
    assert (len(MAXIMISED), len(MINIMISED), len(CUSTOM), len(set(METRICS))) == (16, 17, 15, 33)
    assert set(BY_SCIKIT_LEARN) == CUSTOM
    assert set(METRICS) >= CUSTOM


@pytest.mark.parametrize(
    ("name", "better"),
    [
        ("auc", "Maximize"),
        ("ndcg", "Maximize"),
        ("ndcg@5", "Maximize"),
        ("map@3", "Maximize"),
        ("map@32", "Maximize"),
        ("r2", "Maximize"),
        ("error@0.7", "Minimize"),
        ("tweedie-nloglik@1.5", "Minimize"),
        ("interval-regression-accuracy", "Minimize"),
        ("logloss", "Minimize"),
    ],
)
def test_direction(name, better):
    """Defect 8.5: the built-in minimises ndcg@n and map@n."""
    assert direction(name) == better


def data(objective: str, rows: int = 120) -> xgboost.DMatrix:
    random = np.random.default_rng(3)
    features = random.normal(size=(rows, 4))
    noisy = features[:, 0] + random.normal(scale=1.5, size=rows)
    if objective.startswith("multi:"):
        labels = np.digitize(noisy, [-1.0, 1.0])
    elif objective.startswith(("binary:", "rank:")) or objective == "reg:logistic":
        labels = noisy > 0.8
    else:
        labels = np.abs(noisy) + 0.5
    matrix = xgboost.DMatrix(features, labels.astype(np.float32))
    if objective.startswith("rank:"):
        matrix.set_group([rows // 2, rows // 2])
    return matrix


def train(values: Values, matrix: xgboost.DMatrix) -> tuple[xgboost.Booster, dict[str, list[float]]]:
    """A booster and what each round's metrics were on `matrix`, as the container trains it."""
    _, custom = requested_metrics(values)
    history: dict[str, dict[str, list[float]]] = {}
    booster = xgboost.train(
        {"nthread": 1, "max_depth": 2, **booster_parameters(values)},
        matrix,
        values["num_round"],
        evals=[(matrix, "train")],
        evals_result=history,
        custom_metric=CustomMetrics(custom, values["objective"]) if custom else None,
        verbose_eval=False,
    )
    return booster, history["train"]


def for_objective(objective: str) -> dict[str, str]:
    return {"objective": objective, **({"num_class": "3"} if objective in MULTICLASS else {})}


@pytest.mark.parametrize("objective", [name for name in DEFAULT_METRIC if name != "survival:aft"])
def test_the_default_metric_is_the_one_xgboost_prints(objective):
    """Section 5.2, last row; checked against XGBoost itself."""
    values = parse(**for_objective(objective))
    _, history = train(values, data(objective))
    assert list(history) == [default_metric(values)]
    assert watched_metric(values) == default_metric(values)


def margin_labels(booster: xgboost.Booster, matrix: xgboost.DMatrix) -> np.ndarray:
    """The rule of the container's releases up to 1.7-1, from raw margins."""
    margins = booster.predict(matrix, output_margin=True)
    return margins.argmax(axis=1) if margins.ndim == 2 else (margins > 0).astype(int)


@pytest.mark.parametrize("objective", [*BINARY, *MULTICLASS])
def test_predicted_labels_are_those_of_the_margins(objective):
    """Defect 8.1: the 3.x built-in compares transformed predictions with 0, so nearly every row counts as class 1."""
    matrix = data(objective)
    values = parse(**for_objective(objective), eval_metric="accuracy,f1,balanced_accuracy")
    booster, history = train(values, matrix)
    labels = margin_labels(booster, matrix)
    assert len(np.unique(labels)) > 1
    assert np.array_equal(predicted_labels(booster.predict(matrix), objective), labels)
    for name in ("accuracy", "f1", "balanced_accuracy"):
        assert history[name][-1] == pytest.approx(expected(name, matrix.get_label().astype(int), labels))


@pytest.mark.parametrize("objective", ["count:poisson", "reg:gamma", "reg:tweedie", "survival:cox"])
def test_with_a_log_link_a_margin_of_zero_is_a_prediction_of_one(objective):
    """Defect 8.1 for the objectives whose predictions are exponentials of the margin."""
    matrix = data(objective)
    booster, _ = train(parse(objective=objective, num_round="20"), matrix)
    assert np.array_equal(predicted_labels(booster.predict(matrix), objective), margin_labels(booster, matrix))


@pytest.mark.parametrize("objective", ["binary:logistic", "binary:hinge"])
def test_accuracy_is_one_minus_the_error_on_the_same_line(objective):
    """Statement 31."""
    _, history = train(parse(objective=objective, eval_metric="error,accuracy", num_round="5"), data(objective))
    assert history["accuracy"] == pytest.approx([1 - value for value in history["error"]], abs=1e-6)


@pytest.mark.parametrize("objective", MULTICLASS)
def test_multiclass_accuracy_is_one_minus_merror(objective):
    """Statement 31, defect 8.1 as measured on softmax."""
    values = parse(**for_objective(objective), eval_metric="merror,accuracy", num_round="5")
    _, history = train(values, data(objective))
    assert history["accuracy"] == pytest.approx([1 - value for value in history["merror"]], abs=1e-6)


@pytest.mark.parametrize(
    "objective", ["reg:squarederror", "reg:logistic", "reg:gamma", "count:poisson", "binary:logistic"]
)
def test_metrics_of_values_take_transformed_predictions(objective):
    """Section 5.2: predicted values, not margins."""
    matrix = data(objective)
    booster, history = train(parse(objective=objective, eval_metric="mse,rmse,mae,r2"), matrix)
    for name in ("mse", "rmse", "mae", "r2"):
        wanted = expected(name, matrix.get_label().astype(float), booster.predict(matrix).astype(float))
        assert history[name][-1] == pytest.approx(wanted, abs=1e-6)  # XGBoost hands back six decimals


def test_a_custom_metric_is_printed_after_the_objectives_own():
    """Statement 30."""
    _, history = train(parse(objective="binary:logistic", eval_metric="accuracy"), data("binary:logistic"))
    assert list(history) == ["logloss", "accuracy"]


def test_no_metric_is_printed_twice():
    """rmse is the container's own; XGBoost's default of the same name stays away."""
    _, history = train(parse(eval_metric="rmse"), data("reg:squarederror"))
    assert list(history) == ["rmse"]
    assert len(history["rmse"]) == 2


def test_instance_weights_do_not_change_the_containers_metrics():
    """Section 5.2: custom metrics ignore weights."""
    matrix = data("binary:logistic")
    matrix.set_weight(np.where(matrix.get_label() > 0, 10.0, 0.1))
    booster, history = train(parse(objective="binary:logistic", eval_metric="accuracy"), matrix)
    wanted = expected("accuracy", matrix.get_label().astype(int), margin_labels(booster, matrix))
    assert history["accuracy"][-1] == pytest.approx(wanted)


def test_the_tweedie_metric_is_given_its_power():
    """XGBoost wants tweedie-nloglik@rho, the container's list has the bare name."""
    matrix = data("reg:tweedie")
    values = parse(objective="reg:tweedie", tweedie_variance_power="1.2", eval_metric="rmsle,tweedie-nloglik")
    _, history = train(values, matrix)
    assert list(history) == ["rmsle", "tweedie-nloglik@1.2"]
    assert watched_metric(values) == "tweedie-nloglik@1.2"
    assert watched_metric(parse(objective="reg:tweedie")) == "tweedie-nloglik@1.5"


def test_requested_metrics_keep_the_users_order():
    """Section 5.2: the user's order; native ones first for XGBoost."""
    values = parse(objective="binary:logistic", eval_metric="logloss,f1,auc,logloss,accuracy")
    assert requested_metrics(values) == (["logloss", "auc"], ["f1", "accuracy"])
    assert requested_metrics(parse()) == ([], [])


def test_the_tuning_metric_joins_in_sorted_order():
    """Statement 33, section 5.2."""
    values = parse(
        objective="binary:logistic", eval_metric="logloss,accuracy,auc", _tuning_objective_metric="validation:f1"
    )
    assert requested_metrics(values) == (["auc", "logloss"], ["accuracy", "f1"])
    alone = parse(objective="binary:logistic", _tuning_objective_metric="validation:f1")
    assert requested_metrics(alone) == ([], ["f1"])
    _, history = train(alone, data("binary:logistic"))
    assert list(history) == ["logloss", "f1"]


def test_the_watched_metric():
    """Section 6.3 and defect 8.4: the tuning metric, else the last of eval_metric, else the objective's own."""
    both = {"objective": "binary:logistic", "eval_metric": "auc,error@0.70"}
    assert watched_metric(parse(**both, _tuning_objective_metric="validation:f1")) == "f1"
    assert watched_metric(parse(**both)) == "error@0.7"
    assert watched_metric(parse(objective="binary:logistic")) == "logloss"


def test_metrics_of_classes_need_whole_labels():
    """Bad input: the value is named, and what to use."""
    with pytest.raises(UserError, match=r"accuracy.*whole numbers, got 0\.5.*rmse"):
        CustomMetrics(["accuracy"], "reg:squarederror")(np.zeros(2, np.float32), xgboost.DMatrix(np.eye(2), [1, 0.5]))


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("channel", ["train", "validation"])
def test_the_declared_regex_finds_the_value_in_sagemakers_log(channel, name):
    """Statement 29: SageMaker shows a TAB as #011; with another metric of a like name before and after it."""
    [metric] = [each for each in ALGORITHM.metrics if each.name == f"{channel}:{name}"]
    printed = f"{name}@1.5" if name == "tweedie-nloglik" else name
    others = [other for other in METRICS if other != name]
    line = "[12]" + "".join(
        f"\t{where}-{other}:{0.25 if (where, other) == (channel, printed) else 0.75:.5f}"
        for where in ("train", "validation")
        for other in (*others[:16], printed, *others[16:])
    )
    found = re.match(metric.regex, line.replace("\t", "#011"))
    assert found is not None
    assert found.group(1) == "0.25000"
    assert metric.goal == direction(name)
    assert len(metric.regex) <= 500


def test_the_built_ins_regex_captures_the_value_too():
    """Statement 29 to the letter: users have this expression in their job documents."""
    line = "[99]\ttrain-auc:0.99000\tvalidation-auc:0.97664"
    assert re.match(r".*\[[0-9]+\].*#011validation-auc:(\S+)", line.replace("\t", "#011")).group(1) == "0.97664"
    [declared] = [each for each in ALGORITHM.metrics if each.name == "validation:auc"]
    assert re.match(declared.regex, line.replace("\t", "#011")).group(1) == "0.97664"
