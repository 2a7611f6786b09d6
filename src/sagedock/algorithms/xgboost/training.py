"""Training XGBoost, read top to bottom: data, rounds, cut-off, evaluation."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import xgboost

from sagedock.algorithm import Context, Trained
from sagedock.algorithms.xgboost import ALGORITHM, data, report
from sagedock.algorithms.xgboost.boosting import EarlyStopping, History, Plan, boost
from sagedock.algorithms.xgboost.checkpoints import Checkpoints
from sagedock.algorithms.xgboost.cost import CostMatrix, CutOff, best_cut_off
from sagedock.algorithms.xgboost.cross_validation import CrossValidation, cross_validate
from sagedock.algorithms.xgboost.evaluation import Evaluation
from sagedock.algorithms.xgboost.hyperparameters import booster_parameters, ignored
from sagedock.algorithms.xgboost.metrics import CustomMetrics, direction, requested_metrics, watched_metric
from sagedock.algorithms.xgboost.model import ARTEFACT, XGBoostModel
from sagedock.contracts.channels import Channel
from sagedock.contracts.files import write_bytes
from sagedock.contracts.hyperparameters import Values
from sagedock.contracts.machine import cpu_count
from sagedock.contracts.manifest import remove as remove_manifest
from sagedock.contracts.manifest import versions_of
from sagedock.errors import UserError
from sagedock.formats.table import Floats, Table

log = logging.getLogger(__name__)

LINEAR = "gblinear"
CUDA_METHODS = ("auto", "hist", "approx", "gpu_hist")
CELLS_PER_THREAD = 500_000
"""Below so many cells a second thread costs more in waiting for it than it gains, far more on a busy machine."""
NOT_OF_THE_MODEL = frozenset(
    {"num_round", "nthread", "verbosity", "early_stopping_rounds", "save_model_on_termination", "cost_matrix"}
)
"""Hyperparameters in which a job may differ from the one whose checkpoint it resumes."""


def train(hyperparameters: Values, channels: Mapping[str, Channel], context: Context) -> Trained:
    """Train on channels["train"], evaluating channels["validation"] when there is one.

    Raises UserError for data that the objective cannot learn from, before the first round where that can be known.
    """
    for name in ignored(hyperparameters):
        log.warning("hyperparameter %s is accepted, but has no effect with XGBoost %s", name, xgboost.__version__)
    started = time.monotonic()
    tables = data.read(channels, hyperparameters)
    names = data.feature_names(channels, tables["train"])
    matrix = _cost_matrix(hyperparameters, tables)
    read = time.monotonic()
    boosted = (_cross_validate if "_kfold" in hyperparameters else _boost)(hyperparameters, tables, context)
    timings = {"reading the data": read - started, "boosting": time.monotonic() - read}
    cut_off = None
    if matrix is not None:
        cut_off = best_cut_off(boosted.labels, boosted.predictions, matrix, boosted.weights)
    evaluation = _evaluation(hyperparameters, tables, boosted, names, matrix, cut_off, timings)
    metrics = report.metrics(evaluation)
    model = _model(boosted, names if data.NAMES_CHANNEL in channels else (), matrix, cut_off)
    return Trained(model, metrics, report.figures(evaluation, metrics))


def _evaluation(
    values: Values,
    tables: Mapping[str, Table],
    boosted: _Result,
    names: Sequence[str],
    matrix: CostMatrix | None,
    cut_off: CutOff | None,
    timings: Mapping[str, float],
) -> Evaluation:
    return Evaluation(
        objective=values["objective"],
        dataset=boosted.dataset,
        labels=boosted.labels,
        predictions=boosted.predictions,
        weights=boosted.weights,
        history=boosted.histories[0] if len(boosted.histories) == 1 else {},
        folds=boosted.histories if len(boosted.histories) > 1 else (),
        best_round=boosted.best_round,
        watched=watched_metric(values),
        importance=_importance(boosted.boosters, names),
        cost_matrix=matrix,
        cut_off=cut_off,
        train_rows=tables["train"].rows,
        validation_rows=tables["validation"].rows if "validation" in tables else 0,
        columns=tables["train"].columns,
        hyperparameters=values.given,
        versions=versions_of(ALGORITHM.distributions),
        timings=timings,
    )


def _model(boosted: _Result, names: Sequence[str], matrix: CostMatrix | None, cut_off: CutOff | None) -> XGBoostModel:
    facts: dict[str, Any] = {"best_round": boosted.best_round}
    if names:
        facts["feature_names"] = list(names)
    if matrix is None or cut_off is None:
        return XGBoostModel.of(boosted.boosters, facts=facts)
    facts["decision"] = {"cut_off": cut_off.value, "cost_matrix": matrix.rows(), "chosen_on": boosted.dataset}
    return XGBoostModel.of(boosted.boosters, cut_off=cut_off.value, facts=facts)


@dataclass(frozen=True)
class _Result:
    """What boosting leaves, whichever way it was done, and the labels, weights and predictions it is judged by."""

    boosters: Sequence[xgboost.Booster]
    histories: Sequence[History]
    best_round: int | None
    dataset: str
    labels: Floats
    weights: Floats | None
    predictions: Floats


def _boost(values: Values, tables: Mapping[str, Table], context: Context) -> _Result:
    parameters = _parameters(values, tables["train"], context)
    matrices = {name: data.matrix(table, parameters["nthread"]) for name, table in tables.items()}
    checkpoints = _checkpoints(values, tables, context)
    boosted = boost(_plan(values, parameters, matrices, context), matrices["train"], matrices, context, checkpoints)
    name, last = list(tables.items())[-1]
    predictions = boosted.booster.predict(matrices[name])
    return _Result(
        [boosted.booster], [boosted.history], boosted.best_round, name, data.labels(last), last.weights, predictions
    )


def _cross_validate(values: Values, tables: Mapping[str, Table], context: Context) -> _Result:
    parameters = _parameters(values, tables["train"], context)
    matrices = {name: data.matrix(table, parameters["nthread"]) for name, table in tables.items()}
    everything = data.joined(tables)
    split = CrossValidation(
        k=values["_kfold"],
        repetitions=values.get("_num_cv_round", 1),
        stratified=values["objective"].startswith(("binary:", "multi:")),
        seed=values.get("seed", 0),
    )
    done = cross_validate(
        split,
        _plan(values, parameters, matrices, context),
        data.matrix(everything, parameters["nthread"]),
        matrices,
        context,
        _checkpoints(values, tables, context),
    )
    if done.predictions is not None:
        name, judged, predictions = "cross-validation", everything, done.predictions
    else:
        name, judged = list(tables.items())[-1]
        predictions = done.boosters[-1].predict(matrices[name])
    return _Result(done.boosters, done.histories, None, name, data.labels(judged), judged.weights, predictions)


def _parameters(values: Values, table: Table, context: Context) -> dict[str, Any]:
    """XGBoost's parameters, with the threads that suit the table and this container, and the device of this job."""
    threads = min(cpu_count(), 1 + table.rows * table.columns // CELLS_PER_THREAD)
    parameters = {"nthread": threads, **booster_parameters(values)}
    wants_gpu = values.get("tree_method") == "gpu_hist"
    can = values.get("tree_method", "auto") in CUDA_METHODS and values.get("booster") != LINEAR
    if context.device == "gpu" and can and xgboost.build_info()["USE_CUDA"]:
        parameters["device"] = "cuda"
    elif wants_gpu:
        log.warning("tree_method is gpu_hist, but there is no GPU to use here: training with hist on the CPU")
    return parameters


def _plan(
    values: Values, parameters: Mapping[str, Any], matrices: Mapping[str, xgboost.DMatrix], context: Context
) -> Plan:
    _, custom = requested_metrics(values)
    after_round = None
    if values.get("save_model_on_termination") and "_kfold" not in values:
        after_round = partial(_save, context)
    return Plan(
        parameters=parameters,
        rounds=values["num_round"],
        custom_metric=CustomMetrics(custom, values["objective"]) if custom else None,
        early_stopping=_early_stopping(values, "validation" in matrices),
        after_round=after_round,
    )


def _save(context: Context, booster: xgboost.Booster) -> None:
    remove_manifest(context.model_directory)
    write_bytes(context.model_directory / ARTEFACT, bytes(booster.save_raw("ubj")))


def _early_stopping(values: Values, validated: bool) -> EarlyStopping | None:
    patience = values.get("early_stopping_rounds")
    if patience is None:
        return None
    if not validated:
        log.warning("early_stopping_rounds has no effect without a validation channel")
        return None
    metric = watched_metric(values)
    if "eval_metric" not in values and "_tuning_objective_metric" not in values:
        log.warning("early stopping goes by %s, the default metric of %s", metric, values["objective"])
    return EarlyStopping(metric, patience, maximise=direction(metric) == "Maximize")


def _checkpoints(values: Values, tables: Mapping[str, Table], context: Context) -> Checkpoints | None:
    if context.checkpoints is None:
        return None
    asked = {name: text for name, text in values.given.items() if name not in NOT_OF_THE_MODEL}
    rows = {f"{name} rows": table.rows for name, table in tables.items()}
    content = {f"{name} data": data.fingerprint(table) for name, table in tables.items()}
    return Checkpoints(context.checkpoints, {**asked, "feature columns": tables["train"].columns, **rows, **content})


def _cost_matrix(values: Values, tables: Mapping[str, Table]) -> CostMatrix | None:
    if "cost_matrix" not in values:
        return None
    if "validation" not in tables and "_kfold" not in values:
        raise UserError(
            "cost_matrix needs a validation channel, on which the cut-off is chosen: add one, or leave cost_matrix out",
            field="cost_matrix",
        )
    return CostMatrix.from_rows(values["cost_matrix"])


def _importance(boosters: Sequence[xgboost.Booster], names: Sequence[str]) -> dict[str, float]:
    """Mean gain of the splits on each feature, averaged over the boosters; features never split on are left out."""
    kind = (
        "weight" if json.loads(boosters[0].save_config())["learner"]["gradient_booster"]["name"] == LINEAR else "gain"
    )
    total: dict[str, float] = {}
    for booster in boosters:
        for feature, gain in booster.get_score(importance_type=kind).items():
            name = names[int(feature.removeprefix("f"))]
            total[name] = total.get(name, 0.0) + float(np.mean(gain)) / len(boosters)
    return total
