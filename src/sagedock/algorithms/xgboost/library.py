"""Boosters of the XGBoost library: in training, and in serving for what the compiled core does not evaluate."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xgboost
from numpy.typing import NDArray

from sagedock.algorithms.xgboost.model_file import GBLINEAR, GBTREE, Learner
from sagedock.errors import ModelError

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

_PLACE_IN_XGBOOST = re.compile(r"^\[[0-9:]+\] \S+:\d+: ")
_FORESTS_PER_BYTE = 2
"""A loaded booster takes up to about twice its file."""


@dataclass(frozen=True)
class LibraryBooster:
    """An XGBoost booster that answers; `memory_bytes` is an estimate by the size of its file."""

    booster: xgboost.Booster
    kind: str
    memory_bytes: int = 0

    in_line_bytes = 0
    answer_csv = None

    def scores(self, features: NDArray[np.float32] | csr_matrix) -> NDArray[np.float32]:
        """The objective's own prediction per row, (rows,) or (rows, classes), up to the best iteration."""
        best = self.booster.attr("best_iteration")
        rounds = (0, int(best) + 1) if best is not None else (0, 0)
        if self.kind != GBTREE:  # in place XGBoost reads no gblinear, and adds up dart's trees in another way
            matrix = xgboost.DMatrix(features, nthread=1)
            rounds = (0, 0) if self.kind == GBLINEAR else rounds
            answer = self.booster.predict(matrix, validate_features=False, iteration_range=rounds)
            return np.asarray(answer, dtype=np.float32)
        answer = self.booster.inplace_predict(features, iteration_range=rounds, validate_features=False)
        return np.asarray(answer, dtype=np.float32)

    def artefact(self) -> bytes:
        """The booster as UBJSON."""
        return bytes(self.booster.save_raw("ubj"))


def learner(booster: xgboost.Booster) -> Learner:
    """What `booster` is, from its configuration."""
    found = json.loads(booster.save_config())["learner"]
    return Learner(
        objective=found["objective"]["name"],
        booster=found["learner_train_param"]["booster"],
        class_count=int(found["learner_model_param"]["num_class"]),
        feature_count=int(booster.num_features()),
    )


def wrapped(booster: xgboost.Booster, size: int = 0) -> LibraryBooster:
    """The booster ready to answer; `size` is that of its file, in bytes."""
    return LibraryBooster(booster, learner(booster).booster, _FORESTS_PER_BYTE * size)


def load(content: bytes, file: Path) -> xgboost.Booster:
    """The booster of a file that `model_file.read` found whole; raises ModelError for what XGBoost refuses."""
    booster = xgboost.Booster({"nthread": 1})
    try:
        booster.load_model(bytearray(content))
    except (xgboost.core.XGBoostError, ValueError) as error:
        first = str(error).strip().splitlines()[0]
        reason = _PLACE_IN_XGBOOST.sub("", first)[:200]
        raise ModelError(
            f"{file} is no model that XGBoost {xgboost.__version__} can read ({reason}): deploy the model's archive "
            "again, or save the model with Booster.save_model"
        ) from error
    booster.set_param({"nthread": 1})
    return booster


def unpickle(content: bytes, file: Path) -> xgboost.Booster:
    """The booster that a pickle holds, whatever code it runs on the way; raises ModelError when there is none."""
    import pickle

    try:
        found = pickle.loads(content)  # noqa: S301 - only behind the deployer's explicit permission
    except (pickle.UnpicklingError, EOFError, AttributeError, ImportError, IndexError, ValueError) as error:
        raise ModelError(f"{file} cannot be unpickled: {error}") from error
    booster = found.get_booster() if hasattr(found, "get_booster") else found
    if not isinstance(booster, xgboost.Booster):
        raise ModelError(f"{file} holds a {type(found).__name__}, not an XGBoost model")
    booster.set_param({"nthread": 1})
    return booster
