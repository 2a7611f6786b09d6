"""What XGBoost's hyperparameters ask of one another, checked before any data is read."""

from __future__ import annotations

from collections.abc import Iterable

from sagedock.algorithms.xgboost import metrics
from sagedock.contracts.hyperparameters import Rule, Values

_GROWERS = ("grow_colmaker", "grow_histmaker")
_LINEAR_UPDATERS = ("shotgun", "coord_descent")
_MULTICLASS_METRICS = ("aucpr", "merror", "mlogloss")
_LOGISTIC = ("binary:logistic", "reg:logistic")
_LOG_LINK = ("count:poisson", "reg:gamma", "reg:tweedie", "survival:cox")


def _class_count(values: Values) -> Iterable[str]:
    objective = values["objective"]
    multiclass = objective.startswith("multi:")
    if multiclass and "num_class" not in values:
        yield f"Hyperparameter num_class: objective {objective} requires num_class, the number of classes"
    if not multiclass and "num_class" in values:
        yield (
            f"Hyperparameter num_class: objective {objective} takes no num_class; "
            "leave it out, or use multi:softmax or multi:softprob"
        )


def _survival(values: Values) -> Iterable[str]:
    if values["objective"] == "survival:aft":
        yield (
            "Hyperparameter objective: survival:aft needs a lower and an upper bound for each label, which none of "
            "the input formats carries; use survival:cox"
        )


def _metrics(values: Values) -> Iterable[str]:
    objective = values["objective"]
    native, custom = metrics.requested_metrics(values)
    for name in (*native, *custom):
        reason = _metric_misfit(name, objective, values)
        if reason is not None:
            yield f"Hyperparameter eval_metric: metric {name} cannot be used with objective {objective}: {reason}"


def _metric_misfit(name: str, objective: str, values: Values) -> str | None:
    if name == "auc" and not objective.startswith(("binary:", "rank:")):
        return "it needs an objective that begins with binary: or rank:"
    if name in {"aft-nloglik", "interval-regression-accuracy"} and objective != "survival:aft":
        return "it needs survival:aft"
    if objective.startswith("multi:"):
        return _multiclass_misfit(name, objective, values.get("num_class"))
    if name in {"merror", "mlogloss"}:
        return "it needs multi:softmax or multi:softprob"
    return None


def _multiclass_misfit(name: str, objective: str, num_class: int | None) -> str | None:
    if name in {"f1_binary", "precision", "recall"} and (num_class or 0) > 2:
        return f"it is of class 1 against class 0; use {name.removesuffix('_binary')}_macro"
    if name in metrics.REGRESSION and objective == "multi:softprob":
        return "it needs one value for each row"
    if name not in metrics.CUSTOM and name not in _MULTICLASS_METRICS:
        return "it needs one score for each row; use merror or mlogloss"
    return None


def _base_score(values: Values) -> Iterable[str]:
    base, objective = values.get("base_score"), values["objective"]
    if base is None:
        return
    if objective in _LOGISTIC and not 0 < base < 1:
        yield f"Hyperparameter base_score: {base} is not in (0, 1), as objective {objective} requires"
    if objective in _LOG_LINK and base == 0:
        yield f"Hyperparameter base_score: {base} is not in (0, inf), as objective {objective} requires"


def _exact(values: Values) -> Iterable[str]:
    exact = "grow_colmaker" in values.get("updater", ()) or (
        "updater" not in values and values.get("tree_method") == "exact"
    )
    if not exact or values.get("booster") == "gblinear":
        return
    if values.get("max_depth") == 0:
        yield "Hyperparameter max_depth: 0, no limit, cannot be used with tree_method exact; use hist or approx"
    if values.get("colsample_bynode", 1) < 1:
        yield "Hyperparameter colsample_bynode: less than 1 cannot be used with tree_method exact; use hist or approx"
    if values.get("sampling_method") == "gradient_based" and values.get("subsample", 1) < 1:
        yield "Hyperparameter sampling_method: gradient_based cannot be used with tree_method exact; use hist or approx"


def _monotone_constraints(values: Values) -> Iterable[str]:
    if "monotone_constraints" in values and values.get("tree_method") not in {"exact", "hist"}:
        yield "Hyperparameter monotone_constraints: requires tree_method to be given as exact or hist"


def _interaction_constraints(values: Values) -> Iterable[str]:
    if "interaction_constraints" in values and values.get("tree_method") not in {"exact", "hist", "approx"}:
        yield "Hyperparameter interaction_constraints: requires tree_method to be given as exact, hist or approx"


def _process_type(values: Values) -> Iterable[str]:
    if values.get("process_type") != "update":
        return
    if not set(values.get("updater", ())) <= {"refresh", "prune"}:
        yield "Hyperparameter updater: process_type update takes only refresh and prune"
    yield (
        "Hyperparameter process_type: update needs a model to begin with, and no channel supplies one; "
        "leave it out or use default"
    )


def _updater(values: Values) -> Iterable[str]:
    updaters = values.get("updater")
    if updaters is None or values.get("process_type") == "update":
        return
    if values.get("booster") == "gblinear":
        if len(updaters) != 1 or updaters[0] not in _LINEAR_UPDATERS:
            yield f"Hyperparameter updater: booster gblinear takes exactly one of {', '.join(_LINEAR_UPDATERS)}"
        return
    linear = [name for name in updaters if name in _LINEAR_UPDATERS]
    if linear:
        yield f"Hyperparameter updater: {', '.join(linear)} can only be used with booster gblinear"
    elif updaters[0] not in _GROWERS or any(name in _GROWERS for name in updaters[1:]):
        yield f"Hyperparameter updater: must begin with one of {', '.join(_GROWERS)} and hold no other of them"


def _cost_matrix(values: Values) -> Iterable[str]:
    if "cost_matrix" in values and values["objective"] not in _LOGISTIC:
        yield (
            f"Hyperparameter cost_matrix: needs predicted probabilities of two classes, which objective "
            f"{values['objective']} does not give; use binary:logistic"
        )


RULES = (
    Rule(("num_class", "objective"), _class_count),
    Rule(("objective",), _survival),
    Rule(("eval_metric", "objective", "num_class", "tweedie_variance_power", "_tuning_objective_metric"), _metrics),
    Rule(("base_score", "objective"), _base_score),
    Rule(
        ("max_depth", "colsample_bynode", "sampling_method", "subsample", "tree_method", "updater", "booster"), _exact
    ),
    Rule(("monotone_constraints", "tree_method"), _monotone_constraints),
    Rule(("interaction_constraints", "tree_method"), _interaction_constraints),
    Rule(("process_type", "updater"), _process_type),
    Rule(("updater", "booster", "process_type"), _updater),
    Rule(("cost_matrix", "objective"), _cost_matrix),
)
