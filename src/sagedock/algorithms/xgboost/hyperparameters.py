"""The hyperparameters of the XGBoost container, and what XGBoost is given of them.

Names, types and ranges are those of SageMaker's built-in algorithm (developer guide, "XGBoost hyperparameters"); a
default is the library's own where `library_default` names it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sagedock.algorithms.xgboost import metrics
from sagedock.algorithms.xgboost.rules import RULES
from sagedock.contracts.hyperparameters import (
    Boolean,
    Categorical,
    Declaration,
    Integer,
    Interval,
    ListOf,
    NestedList,
    Parameter,
    ParseError,
    RangeError,
    Real,
    Values,
)

_FRACTION = Interval(0, 1)
_SHARE = Interval(0, 1, low_open=True)
_POSITIVE = Interval(0, low_open=True)
_NOT_NEGATIVE = Interval(0)
_SWITCH = Integer(_FRACTION)


@dataclass(frozen=True)
class EvaluationMetric:
    """The name of a metric, or name@t for a threshold of error and a number of places of ndcg and map.

    The value is the name that XGBoost prints: `error@0.80` is `error@0.8`, and `error@0.5` is `error`.
    """

    type_text = "metric"

    @property
    def range_text(self) -> str:
        return f"{{{', '.join((*metrics.METRICS, 'error@t', 'ndcg@n', 'map@n'))}}}"

    def parse(self, text: str) -> str:
        if "<function" in text:
            raise ParseError("functions of the user's own are not supported, name a metric")
        name, at, tail = text.partition("@")
        if name not in metrics.METRICS or (at and name not in metrics.THRESHOLD_METRICS):
            raise RangeError(text)
        if not at:
            return name
        if name == "error":
            threshold = Real().parse(tail)
            return name if threshold == 0.5 else f"{name}@{threshold:g}"
        return f"{name}@{Integer(Interval(1)).parse(tail)}"


PARAMETERS = (
    Parameter("num_round", Integer(Interval(1)), "Rounds of boosting.", required=True, tuning="1 to 4000"),
    Parameter(
        "booster",
        Categorical(("gbtree", "gblinear", "dart")),
        "Kind of model: trees, linear, or trees with dropout.",
        library_default="gbtree",
    ),
    Parameter(
        "objective",
        Categorical(tuple(metrics.DEFAULT_METRIC)),
        "Learning task and its loss.",
        default="reg:squarederror",
    ),
    Parameter("num_class", Integer(Interval(2)), "Classes of a multi: objective; labels are 0 to num_class - 1."),
    Parameter(
        "eval_metric",
        ListOf(EvaluationMetric()),
        "Metrics evaluated on train and validation each round.",
        library_default="by objective",
    ),
    Parameter(
        "eta",
        Real(_FRACTION),
        "Step size shrinkage of each round.",
        library_default="0.3",
        aliases=("learning_rate",),
        tuning="0.1 to 0.5",
    ),
    Parameter(
        "gamma",
        Real(_NOT_NEGATIVE),
        "Least loss reduction that makes a further split.",
        library_default="0",
        aliases=("min_split_loss",),
        tuning="0 to 5",
    ),
    Parameter(
        "max_depth",
        Integer(_NOT_NEGATIVE),
        "Greatest depth of a tree; 0 is no limit.",
        library_default="6",
        tuning="0 to 10",
    ),
    Parameter(
        "min_child_weight",
        Real(_NOT_NEGATIVE),
        "Least sum of instance weight (hessian) in a child.",
        library_default="1",
        tuning="0 to 120",
    ),
    Parameter(
        "max_delta_step",
        Real(_NOT_NEGATIVE),
        "Largest step of a leaf's output; 0 is no limit.",
        library_default="0 (0.7 for count:poisson)",
        tuning="0 to 10",
    ),
    Parameter(
        "subsample", Real(_SHARE), "Share of the rows that each round samples.", library_default="1", tuning="0.5 to 1"
    ),
    Parameter(
        "colsample_bytree", Real(_SHARE), "Share of the columns for each tree.", library_default="1", tuning="0.5 to 1"
    ),
    Parameter(
        "colsample_bylevel",
        Real(_SHARE),
        "Share of the columns for each level.",
        library_default="1",
        tuning="0.1 to 1",
    ),
    Parameter(
        "colsample_bynode", Real(_SHARE), "Share of the columns for each split.", library_default="1", tuning="0.1 to 1"
    ),
    Parameter(
        "lambda",
        Real(_NOT_NEGATIVE),
        "L2 regularisation of weights.",
        library_default="1 (0 for gblinear)",
        aliases=("reg_lambda",),
        tuning="0 to 1000",
    ),
    Parameter(
        "alpha",
        Real(_NOT_NEGATIVE),
        "L1 regularisation of weights.",
        library_default="0",
        aliases=("reg_alpha",),
        tuning="0 to 1000",
    ),
    Parameter(
        "tree_method",
        Categorical(("auto", "exact", "approx", "hist", "gpu_hist")),
        "How splits are sought; gpu_hist is hist on a GPU.",
        library_default="auto",
    ),
    Parameter("max_bin", Integer(Interval(2)), "Most bins of a feature's histogram.", library_default="256"),
    Parameter("max_leaves", Integer(_NOT_NEGATIVE), "Most leaves of a tree; 0 is no limit.", library_default="0"),
    Parameter(
        "grow_policy", Categorical(("depthwise", "lossguide")), "Where a tree grows next.", library_default="depthwise"
    ),
    Parameter("num_parallel_tree", Integer(Interval(1)), "Trees grown in each round.", library_default="1"),
    Parameter(
        "scale_pos_weight", Real(_POSITIVE), "Weight of positive rows against negative ones.", library_default="1"
    ),
    Parameter(
        "base_score", Real(_NOT_NEGATIVE), "First prediction of every row.", library_default="estimated from the labels"
    ),
    Parameter(
        "sampling_method",
        Categorical(("uniform", "gradient_based")),
        "How rows are sampled: alike, or by the size of their gradients.",
        library_default="uniform",
    ),
    Parameter(
        "updater",
        ListOf(
            Categorical(("grow_colmaker", "grow_histmaker", "sync", "refresh", "prune", "shotgun", "coord_descent"))
        ),
        "Steps that build or change trees, in order; overrides tree_method.",
        library_default="by tree_method",
    ),
    Parameter("refresh_leaf", _SWITCH, "Whether the updater refresh changes leaves too.", library_default="1"),
    Parameter(
        "process_type",
        Categorical(("default", "update")),
        "Whether trees are built or updated; there is no model to update in a job of this container.",
        library_default="default",
    ),
    Parameter(
        "monotone_constraints",
        ListOf(Integer(Interval(-1, 1))),
        "For each column, such as (1,0,-1): increasing, free or decreasing. Needs tree_method exact or hist.",
    ),
    Parameter(
        "interaction_constraints",
        NestedList(Integer(_NOT_NEGATIVE)),
        "Groups of column indices that may interact, such as [[0,1],[2,3]]. Needs tree_method exact, hist or approx.",
    ),
    Parameter(
        "sample_type",
        Categorical(("uniform", "weighted")),
        "dart: how dropped trees are chosen.",
        library_default="uniform",
    ),
    Parameter(
        "normalize_type", Categorical(("tree", "forest")), "dart: how new trees are weighted.", library_default="tree"
    ),
    Parameter("rate_drop", Real(_FRACTION), "dart: share of trees dropped.", library_default="0"),
    Parameter("one_drop", _SWITCH, "dart: whether at least one tree is dropped.", library_default="0"),
    Parameter("skip_drop", Real(_FRACTION), "dart: probability that a round drops none.", library_default="0"),
    Parameter("lambda_bias", Real(_FRACTION), "No effect in XGBoost 3.", library_default="not used"),
    Parameter(
        "tweedie_variance_power",
        Real(Interval(1, 2, low_open=True, high_open=True)),
        "Power of the mean in the Tweedie variance.",
        library_default="1.5",
    ),
    Parameter(
        "aft_loss_distribution",
        Categorical(("normal", "logistic", "extreme")),
        "survival:aft: distribution of the noise.",
        library_default="normal",
    ),
    Parameter("aft_loss_distribution_scale", Real(_NOT_NEGATIVE), "survival:aft: its scale.", library_default="1"),
    Parameter(
        "seed",
        Integer(Interval(-(2**31), 2**31 - 1, low_open=True, high_open=True)),
        "Seed of the random numbers.",
        library_default="0",
    ),
    Parameter("nthread", Integer(Interval(1)), "Threads.", library_default="all processors"),
    Parameter(
        "verbosity", Integer(Interval(0, 3)), "0 silent, 1 warnings, 2 information, 3 debugging.", library_default="1"
    ),
    Parameter(
        "sketch_eps",
        Real(Interval(0, 1, low_open=True, high_open=True)),
        "No effect in XGBoost 3.",
        library_default="not used",
    ),
    Parameter("dsplit", Categorical(("row", "col")), "No effect in XGBoost 3.", library_default="not used"),
    Parameter(
        "predictor",
        Categorical(("auto", "cpu_predictor", "gpu_predictor")),
        "No effect in XGBoost 3.",
        library_default="not used",
    ),
    Parameter("deterministic_histogram", Boolean(), "No effect in XGBoost 3.", library_default="not used"),
    Parameter(
        "prob_buffer_row", Integer(Interval(1, low_open=True)), "No effect in XGBoost 3.", library_default="not used"
    ),
    Parameter("csv_weights", _SWITCH, "1: the second column of CSV data is the row's weight.", default=0),
    Parameter(
        "early_stopping_rounds",
        Integer(Interval(1)),
        "Stop when the watched metric has not improved on the validation channel for so many rounds.",
        library_default="off",
    ),
    Parameter(
        "save_model_on_termination", Boolean(), "Whether the model is saved after every round too.", default=False
    ),
    Parameter("use_dask_gpu_training", Boolean(), "Accepted without effect: one GPU trains.", default=False),
    Parameter(
        "cost_matrix",
        NestedList(Real(), shape=(2, 2)),
        "Extension of sagedock: the costs [[TN, FP], [FN, TP]], rows the actual class and columns the predicted "
        "one; the cut-off of least expected cost on the validation data is chosen and kept with the model.",
    ),
    Parameter("_kfold", Integer(Interval(2)), "Folds of cross-validation.", library_default="off"),
    Parameter("_num_cv_round", Integer(Interval(1)), "Repetitions of cross-validation.", default=1),
    Parameter(
        "_tuning_objective_metric",
        Categorical(tuple(f"validation:{name}" for name in metrics.METRICS)),
        "Set by a tuning job: evaluated, and watched for early stopping.",
    ),
)

HYPERPARAMETERS = Declaration(PARAMETERS, RULES)

_CONTAINER_ONLY = frozenset(
    {
        "num_round",
        "eval_metric",
        "csv_weights",
        "early_stopping_rounds",
        "save_model_on_termination",
        "use_dask_gpu_training",
        "cost_matrix",
        "_kfold",
        "_num_cv_round",
        "_tuning_objective_metric",
    }
)
_WITHOUT_EFFECT = (
    "lambda_bias",
    "sketch_eps",
    "dsplit",
    "predictor",
    "deterministic_histogram",
    "prob_buffer_row",
)
_SUCCESSORS = {"gpu_hist": "hist", "reg:linear": "reg:squarederror"}


def booster_parameters(values: Values) -> dict[str, Any]:
    """What `xgboost.train` takes as its parameters; the device is chosen elsewhere.

    Random numbers are seeded anew in each round, which is one half of resuming without a trace; the other half, tree
    updaters that keep no state, is the boosting loop's.
    """
    skipped = _CONTAINER_ONLY.union(_WITHOUT_EFFECT)
    parameters = {name: _for_xgboost(name, value) for name, value in values.items() if name not in skipped}
    native, custom = metrics.requested_metrics(values)
    if native:
        parameters["eval_metric"] = native
    elif metrics.default_metric(values) in custom:
        parameters["disable_default_eval_metric"] = True
    return parameters | {"seed_per_iteration": True, "validate_parameters": True}


def ignored(values: Values) -> list[str]:
    """The names given that are accepted for the sake of older jobs and have no effect."""
    without_effect = [name for name in _WITHOUT_EFFECT if name in values]
    return without_effect + ["use_dask_gpu_training"] * bool(values.get("use_dask_gpu_training"))


def _for_xgboost(name: str, value: Any) -> Any:
    match name:
        case "monotone_constraints":
            return f"({','.join(map(str, value))})"
        case "interaction_constraints":
            return json.dumps(value)
        case "updater":
            return ",".join(value)
        case "objective" | "tree_method":
            return _SUCCESSORS.get(value, value)
        case _:
            return value
