"""The boosting rounds of one booster: metric lines, checkpoints, early stopping and a graceful end."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xgboost
from numpy.typing import NDArray

from sagedock.algorithm import Context
from sagedock.algorithms.xgboost.checkpoints import Checkpoints, restored
from sagedock.errors import AlgorithmError

log = logging.getLogger(__name__)

History = dict[str, list[float]]
CustomMetric = Callable[[NDArray[np.float32], xgboost.DMatrix], list[tuple[str, float]]]
_RANDOM = ("subsample", "colsample_bytree", "colsample_bylevel", "colsample_bynode")


@dataclass(frozen=True)
class EarlyStopping:
    """End when `metric` on the validation channel has not improved for `patience` rounds."""

    metric: str
    patience: int
    maximise: bool

    def best(self, history: Mapping[str, Sequence[float]]) -> int | None:
        """The first round with the best value so far; NaN is never best."""
        values = np.asarray(history.get(f"validation-{self.metric}", ()), dtype=np.float64)
        if values.size == 0 or np.isnan(values).all():
            return None
        return int(np.nanargmax(values) if self.maximise else np.nanargmin(values))

    def is_over(self, history: Mapping[str, Sequence[float]]) -> bool:
        """Whether the patience is used up."""
        rounds = len(history.get(f"validation-{self.metric}", ()))
        best = self.best(history)
        return rounds - 1 - (best if best is not None else -1) >= self.patience


@dataclass(frozen=True)
class Plan:
    """What to boost: XGBoost's parameters, the rounds, the metrics of our own, and when to end early."""

    parameters: Mapping[str, Any]
    rounds: int
    custom_metric: CustomMetric | None = None
    early_stopping: EarlyStopping | None = None
    after_round: Callable[[xgboost.Booster], None] | None = None
    """Called with the booster after every round, for save_model_on_termination."""


@dataclass(frozen=True)
class Boosted:
    """A trained booster, the metrics of its rounds by series (`train-auc`), and its best round where one is known."""

    booster: xgboost.Booster
    history: History
    best_round: int | None


def boost(
    plan: Plan,
    train: xgboost.DMatrix,
    evaluated: Mapping[str, xgboost.DMatrix],
    context: Context,
    checkpoints: Checkpoints | None = None,
) -> Boosted:
    """Boost on `train`, evaluating every matrix of `evaluated` each round.

    Goes on from the newest checkpoint when there is one. After SIGTERM the round in hand is finished and what there is
    is returned. With early stopping the booster is cut back to its best round. Raises AlgorithmError when XGBoost
    refuses.
    """
    try:
        boosted = _boost(plan, train, evaluated, context, checkpoints)
        return _cut_back(boosted, context) if plan.early_stopping else boosted
    except xgboost.core.XGBoostError as error:
        reason = str(error).strip().splitlines()[0]
        raise AlgorithmError(f"XGB train call failed with exception: {reason}") from error


def _boost(
    plan: Plan,
    train: xgboost.DMatrix,
    evaluated: Mapping[str, xgboost.DMatrix],
    context: Context,
    checkpoints: Checkpoints | None,
) -> Boosted:
    booster, history, done = _begin(plan, [train, *evaluated.values()], checkpoints)
    stopping = plan.early_stopping
    if done > 0:
        context.something_to_save()
    for number in range(done, plan.rounds):
        if (context.should_stop() and number > 0) or (stopping and stopping.is_over(history)):
            break
        _renew_updaters(booster, plan.parameters)
        booster.update(train, number)
        context.something_to_save()
        values = evaluate(booster, evaluated, number, plan.custom_metric)
        if number == done:
            _warn_of_undefined(values)
        for series, value in values.items():
            history.setdefault(series, []).append(value)
        context.emit(metric_line(number, values))
        if checkpoints is not None:
            checkpoints.save(booster, number, history)
        if plan.after_round is not None:
            plan.after_round(booster)
        context.progress(number + 1, plan.rounds)
    if context.should_stop():
        log.warning("SIGTERM arrived: training ends after %d of %d rounds", booster.num_boosted_rounds(), plan.rounds)
    return Boosted(booster, history, stopping.best(history) if stopping else None)


def _begin(
    plan: Plan, cache: list[xgboost.DMatrix], checkpoints: Checkpoints | None
) -> tuple[xgboost.Booster, History, int]:
    found = checkpoints.latest(plan.rounds) if checkpoints is not None else None
    if found is None:
        return xgboost.Booster(dict(plan.parameters), cache), {}, 0
    content, state, number = found
    history = {series: list(values) for series, values in state.history.items()}
    return restored(content, plan.parameters, cache), history, number + 1


def _renew_updaters(booster: xgboost.Booster, parameters: Mapping[str, Any]) -> None:
    """Make XGBoost build its tree updaters anew, so that no random state outlives a round.

    Together with seed_per_iteration this makes round n draw the same rows and columns whether or not the job was
    restarted before it. XGBoost rebuilds them when the method changes; saving the configuration makes it look.
    """
    if all(float(parameters.get(name, 1)) == 1 for name in _RANDOM) or parameters.get("booster") == "gblinear":
        return
    if "updater" in parameters:
        booster.set_param({"updater": "prune"})
        booster.save_config()
        booster.set_param({"updater": parameters["updater"]})
        return
    method = parameters.get("tree_method", "auto")
    booster.set_param({"tree_method": "hist" if method == "approx" else "approx"})
    booster.save_config()
    booster.set_param({"tree_method": method})


def evaluate(
    booster: xgboost.Booster, evaluated: Mapping[str, xgboost.DMatrix], number: int, custom_metric: CustomMetric | None
) -> dict[str, float]:
    """Every metric of every matrix by series name: all of train first, XGBoost's own metrics before ours."""
    values = {}
    for name, matrix in evaluated.items():
        text = booster.eval_set([(matrix, name)], number)
        for pair in text.split("\t")[1:]:
            series, _, value = pair.rpartition(":")
            values[series] = float(value)
        if custom_metric is not None:
            own = custom_metric(booster.predict(matrix), matrix)
            values.update((f"{name}-{metric}", number) for metric, number in own)
    return values


def metric_line(number: int, values: Mapping[str, float]) -> str:
    """SageMaker's metric line: round and series separated by TABs, five decimals."""
    return "\t".join([f"[{number}]", *(f"{series}:{value:.5f}" for series, value in values.items())])


def _warn_of_undefined(values: Mapping[str, float]) -> None:
    undefined = [series for series, value in values.items() if not np.isfinite(value)]
    if undefined:
        log.warning(
            "%s cannot be computed on this data (one class only, or labels that the metric does not fit): "
            "a tuning job or early stopping that goes by it will not work",
            ", ".join(undefined),
        )


def _cut_back(boosted: Boosted, context: Context) -> Boosted:
    best = boosted.best_round
    rounds = boosted.booster.num_boosted_rounds()
    if best is None or best + 1 >= rounds:
        return boosted
    try:
        booster = boosted.booster[: best + 1]
    except xgboost.core.XGBoostError:
        log.warning("this booster cannot be cut back: the model keeps all %d rounds, the best was %d", rounds, best)
        return boosted
    log.info("Early stopping: the best round is %d, and the model keeps %d of %d rounds", best, best + 1, rounds)
    context.emit(metric_line(best, {series: values[best] for series, values in boosted.history.items()}))
    return Boosted(booster, boosted.history, best)
