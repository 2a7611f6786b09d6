"""XGBoost's hyperparameters: xgboost.md sections 4 and 4.1, statements 1 to 17, defects 8.6 to 8.8."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xgboost

from sagedock.algorithms.xgboost.hyperparameters import HYPERPARAMETERS, booster_parameters, ignored
from sagedock.algorithms.xgboost.metrics import DEFAULT_METRIC, METRICS
from sagedock.contracts.hyperparameters import Values
from sagedock.errors import UserError

OBJECTIVES = [name for name in DEFAULT_METRIC if name != "survival:aft"]


def parse(**raw: object) -> Values:
    return HYPERPARAMETERS.parse({"num_round": "3", **raw})


def mistake(**raw: object) -> str:
    with pytest.raises(UserError) as caught:
        parse(**raw)
    return str(caught.value)


def for_objective(objective: str) -> dict[str, object]:
    return {"objective": objective, **({"num_class": "3"} if objective.startswith("multi:") else {})}


def labels_for(objective: str) -> np.ndarray:
    rows = np.arange(60)
    if objective.startswith("multi:"):
        return (rows % 3).astype(np.float32)
    if objective in {"reg:gamma", "survival:cox", "reg:tweedie"}:
        return (rows % 7 + 1).astype(np.float32)
    return (rows % 2).astype(np.float32)


def matrix_for(objective: str) -> xgboost.DMatrix:
    features = np.random.default_rng(0).normal(size=(60, 4)) + labels_for(objective)[:, None]
    matrix = xgboost.DMatrix(features, labels_for(objective))
    if objective.startswith("rank:"):
        matrix.set_group([30, 30])
    return matrix


def trained(values: Values) -> tuple[xgboost.Booster, dict[str, list[float]]]:
    matrix, history = matrix_for(values["objective"]), {}
    booster = xgboost.train(
        {"nthread": 1, **booster_parameters(values)},
        matrix,
        values["num_round"],
        evals=[(matrix, "train")],
        evals_result=history,
        verbose_eval=False,
    )
    return booster, history["train"]


def test_num_round_is_required():
    """Statement 1."""
    with pytest.raises(UserError, match="Missing required hyperparameter: num_round"):
        HYPERPARAMETERS.parse({})


@pytest.mark.parametrize("text", ["0", "1.5", "-1", "many"])
def test_num_round_is_a_positive_integer(text):
    """Statement 2."""
    assert "num_round" in mistake(num_round=text)


@pytest.mark.parametrize(
    "name",
    [
        "foo",
        "device",
        "silent",
        "single_precision_histogram",
        "max_cat_to_onehot",
        "multi_strategy",
        "lambdarank_num_pair_per_sample",
        "huber_slope",
        "quantile_alpha",
        "disable_default_eval_metric",
        "validate_parameters",
    ],
)
def test_other_names_are_extraneous(name):
    """Statement 3, and what section 4 lists as not accepted."""
    assert mistake(**{name: "1"}).startswith(f"Extraneous hyperparameter found: {name} (")


@pytest.mark.parametrize(
    ("alias", "name"),
    [("learning_rate", "eta"), ("min_split_loss", "gamma"), ("reg_lambda", "lambda"), ("reg_alpha", "alpha")],
)
def test_aliases_behave_as_the_names(alias, name):
    """Statement 4."""
    assert dict(parse(**{alias: "0.1"})) == dict(parse(**{name: "0.1"}))
    assert parse(**{name: "0.3", alias: "0.1"})[name] == 0.1
    assert parse(**{alias: "0.1", name: "0.3"})[name] == 0.3


ACCEPTED = {
    "num_round": ["1", "100.0"],
    "booster": ["gbtree", "gblinear", "dart"],
    "objective": [name for name in OBJECTIVES if not name.startswith("multi:")],
    "eta": ["0", "1", "1e-1"],
    "gamma": ["0", "5.5"],
    "max_depth": ["0", "6"],
    "min_child_weight": ["0", "120"],
    "max_delta_step": ["0", "0.7"],
    "subsample": ["1", "0.01"],
    "colsample_bytree": ["1", "0.01"],
    "colsample_bylevel": ["1", "0.01"],
    "colsample_bynode": ["1", "0.01"],
    "lambda": ["0", "1000"],
    "alpha": ["0", "1000"],
    "tree_method": ["auto", "exact", "approx", "hist", "gpu_hist"],
    "max_bin": ["2", "256"],
    "max_leaves": ["0", "31"],
    "grow_policy": ["depthwise", "lossguide"],
    "num_parallel_tree": ["1", "4"],
    "scale_pos_weight": ["0.1", "10"],
    "base_score": ["0", "0.5"],
    "sampling_method": ["uniform", "gradient_based"],
    "updater": ["grow_colmaker,prune", "grow_histmaker", "grow_histmaker,sync,refresh,prune"],
    "refresh_leaf": ["0", "1"],
    "process_type": ["default"],
    "sample_type": ["uniform", "weighted"],
    "normalize_type": ["tree", "forest"],
    "rate_drop": ["0", "1"],
    "one_drop": ["0", "1"],
    "skip_drop": ["0", "1"],
    "lambda_bias": ["0", "1"],
    "tweedie_variance_power": ["1.01", "1.99"],
    "aft_loss_distribution": ["normal", "logistic", "extreme"],
    "aft_loss_distribution_scale": ["0", "2"],
    "seed": ["-5", "2147483646", "-2147483647"],
    "nthread": ["1", "64"],
    "verbosity": ["0", "1", "2", "3"],
    "sketch_eps": ["0.03"],
    "dsplit": ["row", "col"],
    "predictor": ["auto", "cpu_predictor", "gpu_predictor"],
    "deterministic_histogram": ["true", "False"],
    "prob_buffer_row": ["2"],
    "csv_weights": ["0", "1"],
    "early_stopping_rounds": ["1"],
    "save_model_on_termination": ["true", "false", "True"],
    "use_dask_gpu_training": ["true", "false"],
    "_kfold": ["2", "5"],
    "_num_cv_round": ["1"],
    "_tuning_objective_metric": ["validation:rmse", '"validation:f1"'],
}
REFUSED = {
    "booster": ["tree", "GBTREE"],
    "objective": ["reg:quantileerror", "reg:expectileerror", "aft_loss_distribution", "multi"],
    "num_class": ["1", "0"],
    "eta": ["-0.1", "1.01", "fast", "nan"],
    "gamma": ["-0.1", "inf"],
    "max_depth": ["-0.1", "-1", "2.5"],
    "min_child_weight": ["-1"],
    "max_delta_step": ["-1"],
    "subsample": ["0", "1.01"],
    "colsample_bytree": ["0", "1.01"],
    "colsample_bylevel": ["0", "1.01"],
    "colsample_bynode": ["0", "1.01"],
    "lambda": ["-1"],
    "alpha": ["-1"],
    "tree_method": ["gpu_exact"],
    "max_bin": ["0", "1"],
    "max_leaves": ["-1"],
    "grow_policy": ["leafwise"],
    "num_parallel_tree": ["0", "-1"],
    "scale_pos_weight": ["0"],
    "base_score": ["-1"],
    "sampling_method": ["goss"],
    "updater": ["grow_quantile_histmaker", "distcol", "grow_skmaker", "grow_colmaker,"],
    "refresh_leaf": ["2"],
    "process_type": ["refresh"],
    "monotone_constraints": ["(2,0)", "(0.5)", "()"],
    "interaction_constraints": ["[1,2]", "[[-1]]", "[['a']]"],
    "sample_type": ["none"],
    "normalize_type": ["none"],
    "rate_drop": ["1.01"],
    "one_drop": ["2"],
    "skip_drop": ["-0.1"],
    "lambda_bias": ["2"],
    "tweedie_variance_power": ["1", "2"],
    "aft_loss_distribution": ["gaussian"],
    "aft_loss_distribution_scale": ["-1"],
    "seed": ["2147483647", "-2147483648"],
    "nthread": ["0"],
    "verbosity": ["4", "0.5", "-1"],
    "sketch_eps": ["0", "1"],
    "dsplit": ["both"],
    "predictor": ["gpu"],
    "deterministic_histogram": ["maybe"],
    "prob_buffer_row": ["1"],
    "csv_weights": ["2"],
    "early_stopping_rounds": ["0"],
    "save_model_on_termination": ["maybe"],
    "use_dask_gpu_training": ["2"],
    "cost_matrix": ["[[0,1,2],[3,4,5]]", "[[0,1],[2,NaN]]", "1"],
    "_kfold": ["1"],
    "_num_cv_round": ["0"],
    "_tuning_objective_metric": ["train:auc", "validation:foo", "auc"],
}


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in ACCEPTED.items() for text in texts])
def test_values_within_the_table_are_accepted(name, text):
    """Statements 5 to 10, section 4."""
    given = parse(**{name: text})
    assert name in given


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in REFUSED.items() for text in texts])
def test_values_outside_the_table_are_refused_by_name(name, text):
    """Statements 5 to 10 and 33 (train: names), section 4."""
    assert mistake(**{name: text}).startswith(f"Hyperparameter {name}: ")


def test_every_declared_hyperparameter_has_an_accepted_and_a_refused_value():
    declared = {each.name for each in HYPERPARAMETERS.parameters}
    in_own_tests = {"num_class", "eval_metric", "monotone_constraints", "interaction_constraints", "cost_matrix"}
    assert declared == ACCEPTED.keys() | in_own_tests
    assert declared == REFUSED.keys() | {"num_round", "eval_metric"}


@pytest.mark.parametrize("objective", ["multi:softmax", "multi:softprob"])
def test_multiclass_objectives_need_num_class(objective):
    """Statement 11."""
    assert "requires num_class" in mistake(objective=objective)
    assert mistake(objective=objective, num_class="1") == "Hyperparameter num_class: 1 is not in [2, inf)"
    assert parse(objective=objective, num_class="10")["num_class"] == 10


@pytest.mark.parametrize("objective", [name for name in OBJECTIVES if not name.startswith("multi:")])
def test_num_class_with_another_objective_is_refused(objective):
    """Section 4.1, recommended outcome."""
    assert "takes no num_class" in mistake(objective=objective, num_class="2")


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_auc_goes_with_binary_and_rank_objectives_only(objective):
    """Statement 12."""
    given = {**for_objective(objective), "eval_metric": "auc"}
    if objective.startswith(("binary:", "rank:")):
        assert parse(**given)["eval_metric"] == ("auc",)
    else:
        assert "metric auc cannot be used with objective" in mistake(**given)


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("error@0.8", "error@0.8"),
        ("error@0.80", "error@0.8"),
        ("error@0.5", "error"),
        ("error@0.123456789", "error@0.123457"),
        ("ndcg@5", "ndcg@5"),
        ("map@3.0", "map@3"),
    ],
)
def test_metrics_with_a_threshold_take_the_name_that_xgboost_prints(text, printed):
    """Statement 13; the printed name is what early stopping has to look for."""
    values = parse(objective="binary:logistic", eval_metric=text)
    assert values["eval_metric"] == (printed,)
    _, history = trained(values)
    assert list(history) == [printed]


@pytest.mark.parametrize("text", ["error@x", "auc@0.5", "ndcg@5-", "error@", "ndcg@0", "ndcg@2.5", "error@nan", "@5"])
def test_other_thresholds_are_refused(text):
    """Statement 13."""
    assert mistake(objective="binary:logistic", eval_metric=text).startswith("Hyperparameter eval_metric: ")


def test_an_unknown_metric_is_refused_and_a_blank_after_the_comma_is_not():
    """Statement 14 with the decision at the head of xgboost.md: lists are trimmed."""
    assert mistake(eval_metric="rmse,invalid").startswith("Hyperparameter eval_metric: value invalid not in range {")
    assert parse(eval_metric="rmse, mae")["eval_metric"] == ("rmse", "mae")
    assert parse(eval_metric='["rmse", "mae"]')["eval_metric"] == ("rmse", "mae")


def test_a_function_is_no_metric():
    """Section 4.1."""
    assert "not supported" in mistake(eval_metric="<function f at 0x7f>")


def test_eval_metric_without_objective_takes_the_default_objective():
    """Defect 8.6: the built-in ends with a KeyError."""
    values = parse(eval_metric="rmsle")
    assert values["objective"] == "reg:squarederror"
    assert "objective" not in values.given


@pytest.mark.parametrize("metric", ["aft-nloglik", "interval-regression-accuracy"])
def test_survival_metrics_need_survival_aft(metric):
    """Section 4.1."""
    assert "it needs survival:aft" in mistake(objective="survival:cox", eval_metric=metric)


def test_survival_aft_is_refused_since_no_format_carries_its_bounds():
    """Section 5.1: it cannot be trained from these channels; checked against XGBoost itself."""
    assert "needs a lower and an upper bound" in mistake(objective="survival:aft", eval_metric="aft-nloglik")
    with pytest.raises(xgboost.core.XGBoostError, match="labels_lower_bound"):
        xgboost.train({"objective": "survival:aft"}, matrix_for("survival:cox"), 1)


@pytest.mark.parametrize("metric", ["error", "logloss", "rmsle", "ndcg", "map"])
@pytest.mark.parametrize("objective", ["multi:softmax", "multi:softprob"])
def test_metrics_of_one_score_do_not_go_with_multiclass_objectives(objective, metric):
    """XGBoost fails on them after the data is read (section 6.9); here they fail before."""
    given = {**for_objective(objective), "eval_metric": metric}
    assert f"metric {metric} cannot be used" in mistake(**given)
    with pytest.raises(xgboost.core.XGBoostError):
        xgboost.train(
            {"objective": objective, "num_class": 3, "eval_metric": metric},
            matrix_for(objective),
            1,
            evals=[(matrix_for(objective), "train")],
        )


def test_metrics_that_do_not_fit_the_objective_are_refused():
    assert "it needs multi:" in mistake(objective="binary:logistic", eval_metric="merror")
    assert "use f1_macro" in mistake(objective="multi:softmax", num_class="3", eval_metric="f1_binary")
    assert "use recall_macro" in mistake(objective="multi:softmax", num_class="3", eval_metric="recall")
    assert parse(objective="multi:softmax", num_class="2", eval_metric="recall")
    assert "one value for each row" in mistake(objective="multi:softprob", num_class="3", eval_metric="rmse")
    assert "metric auc" in mistake(_tuning_objective_metric="validation:auc")


@pytest.mark.parametrize("tree_method", [None, "auto", "gpu_hist", "approx"])
def test_monotone_constraints_need_exact_or_hist(tree_method):
    """Statement 15."""
    assert "requires tree_method" in mistake(monotone_constraints="(1,0,-1)", tree_method=tree_method)


@pytest.mark.parametrize("text", ["(1,0,-1,0)", "[1, 0, -1, 0]", "1,0,-1,0", '"(1,0,-1,0)"'])
def test_monotone_constraints_are_kept_by_the_model(text):
    """Statement 15: a literal parser, no eval; a rising prediction in the constrained column."""
    booster, _ = trained(parse(monotone_constraints=text, tree_method="hist", num_round="20"))
    ladder = np.zeros((9, 4), dtype=np.float32)
    ladder[:, 0] = np.linspace(-3, 4, 9)
    assert (np.diff(booster.inplace_predict(ladder)) >= 0).all()


@pytest.mark.parametrize("tree_method", [None, "auto", "gpu_hist"])
def test_interaction_constraints_need_an_explicit_tree_method(tree_method):
    """Section 4.1."""
    assert "requires tree_method" in mistake(interaction_constraints="[[0,1]]", tree_method=tree_method)


@pytest.mark.parametrize("tree_method", ["exact", "hist", "approx"])
def test_interaction_constraints_are_kept_by_the_model(tree_method):
    """Defect 8.7: the built-in always fails on them, and refuses column 0."""
    values = parse(interaction_constraints="[[0, 1], [2, 3]]", tree_method=tree_method, num_round="10", max_depth="4")
    booster, _ = trained(values)
    groups = [{"f0", "f1"}, {"f2", "f3"}]
    for tree in booster.get_dump(dump_format="json"):
        for path in paths(json.loads(tree)):
            assert any(path <= group for group in groups)


def paths(node: dict) -> list[set[str]]:
    """The set of columns on each way from the root to a leaf."""
    if "leaf" in node:
        return [set()]
    return [{node["split"], *below} for child in node["children"] for below in paths(child)]


def test_updaters_of_gblinear():
    """Statement 16."""
    assert parse(booster="gblinear", updater="shotgun")["updater"] == ("shotgun",)
    assert parse(booster="gblinear", updater="coord_descent")
    for text in ("grow_colmaker,prune", "shotgun,coord_descent", "sync"):
        assert "exactly one of" in mistake(booster="gblinear", updater=text)


def test_updaters_of_trees():
    """Section 4.1; XGBoost 3.2 needs the tree-building updater first."""
    assert "only be used with booster gblinear" in mistake(updater="shotgun")
    for text in ("grow_colmaker,grow_histmaker", "prune", "refresh,prune", "prune,grow_colmaker"):
        assert "must begin with one of" in mistake(updater=text)


@pytest.mark.filterwarnings("ignore::UserWarning")  # XGBoost advises against the parameter
@pytest.mark.parametrize("updater", ["distcol", "grow_skmaker"])
def test_updaters_that_xgboost_has_lost_are_refused(updater):
    """Section 4.2."""
    assert f"value {updater} not in range {{grow_colmaker" in mistake(updater=updater)
    with pytest.raises(xgboost.core.XGBoostError, match="Unknown tree updater"):
        xgboost.train({"updater": updater}, matrix_for("reg:squarederror"), 1)


def test_process_type_update_is_refused():
    """Statement 17, and section 4.2: there is no model to begin with."""
    assert "takes only refresh and prune" in mistake(process_type="update", updater="grow_colmaker")
    assert "needs a model to begin with" in mistake(process_type="update", updater="refresh")


@pytest.mark.parametrize(
    ("objective", "text"),
    [
        ("binary:logistic", "0"),
        ("binary:logistic", "1"),
        ("reg:logistic", "1.5"),
        ("reg:gamma", "0"),
        ("count:poisson", "0"),
        ("reg:tweedie", "0"),
        ("survival:cox", "0"),
    ],
)
def test_base_score_has_to_suit_the_objective(objective, text):
    """Section 6.9."""
    assert f"as objective {objective} requires" in mistake(objective=objective, base_score=text)


@pytest.mark.parametrize("exact", [{"tree_method": "exact"}, {"updater": "grow_colmaker,prune"}])
@pytest.mark.parametrize(
    "setting",
    [{"max_depth": "0"}, {"colsample_bynode": "0.5"}, {"sampling_method": "gradient_based", "subsample": "0.5"}],
)
def test_what_the_exact_method_cannot_do_is_refused(exact, setting):
    """XGBoost 3.2 fails on these pairs, found by trying all pairs of accepted values."""
    assert "cannot be used with tree_method exact" in mistake(**exact, **setting)
    with pytest.raises(xgboost.core.XGBoostError, match=r"exact tree method|Only uniform sampling"):
        xgboost.train({**exact, **setting}, matrix_for("reg:squarederror"), 1)


def test_cost_matrix_needs_probabilities_of_two_classes():
    """Issue 2 item 7: an extension of ours."""
    costs = "[[0, 100], [500, 100]]"
    assert parse(objective="binary:logistic", cost_matrix=costs)["cost_matrix"] == ((0.0, 100.0), (500.0, 100.0))
    assert parse(objective="reg:logistic", cost_matrix=costs)
    assert "cost_matrix: needs" in mistake(objective="binary:hinge", cost_matrix=costs)
    assert "cost_matrix: needs" in mistake(cost_matrix=costs)


def test_mistakes_of_values_and_rules_come_together():
    """Issue 2 item 3."""
    lines = mistake(eta="2", objective="multi:softmax", monotone_constraints="(1,0)", learning_rte="1").splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "Extraneous hyperparameter found",
        "Hyperparameter eta",
        "Hyperparameter num_class",
        "Hyperparameter monotone_constraints",
    ]


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_objective_trains_with_what_the_booster_is_given(objective):
    """Section 5.1; the churn notebook's settings beside it (9.1)."""
    given = {**for_objective(objective), "max_depth": "5", "eta": "0.2", "gamma": "4", "min_child_weight": "6"}
    booster, _ = trained(parse(subsample="0.8", **given))
    assert booster.num_boosted_rounds() == 3


def test_the_booster_gets_none_of_the_containers_own():
    """XGBoost warns of each parameter it does not use; section 4.2."""
    values = parse(
        objective="binary:logistic",
        csv_weights="1",
        early_stopping_rounds="5",
        _kfold="3",
        _num_cv_round="2",
        _tuning_objective_metric="validation:f1",
        cost_matrix="[[0,1],[1,0]]",
        save_model_on_termination="true",
        use_dask_gpu_training="true",
        predictor="auto",
        sketch_eps="0.1",
        dsplit="row",
        prob_buffer_row="2",
        deterministic_histogram="true",
        lambda_bias="0",
        eta="0.1",
    )
    assert booster_parameters(values) == {
        "objective": "binary:logistic",
        "eta": 0.1,
        "seed_per_iteration": True,
        "validate_parameters": True,
    }


def test_names_without_effect_are_told():
    """Section 4.2: one warning each is left to the caller."""
    assert ignored(parse(eta="0.1", csv_weights="1")) == []
    assert ignored(parse(predictor="auto", dsplit="row", use_dask_gpu_training="true")) == [
        "dsplit",
        "predictor",
        "use_dask_gpu_training",
    ]
    assert ignored(parse(use_dask_gpu_training="false")) == []


def test_gpu_hist_becomes_hist():
    """Defect 8.8; the device is chosen by the training flow."""
    parameters = booster_parameters(parse(tree_method="gpu_hist"))
    assert parameters["tree_method"] == "hist"
    assert "device" not in parameters


def test_reg_linear_becomes_its_successor():
    assert booster_parameters(parse(objective="reg:linear"))["objective"] == "reg:squarederror"


def test_the_churn_and_mnist_notebooks_are_accepted():
    """Section 9, the hyperparameters as the notebooks send them."""
    assert HYPERPARAMETERS.parse(
        {
            "max_depth": "5",
            "eta": "0.2",
            "gamma": "4",
            "min_child_weight": "6",
            "subsample": "0.8",
            "verbosity": "0",
            "objective": "binary:logistic",
            "num_round": "100",
        }
    )
    assert HYPERPARAMETERS.parse(
        {
            "max_depth": "5",
            "eta": "0.2",
            "gamma": "4",
            "min_child_weight": "6",
            "objective": "multi:softmax",
            "num_class": "10",
            "num_round": "10",
            "verbosity": "0",
        }
    )


def test_the_tuning_metric_may_be_every_metric_of_the_table():
    """Statement 33."""
    [parameter] = [each for each in HYPERPARAMETERS.parameters if each.name == "_tuning_objective_metric"]
    assert parameter.kind.choices == tuple(f"validation:{name}" for name in METRICS)
