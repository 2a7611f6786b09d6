"""An XGBoost model, or the several of a k-fold job, that answers requests."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sagedock import core
from sagedock.algorithms.xgboost import ALGORITHM, model_file
from sagedock.algorithms.xgboost.document import refuse_repeated_names
from sagedock.algorithms.xgboost.forest import compiled
from sagedock.algorithms.xgboost.model_file import Learner
from sagedock.algorithms.xgboost.selectable import selected, unavailable
from sagedock.contracts.files import write_bytes
from sagedock.contracts.hosting import InferenceOptions
from sagedock.contracts.manifest import NAME as MANIFEST_NAME
from sagedock.contracts.manifest import Manifest
from sagedock.contracts.plan import NAME as PLAN_NAME
from sagedock.errors import ModelError
from sagedock.formats import requests
from sagedock.formats.media_types import CSV, MediaType
from sagedock.formats.table import Predictions, Table

if TYPE_CHECKING:
    import xgboost
    from scipy.sparse import csr_matrix

log = logging.getLogger(__name__)

ARTEFACT = "xgboost-model"
_WIDEST_EXAMPLE = 1_000_000
VOTING_OBJECTIVES = ("multi:softmax", "binary:hinge")


class Booster(Protocol):
    """One booster that answers: compiled trees, or XGBoost's own."""

    @property
    def in_line_bytes(self) -> int:
        """As `sagedock.algorithm.Model.in_line_bytes`."""

    @property
    def memory_bytes(self) -> int:
        """What it takes in memory."""

    @property
    def answer_csv(self) -> Callable[[bytes], bytes | None] | None:
        """From the bytes of CSV records to those of their answer, where compiled code does that."""

    def scores(self, features: NDArray[np.float32] | csr_matrix) -> NDArray[np.float32]:
        """The objective's own prediction per row, (rows,) or (rows, classes)."""

    def artefact(self) -> bytes:
        """The content of its model file."""


@dataclass(frozen=True)
class XGBoostModel:
    """Boosters of one objective; more than one answer together, by mean or, for class labels, by majority vote.

    `cut_off` is the probability above which the decision is positive, chosen by cost of errors, where there is one.
    """

    boosters: Sequence[Booster]
    objective: str
    class_count: int
    feature_count: int
    output: tuple[str, ...] = ()
    cut_off: float | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, boosters: Sequence[xgboost.Booster], **facts: Any) -> XGBoostModel:
        """The model of these boosters of the library, its objective and sizes read from the first."""
        from sagedock.algorithms.xgboost import library

        learner = library.learner(boosters[0])
        wrapped = [library.wrapped(booster) for booster in boosters]
        return cls(wrapped, learner.objective, learner.class_count, learner.feature_count, **facts)

    @cached_property
    def in_line_bytes(self) -> int:
        """Bodies up to this size are answered by compiled code in little time: each booster has its share of it."""
        return min(booster.in_line_bytes for booster in self.boosters) // len(self.boosters)

    @cached_property
    def answer_csv(self) -> Callable[[bytes], bytes | None] | None:
        """The only booster's, whose scores are the whole answer."""
        return self.boosters[0].answer_csv if len(self.boosters) == 1 and not self.output else None

    def direct(self, request_type: str, response_type: str) -> Callable[[bytes], bytes | None] | None:
        """From CSV to CSV, where there is such a way (`sagedock.algorithm.DirectAnswers`)."""
        return self.answer_csv if request_type == response_type == CSV else None

    @property
    def memory_bytes(self) -> int:
        """What the boosters take in memory."""
        return sum(booster.memory_bytes for booster in self.boosters)

    def read(self, body: bytes, media_type: MediaType) -> Table:
        """The rows of a request, as many columns wide as the model was trained on."""
        return requests.decode(body, media_type).fitted_to(self.feature_count)

    def example(self) -> tuple[bytes, str] | None:
        """A row of zeros; None for a model so wide, as a small file can claim, that the row would cost memory."""
        if self.feature_count > _WIDEST_EXAMPLE:
            return None
        return ",".join(["0"] * self.feature_count).encode(), CSV

    def predict(self, table: Table) -> Predictions:
        """One answer per row: `score`, or the keys of selectable inference in the order they were asked for."""
        scores = self.scores(table.features)
        if self.output:
            columns = selected(self.output, scores, self.objective, self.class_count, self.cut_off)
            return Predictions(columns, plain=False, identities=table.identities)
        return Predictions({"score": scores}, identities=table.identities)

    def scores(self, features: NDArray[np.float32] | csr_matrix) -> NDArray[np.float32]:
        """The objective's own prediction per row, (rows,) or (rows, classes)."""
        if len(self.boosters) == 1:
            return self.boosters[0].scores(features)
        answers = [booster.scores(features) for booster in self.boosters]
        if self.objective in VOTING_OBJECTIVES:
            return majority(np.stack(answers))
        return np.asarray(np.mean(answers, axis=0, dtype=np.float32))

    def save(self, directory: Path) -> list[str]:
        """Write `xgboost-model`, or `xgboost-model-0` and so on for several, as UBJSON."""
        single = len(self.boosters) == 1
        names = [ARTEFACT if single else f"{ARTEFACT}-{number}" for number in range(len(self.boosters))]
        for name, booster in zip(names, self.boosters, strict=True):
            write_bytes(directory / name, booster.artefact())
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
    """The model in `directory`: the manifest's files or, without one, those at the top named like a model, else all.

    Of several files the first answers alone, unless `options.ensemble` asks for all. Raises ModelError for a directory
    without models, a pickled model unless `options.allow_pickle`, and whatever XGBoost cannot read.
    """
    names = artefact_names(directory, manifest)
    loaded = [_load(directory / name, options) for name in (names if options.ensemble else names[:1])]
    learner = _one_kind(directory, names, [learner for _, learner in loaded])
    facts = dict(manifest.model) if manifest else {}
    model = XGBoostModel(
        [booster for booster, _ in loaded],
        learner.objective,
        learner.class_count,
        learner.feature_count,
        output=options.output,
        cut_off=_cut_off(directory, manifest),
        facts=facts,
    )
    absent = unavailable(options.output, model.objective, model.cut_off)
    if absent:
        log.warning(
            "SAGEMAKER_INFERENCE_OUTPUT names %s, which a model of objective %s does not have: NaN in every answer",
            ", ".join(absent),
            model.objective,
        )
    return model


def _one_kind(directory: Path, names: Sequence[str], learners: Sequence[Learner]) -> Learner:
    """What all of them are; raises ModelError where they differ, since their answers could not be put together."""
    first = learners[0]
    for name, learner in zip(names, learners, strict=False):
        if (learner.objective, learner.class_count, learner.feature_count) != (
            first.objective,
            first.class_count,
            first.feature_count,
        ):
            raise ModelError(
                f"{directory / name} has objective {learner.objective} and {learner.feature_count} features, "
                f"{names[0]} has {first.objective} and {first.feature_count}: only models of one kind answer together; "
                "unset SAGEMAKER_INFERENCE_ENSEMBLE, or deploy the models of one job"
            )
    return first


def _cut_off(directory: Path, manifest: Manifest | None) -> float | None:
    """The manifest's decision.cut_off; raises ModelError where it is no number."""
    decision = (manifest.model.get("decision") if manifest else None) or {}
    cut_off = decision.get("cut_off") if isinstance(decision, dict) else decision
    if cut_off is None or (isinstance(cut_off, (int, float)) and not isinstance(cut_off, bool)):
        return cut_off
    raise ModelError(
        f"{directory / MANIFEST_NAME} has the decision {cut_off!r}, not a cut_off that is a number: deploy the model's "
        "archive again"
    )


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
        names = [name for name in names if _is_named_so(name)] or names
    if not names:
        raise ModelError(f"the model directory {directory} holds no XGBoost model file: deploy the model's archive")
    return sorted(names, key=lambda name: (len(name), name))


def _is_named_so(name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in ALGORITHM.artefacts)


def majority(votes: NDArray[np.float32]) -> NDArray[np.float32]:
    """The most frequent label of each row of `votes` (models, rows); the smallest wins a tie."""
    labels = np.unique(votes)
    counts = np.stack([(votes == label).sum(axis=0) for label in labels])  # (labels, rows)
    return np.asarray(labels[counts.argmax(axis=0)], dtype=np.float32)


def _load(file: Path, options: InferenceOptions) -> tuple[Booster, Learner]:
    content = _read(file)
    if not content:
        raise ModelError(f"{file} is empty: deploy the model's archive again")
    if content[:1] == b"\x80":
        return _unpickled(file, content, options)
    if content[:4] == b"binf":
        raise ModelError(
            f"{file} is in XGBoost's old binary format, which XGBoost 3.1 and later cannot read: load it with XGBoost "
            "1.3 to 3.0 and save it again as JSON or UBJSON"
        )
    try:
        found = model_file.read(content)
        native = core.native if found.beyond is None else None
        if native is None:
            refuse_repeated_names(content)  # of two, XGBoost might take the one that was not checked
    except ValueError as error:
        raise ModelError(
            f"{file} is no XGBoost model that can be read ({error}): deploy the model's archive again, or save the "
            "model with Booster.save_model"
        ) from error
    if native is not None:
        return compiled(native, found, file), found.learner
    from sagedock.algorithms.xgboost import library

    log.info("%s is answered by the XGBoost library (%s)", file.name, found.beyond or "the compiled core is absent")
    return library.wrapped(library.load(content, file), len(content)), found.learner


def _unpickled(file: Path, content: bytes, options: InferenceOptions) -> tuple[Booster, Learner]:
    if not options.allow_pickle:
        raise ModelError(
            f"{file} is a pickled model, and unpickling runs whatever code is in it: save it again with "
            "Booster.save_model, or set SAGEDOCK_ALLOW_PICKLE=true if you trust its maker"
        )
    from sagedock.algorithms.xgboost import library

    booster = library.unpickle(content, file)
    return library.wrapped(booster, len(content)), library.learner(booster)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read {file}: {error.strerror}") from error
