"""A random cut forest that answers requests."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sagedock.algorithms.randomcutforest import ALGORITHM, artefact, direct
from sagedock.algorithms.randomcutforest.answers import SCORE, Answers
from sagedock.algorithms.randomcutforest.detector import Detector
from sagedock.algorithms.randomcutforest.forest import Forest
from sagedock.algorithms.randomcutforest.shingles import Series
from sagedock.contracts.hosting import MARKED, InferenceOptions
from sagedock.contracts.manifest import NAME as MANIFEST_NAME
from sagedock.contracts.manifest import Manifest
from sagedock.errors import ModelError
from sagedock.formats import requests
from sagedock.formats.media_types import CSV, MediaType
from sagedock.formats.table import Predictions, Table

if TYPE_CHECKING:
    from sagedock.algorithms.randomcutforest.stream_model import StreamModel

log = logging.getLogger(__name__)

_HIGHEST = 2.0**10
"""No forest has such a score: log2(samples of a tree + 1) bounds them."""


@dataclass(frozen=True)
class RandomCutForestModel:
    """One forest; `facts` are what the manifest says of it beside its sizes."""

    detector: Detector
    answers: Answers = field(default_factory=Answers)
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def forest(self) -> Forest:
        """The trees."""
        return self.detector.forest

    @property
    def in_line_bytes(self) -> int:
        """Bodies up to this size are answered by compiled code in little time."""
        if self.answers.attributed:
            return 0
        return direct.in_line_bytes(self.forest.columns, self.forest.trees) // self.detector.shingle_size

    @property
    def memory_bytes(self) -> int:
        """What the forest takes, mapped from its file or not."""
        return self.forest.memory_bytes

    def direct(self, request_type: str, response_type: str) -> Callable[[bytes], bytes | None] | None:
        """From text to text, where there is such a way (`sagedock.algorithm.DirectAnswers`)."""
        types = request_type, response_type
        if types not in self._ways and self.answers.keys == (SCORE,):
            way = direct.of_detector(self.detector, request_type, response_type)
            if way is None:  # of types without end, which are not kept
                return None
            self._ways[types] = way
        return self._ways.get(types)

    @cached_property
    def _ways(self) -> dict[tuple[str, str], Callable[[bytes], bytes | None]]:
        """Those found by `direct`, kept for the next request."""
        return {}

    def read(self, body: bytes, media_type: MediaType) -> Table | Series:
        """The rows of a request, with a value in each of the columns of the training data.

        A model of shingles takes them for one series, which needs as many points as a shingle.
        """
        table, size = self.table(body, media_type), self.detector.shingle_size
        return table if size == 1 else Series.of(table, size)

    def table(self, body: bytes, media_type: MediaType) -> Table:
        """The points of a request."""
        return requests.decode_fixed(body, media_type, self.detector.columns)

    def predict(self, records: Table | Series) -> Predictions:
        """An anomaly score for each row, 0 or more; about 1 is usual, and there is no upper bound of 1."""
        if isinstance(records, Series):
            return self.answers.by(self.detector, records.answered, records.identities)
        return self.answers.by(self.detector, lambda answer: answer(records.dense), records.identities)

    def example(self) -> tuple[bytes, str]:
        """A row of zeros, or a series of as many as make a shingle."""
        return b"\n".join([b",".join([b"0"] * self.detector.columns)] * self.detector.shingle_size), CSV

    def save(self, directory: Path) -> Sequence[str]:
        """Write `model_algo-1`."""
        artefact.write(directory, self.detector)
        return [artefact.NAME]

    def describe(self) -> Mapping[str, Any]:
        """The sizes of the forest, and the facts."""
        return {
            "feature_count": self.detector.columns,
            "num_trees": self.forest.trees,
            "num_samples_per_tree": self.forest.samples_per_tree,
            **({"shingle_size": self.detector.shingle_size} if self.detector.shingle_size > 1 else {}),
            **self.facts,
        }


def load(directory: Path, manifest: Manifest | None, options: InferenceOptions) -> RandomCutForestModel | StreamModel:
    """The model in `directory`: the manifest's file or, without one, `model_algo-1`; raises ModelError.

    It learns where its manifest says so and `options` let it.
    """
    file = directory / _name(directory, manifest)
    detector, _ = artefact.read(file)
    facts = dict(manifest.model) if manifest else {}
    if manifest is not None and manifest.feature_count not in {None, detector.columns}:
        raise ModelError(
            f"{file} has {detector.columns} columns, and its manifest says {manifest.feature_count}: deploy the "
            "model's archive again"
        )
    learns = manifest is not None and manifest.learns and options.streaming
    if detector.shingle_size > 1 or learns:
        _require_whole_requests(options, "learns" if learns else "scores")
    still = RandomCutForestModel(detector, Answers.of(options.output, _cut_off(directory, facts)), facts)
    return _learning(directory, still) if learns else still


def _learning(directory: Path, still: RandomCutForestModel) -> StreamModel:
    from sagedock.algorithms.randomcutforest import stream_state  # what other forests need not wait for
    from sagedock.algorithms.randomcutforest.stream_model import StreamModel

    stream, last = stream_state.read(directory / stream_state.NAME, still.detector)
    model = StreamModel(still, stream, last)
    model.warm_up()
    log.info("learning goes on from the state of training, %d rows so far", stream.seen)
    return model


def _require_whole_requests(options: InferenceOptions, does: str) -> None:
    """Raise ModelError where a request may be cut into parts, which would become series of their own."""
    if options.bad_records == MARKED:
        raise ModelError(
            f"SAGEDOCK_BAD_RECORDS is {MARKED}, which answers good lines without their neighbours, and this model "
            f"{does} the points of a series together: unset it"
        )


def _cut_off(directory: Path, facts: Mapping[str, Any]) -> float | None:
    """The manifest's decision.cut_off; raises ModelError where it is no number that a score can have."""
    decision = facts.get("decision") or {}
    cut_off = decision.get("cut_off") if isinstance(decision, dict) else decision
    if cut_off is None:
        return None
    if isinstance(cut_off, (int, float)) and not isinstance(cut_off, bool) and 0 <= cut_off <= _HIGHEST:
        return float(cut_off)
    raise ModelError(
        f"{directory / MANIFEST_NAME} has the decision {str(decision)[:100]}, not a cut_off that is a number: deploy "
        "the model's archive again"
    )


def _name(directory: Path, manifest: Manifest | None) -> str:
    names = sorted(manifest.files) if manifest is not None else _found(directory)
    for name in names:
        if any(fnmatchcase(name, pattern) for pattern in ALGORITHM.artefacts):
            return name
    raise ModelError(f"the model directory {directory} holds no file {artefact.NAME}: deploy the model's archive")


def _found(directory: Path) -> list[str]:
    if not directory.is_dir():
        raise ModelError(f"the model directory {directory} does not exist: mount or deploy a model there")
    return sorted(entry.name for entry in directory.iterdir() if entry.is_file())
