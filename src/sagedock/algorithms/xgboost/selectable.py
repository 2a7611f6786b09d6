"""Selectable inference: the content of an answer by SAGEMAKER_INFERENCE_OUTPUT (SageMaker's XGBoost container)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sagedock.errors import ModelError

Array: TypeAlias = NDArray[Any]
Column: TypeAlias = Callable[[Array], Array]

DECISION = "decision"


def _pairs(scores: Array) -> Array:
    return np.stack([1 - scores, scores], axis=1)


def _same(scores: Array) -> Array:
    return scores


def _binary(label: Column, **probability: Column) -> dict[str, Column]:
    return {
        "predicted_label": label,
        "labels": lambda scores: np.tile(np.array([0, 1]), (len(scores), 1)),
        **probability,
        "raw_score": _same,
        "raw_scores": _pairs,
    }


_REGRESSION: dict[str, Column] = {"predicted_score": _same}
_KEYS: dict[str, dict[str, Column]] = {
    "reg:squarederror": _REGRESSION,
    "reg:linear": _REGRESSION,
    "reg:logistic": _REGRESSION,
    "reg:gamma": _REGRESSION,
    "reg:absoluteerror": _REGRESSION,
    "reg:tweedie": _REGRESSION,
    "binary:logistic": _binary(lambda p: (p > 0.5).astype(np.int64), probability=_same, probabilities=_pairs),
    "binary:logitraw": _binary(lambda margins: (margins > 0).astype(np.int64)),
    "binary:hinge": _binary(_same),
    "multi:softmax": {"predicted_label": _same, "raw_score": _same, "raw_scores": _pairs},
    "multi:softprob": {
        "predicted_label": lambda p: p.argmax(axis=1),
        "probability": lambda p: p.max(axis=1),
        "probabilities": _same,
        "raw_score": lambda p: p.max(axis=1),
        "raw_scores": _same,
    },
}


def selected(
    keys: Sequence[str], scores: Array, objective: str, class_count: int, cut_off: float | None
) -> Mapping[str, Array]:
    """The columns asked for, in that order; a key that this objective does not have is NaN in every record.

    `scores` is the objective's prediction, (rows,) or (rows, classes). Beside SageMaker's keys there is `decision`:
    1 where the probability is above `cut_off`, the cut-off that the cost of errors chose in training. Raises ModelError
    for an objective without selectable content.
    """
    if objective not in _KEYS:
        raise ModelError(
            f"SAGEMAKER_INFERENCE_OUTPUT is set, but a model of objective {objective} has no selectable content: "
            f"unset it; it works with {', '.join(sorted(_KEYS))}"
        )
    available = dict(_KEYS[objective])
    if objective.startswith("multi:"):
        available["labels"] = lambda scores: np.tile(np.arange(class_count), (len(scores), 1))
    if cut_off is not None:
        available[DECISION] = lambda probabilities: (probabilities > cut_off).astype(np.int64)
    missing = np.full(len(scores), np.nan, dtype=np.float32)
    return {key: available[key](scores) if key in available else missing for key in keys}


def unavailable(keys: Sequence[str], objective: str, cut_off: float | None) -> list[str]:
    """Those of `keys` that a model of this objective will answer with NaN."""
    available = {*_KEYS.get(objective, keys), *([DECISION] if cut_off is not None else [])}
    return [key for key in keys if key not in available]
