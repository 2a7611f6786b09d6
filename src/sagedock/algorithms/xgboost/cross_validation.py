"""Cross-validation inside a job: the hyperparameters _kfold and _num_cv_round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xgboost
from numpy.typing import NDArray

from sagedock.algorithm import Context
from sagedock.algorithms.xgboost import folds
from sagedock.algorithms.xgboost.boosting import Boosted, History, Plan, boost, metric_line
from sagedock.algorithms.xgboost.checkpoints import Checkpoints
from sagedock.contracts.files import write_text

PREDICTIONS = "predictions.csv"


@dataclass(frozen=True)
class CrossValidation:
    """How to split: k folds, so many times, by class or not, from this seed."""

    k: int
    repetitions: int
    stratified: bool
    seed: int


@dataclass(frozen=True)
class CrossValidated:
    """A booster per fold, their histories, and the mean prediction of each row by the folds that did not see it.

    `predictions` is (rows,) or (rows, classes), or None when SIGTERM ended the job before every row had one.
    """

    boosters: Sequence[xgboost.Booster]
    histories: Sequence[History]
    predictions: NDArray[np.float32] | None


def cross_validate(
    split: CrossValidation,
    plan: Plan,
    whole: xgboost.DMatrix,
    data: Mapping[str, xgboost.DMatrix],
    context: Context,
    checkpoints: Checkpoints | None,
) -> CrossValidated:
    """Train one booster per fold of `whole` and write predictions.csv beside the model.

    As in SageMaker's container since 1.7, every fold's metric lines are those of the whole channels in `data`; after
    each repetition, and at the end if there were several, a line numbered with the rounds asked for holds the means.
    """
    labels = whole.get_label()
    objective = plan.parameters["objective"]
    boosted: list[Boosted] = []
    repetitions: list[NDArray[np.float32]] = []
    for splits in folds.repeated(labels, split.k, split.repetitions, split.stratified, split.seed):
        answers: dict[int, NDArray[np.float32]] = {}
        for train_rows, test_rows in splits:
            if context.should_stop() and boosted:
                break
            fold = _boost_fold(plan, whole.slice(train_rows), data, context, checkpoints, len(boosted))
            boosted.append(fold)
            answers.update(
                zip(test_rows.tolist(), _probabilities(fold.booster, whole.slice(test_rows), objective), strict=True)
            )
        if len(answers) < len(labels):
            break
        repetitions.append(np.stack([answers[row] for row in range(len(labels))]))
        context.emit(metric_line(plan.rounds, _mean_of_last([fold.history for fold in boosted[-split.k :]])))
    histories = [fold.history for fold in boosted]
    boosters = [fold.booster for fold in boosted]
    if len(repetitions) < split.repetitions:
        return CrossValidated(boosters, histories, None)
    if split.repetitions > 1:
        context.emit(metric_line(plan.rounds, _mean_of_last(histories)))
    predictions = np.stack(repetitions)  # (repetitions, rows[, classes])
    write_text(context.output_data / PREDICTIONS, _csv(labels, predictions, objective))
    return CrossValidated(boosters, histories, predictions.mean(axis=0))


def _boost_fold(
    plan: Plan,
    train: xgboost.DMatrix,
    data: Mapping[str, xgboost.DMatrix],
    context: Context,
    checkpoints: Checkpoints | None,
    number: int,
) -> Boosted:
    own = None
    if checkpoints is not None:
        own = Checkpoints(Path(checkpoints.directory, f"model-{number}"), {**checkpoints.job, "fold": number})
    return boost(plan, train, data, context, own)


def _probabilities(booster: xgboost.Booster, matrix: xgboost.DMatrix, objective: str) -> NDArray[np.float32]:
    """(rows,) or (rows, classes); multi:softmax, which predicts bare classes, is asked for its margins."""
    if objective != "multi:softmax":
        return np.asarray(booster.predict(matrix), dtype=np.float32)
    margins = booster.predict(matrix, output_margin=True)
    powers = np.exp(margins - margins.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float32)


def _mean_of_last(histories: Sequence[Mapping[str, Sequence[float]]]) -> dict[str, float]:
    return {series: float(np.mean([history[series][-1] for history in histories])) for series in histories[0]}


def _csv(labels: NDArray[np.float32], predictions: NDArray[np.float32], objective: str) -> str:
    """Label, mean probability and majority label per row for a classifier; label and mean prediction otherwise."""
    mean = predictions.mean(axis=0)
    columns = [labels, mean]
    if objective.startswith("multi:"):
        columns = [labels, mean.max(axis=1), _majority(predictions.argmax(axis=2))]
    elif objective.startswith("binary:"):
        threshold = 0.0 if objective == "binary:logitraw" else 0.5
        columns.append(_majority((predictions > threshold).astype(np.int64)))
    return "".join(",".join(f"{value:f}" for value in row) + "\n" for row in zip(*columns, strict=True))


def _majority(classes: NDArray[np.int64]) -> NDArray[np.int64]:
    """(rows,) the most frequent class over repetitions (repetitions, rows); the smallest wins a tie."""
    return np.array([np.bincount(column).argmax() for column in classes.T])
