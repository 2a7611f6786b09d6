"""A random cut forest that answers requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from sagedock.algorithms.randomcutforest import ALGORITHM, artefact, direct
from sagedock.algorithms.randomcutforest.forest import Forest
from sagedock.contracts.hosting import InferenceOptions
from sagedock.contracts.manifest import Manifest
from sagedock.errors import ModelError
from sagedock.formats import requests
from sagedock.formats.media_types import CSV, MediaType
from sagedock.formats.table import Predictions, Table


@dataclass(frozen=True)
class RandomCutForestModel:
    """One forest; `facts` are what the manifest says of it beside its sizes."""

    forest: Forest
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def in_line_bytes(self) -> int:
        """Bodies up to this size are answered by compiled code in little time."""
        return direct.in_line_bytes(self.forest.columns, self.forest.trees)

    @property
    def memory_bytes(self) -> int:
        """What the forest takes, mapped from its file or not."""
        return self.forest.memory_bytes

    def direct(self, request_type: str, response_type: str) -> Callable[[bytes], bytes | None] | None:
        """From text to text, where there is such a way (`sagedock.algorithm.DirectAnswers`)."""
        return direct.of_forest(self.forest, request_type, response_type)

    def read(self, body: bytes, media_type: MediaType) -> Table:
        """The rows of a request, with a value in each of the columns that the forest was trained on."""
        return requests.decode_fixed(body, media_type, self.forest.columns)

    def predict(self, table: Table) -> Predictions:
        """An anomaly score for each row, 0 or more; about 1 is usual, and there is no upper bound of 1."""
        scores = self.forest.scores(table.dense)
        return Predictions({"score": scores}, json_key="scores", identities=table.identities)

    def example(self) -> tuple[bytes, str]:
        """A row of zeros."""
        return ",".join(["0"] * self.forest.columns).encode(), CSV

    def save(self, directory: Path) -> Sequence[str]:
        """Write `model_algo-1`."""
        artefact.write(directory, self.forest)
        return [artefact.NAME]

    def describe(self) -> Mapping[str, Any]:
        """The sizes of the forest, and the facts."""
        return {
            "feature_count": self.forest.columns,
            "num_trees": self.forest.trees,
            "num_samples_per_tree": self.forest.samples_per_tree,
            **self.facts,
        }


def load(directory: Path, manifest: Manifest | None, options: InferenceOptions) -> RandomCutForestModel:
    """The model in `directory`: the manifest's file or, without one, `model_algo-1`; raises ModelError."""
    file = directory / _name(directory, manifest)
    forest, _ = artefact.read(file)
    facts = dict(manifest.model) if manifest else {}
    if manifest is not None and manifest.feature_count not in {None, forest.columns}:
        raise ModelError(
            f"{file} has {forest.columns} columns, and its manifest says {manifest.feature_count}: deploy the model's "
            "archive again"
        )
    return RandomCutForestModel(forest, facts)


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
