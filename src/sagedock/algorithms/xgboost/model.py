"""An XGBoost model, or the several of a k-fold job, that answers requests."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xgboost
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from sagedock.algorithms.xgboost.selectable import selected, unavailable
from sagedock.contracts.files import write_bytes
from sagedock.contracts.hosting import InferenceOptions
from sagedock.contracts.manifest import NAME as MANIFEST_NAME
from sagedock.contracts.manifest import Manifest
from sagedock.contracts.plan import NAME as PLAN_NAME
from sagedock.errors import ModelError
from sagedock.formats.table import Predictions, Table

log = logging.getLogger(__name__)

ARTEFACT = "xgboost-model"
_PLACE_IN_XGBOOST = re.compile(r"^\[[0-9:]+\] \S+:\d+: ")
VOTING_OBJECTIVES = ("multi:softmax", "binary:hinge")


@dataclass(frozen=True)
class XGBoostModel:
    """Boosters of one objective; more than one answer together, by mean or, for class labels, by majority vote.

    `cut_off` is the probability above which the decision is positive, chosen by cost of errors, where there is one.
    """

    boosters: Sequence[xgboost.Booster]
    objective: str
    class_count: int
    feature_count: int
    linear: bool = False
    output: tuple[str, ...] = ()
    cut_off: float | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, boosters: Sequence[xgboost.Booster], **facts: Any) -> XGBoostModel:
        """The model of these boosters, its objective and sizes read from the first."""
        learner = json.loads(boosters[0].save_config())["learner"]
        return cls(
            boosters=boosters,
            objective=learner["objective"]["name"],
            class_count=int(learner["learner_model_param"]["num_class"]),
            feature_count=int(boosters[0].num_features()),
            linear=learner["learner_train_param"]["booster"] == "gblinear",
            **facts,
        )

    @property
    def in_line(self) -> bool:
        """XGBoost's own predictor is not: it may wait for threads."""
        return False

    def predict(self, table: Table) -> Predictions:
        """One answer per row: `score`, or the keys of selectable inference in the order they were asked for."""
        scores = self.scores(table.features)
        if self.output:
            columns = selected(self.output, scores, self.objective, self.class_count, self.cut_off)
            return Predictions(columns, plain=False, identities=table.identities)
        return Predictions({"score": scores}, identities=table.identities)

    def scores(self, features: NDArray[np.float32] | csr_matrix) -> NDArray[np.float32]:
        """The objective's own prediction per row, (rows,) or (rows, classes)."""
        answers = [_predict(booster, features, self.linear) for booster in self.boosters]
        if len(answers) == 1:
            return answers[0]
        if self.objective in VOTING_OBJECTIVES:
            return majority(np.stack(answers))
        return np.asarray(np.mean(answers, axis=0, dtype=np.float32))

    def save(self, directory: Path) -> list[str]:
        """Write `xgboost-model`, or `xgboost-model-0` and so on for several, as UBJSON."""
        single = len(self.boosters) == 1
        names = [ARTEFACT if single else f"{ARTEFACT}-{number}" for number in range(len(self.boosters))]
        for name, booster in zip(names, self.boosters, strict=True):
            write_bytes(directory / name, bytes(booster.save_raw("ubj")))
        return names

    def describe(self) -> Mapping[str, Any]:
        """Objective, sizes, class names and the cost-optimal decision."""
        return {
            "objective": self.objective,
            "feature_count": self.feature_count,
            "class_names": [str(label) for label in range(self.class_count or 2)] if self._classifies else [],
            **self.facts,
        }

    @property
    def _classifies(self) -> bool:
        return self.objective.startswith(("binary:", "multi:"))


def load(directory: Path, manifest: Manifest | None, options: InferenceOptions) -> XGBoostModel:
    """The model in `directory`: the manifest's files or, without one, every visible file at the top.

    Of several files the first answers alone, unless `options.ensemble` asks for all. Raises ModelError for a directory
    without models, a pickled model unless `options.allow_pickle`, and whatever XGBoost cannot read.
    """
    names = artefact_names(directory, manifest)
    boosters = [_load_booster(directory / name, options) for name in (names if options.ensemble else names[:1])]
    decision = (manifest.model.get("decision") if manifest else None) or {}
    facts = dict(manifest.model) if manifest else {}
    model = XGBoostModel.of(boosters, output=options.output, cut_off=decision.get("cut_off"), facts=facts)
    absent = unavailable(options.output, model.objective, model.cut_off)
    if absent:
        log.warning(
            "SAGEMAKER_INFERENCE_OUTPUT names %s, which a model of objective %s does not have: NaN in every answer",
            ", ".join(absent),
            model.objective,
        )
    return model


def artefact_names(directory: Path, manifest: Manifest | None) -> list[str]:
    """Names of the model files, `xgboost-model-2` before `xgboost-model-10`; raises ModelError when there is none."""
    if manifest is not None:
        names = [name for name in manifest.files if "/" not in name and not name.startswith(".")]
    else:
        if not directory.is_dir():
            raise ModelError(f"the model directory {directory} does not exist: mount or deploy a model there")
        names = [
            entry.name
            for entry in directory.iterdir()
            if entry.is_file() and not entry.name.startswith(".") and entry.name not in (MANIFEST_NAME, PLAN_NAME)
        ]
    if not names:
        raise ModelError(f"the model directory {directory} holds no XGBoost model file: deploy the model's archive")
    return sorted(names, key=lambda name: (len(name), name))


def majority(votes: NDArray[np.float32]) -> NDArray[np.float32]:
    """The most frequent label of each row of `votes` (models, rows); the smallest wins a tie."""
    labels = np.unique(votes)
    counts = np.stack([(votes == label).sum(axis=0) for label in labels])  # (labels, rows)
    return np.asarray(labels[counts.argmax(axis=0)], dtype=np.float32)


def _predict(booster: xgboost.Booster, features: NDArray[np.float32] | csr_matrix, linear: bool) -> NDArray[np.float32]:
    best = booster.attr("best_iteration")
    rounds = (0, int(best) + 1) if best is not None else (0, 0)
    if linear:
        matrix = xgboost.DMatrix(features, nthread=1)
        return np.asarray(booster.predict(matrix, validate_features=False), dtype=np.float32)
    answer = booster.inplace_predict(features, iteration_range=rounds, validate_features=False)
    return np.asarray(answer, dtype=np.float32)


def _load_booster(file: Path, options: InferenceOptions) -> xgboost.Booster:
    content = _read(file)
    if not content:
        raise ModelError(f"{file} is empty: deploy the model's archive again")
    if content[:1] == b"\x80":
        return _unpickle(file, content, options)
    if content[:4] == b"binf":
        raise ModelError(
            f"{file} is in XGBoost's old binary format, which XGBoost 3.1 and later cannot read: load it with XGBoost "
            "1.3 to 3.0 and save it again as JSON or UBJSON"
        )
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


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read {file}: {error.strerror}") from error


def _unpickle(file: Path, content: bytes, options: InferenceOptions) -> xgboost.Booster:
    if not options.allow_pickle:
        raise ModelError(
            f"{file} is a pickled model, and unpickling runs whatever code is in it: save it again with "
            "Booster.save_model, or set SAGEDOCK_ALLOW_PICKLE=true if you trust its maker"
        )
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
