"""Job documents: SageMaker's request bodies in files, which kind each is, and which belong together."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Any

from sagedock.contracts import shapes
from sagedock.errors import UserError


class Kind(Enum):
    """A kind of document: its value is the API operation that it is the request body of."""

    TRAINING = "CreateTrainingJob"
    TRANSFORM = "CreateTransformJob"
    TUNING = "CreateHyperParameterTuningJob"
    MODEL = "CreateModel"
    ENDPOINT_CONFIG = "CreateEndpointConfig"
    ENDPOINT = "CreateEndpoint"

    @property
    def name_field(self) -> str:
        """The member that names what is created: TrainingJobName, ModelName and so on."""
        return f"{self.value.removeprefix('Create')}Name"

    @property
    def noun(self) -> str:
        """The kind in a sentence."""
        return _NOUNS[self]


_NOUNS = {
    Kind.TRAINING: "training job",
    Kind.TRANSFORM: "transform job",
    Kind.TUNING: "tuning job",
    Kind.MODEL: "model",
    Kind.ENDPOINT_CONFIG: "endpoint configuration",
    Kind.ENDPOINT: "endpoint",
}
_TELLING = (
    (Kind.TUNING, ("HyperParameterTuningJobName", "HyperParameterTuningJobConfig")),
    (Kind.TRAINING, ("TrainingJobName", "AlgorithmSpecification", "OutputDataConfig", "HyperParameters")),
    (Kind.TRANSFORM, ("TransformJobName", "TransformInput")),
    (Kind.ENDPOINT, ("EndpointName",)),
    (Kind.ENDPOINT_CONFIG, ("ProductionVariants",)),
    (Kind.MODEL, ("PrimaryContainer", "Containers", "ModelName")),
)
"""Members that tell a kind, in the order in which they are looked for: a later kind's may occur in an earlier one."""


@dataclass(frozen=True)
class Document:
    """A request body and the file that it stands in."""

    file: Path
    kind: Kind
    body: Mapping[str, Any]

    @property
    def name(self) -> str:
        """What the document calls what it creates; `local` where it has no name."""
        return str(self.body.get(self.kind.name_field) or "local")

    def named(self, name: str | None) -> Document:
        """The same document with another name, if one is given."""
        return self if name is None else replace(self, body={**self.body, self.kind.name_field: name})

    def beside(self, kind: Kind, name: str) -> Document | None:
        """The document of that kind and name in the same folder, if there is one."""
        return next((found for found in self._neighbours() if (found.kind, found.name) == (kind, name)), None)

    def _neighbours(self) -> Iterator[Document]:
        for file in sorted(self.file.resolve().parent.glob("*.json")):
            try:
                yield _told(file)
            except UserError:
                continue


@dataclass(frozen=True)
class RunOptions:
    """What a person adds to a document: where things lie on this machine, and what is to be otherwise.

    `base` is the directory that stands for /opt/ml, `source` where a transform job's objects lie, `output` where
    artefacts or answers go, `model` a directory, a tar or an s3:// address, `memory` as Docker writes it (4g),
    `poll_seconds` the time between two looks at a job.
    """

    channels: Mapping[str, Path] = field(default_factory=dict)
    base: Path | None = None
    source: str | None = None
    output: Path | None = None
    image: str | None = None
    model: str | None = None
    role: str | None = None
    region: str | None = None
    memory: str | None = None
    port: int = 8080
    attach: bool = False
    poll_seconds: float = 5.0


def read_document(file: Path) -> dict[str, Any]:
    """The request body in `file`; raises UserError when it is no JSON object."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{file} is no JSON: {error}") from error
    if not isinstance(content, dict):
        raise UserError(f"{file} must hold a JSON object, a request body such as that of CreateTrainingJob")
    return content


def read(file: Path) -> Document:
    """The document in `file`, its kind told from its members.

    Raises UserError when they tell none, and for members that hold something else than SageMaker's.
    """
    return _shaped(_told(file))


def _shaped(document: Document) -> Document:
    shapes.require(document.body, str(document.file))
    return document


def _told(file: Path) -> Document:
    body = read_document(file)
    kind = next((kind for kind, members in _TELLING if any(member in body for member in members)), None)
    if kind is None:
        raise UserError(
            f"{file} is no document that can be run: it must be the request body of "
            f"{', '.join(kind.value for kind in Kind)}; its members are {', '.join(body) or 'none'}"
        )
    return Document(file, kind, body)


def required(document: Document, kind: Kind, name: str) -> Document:
    """The document beside this one that creates what it names; raises UserError when there is none of use."""
    found = document.beside(kind, name)
    if found is None:
        raise UserError(
            f"{document.file} names the {kind.noun} {name!r}, but no document in {document.file.resolve().parent} "
            f"creates it: put its {kind.value} document there"
        )
    return _shaped(found)


def variants(document: Document) -> Sequence[Mapping[str, Any]]:
    """The production variants of an endpoint or endpoint configuration; its configuration may lie beside it."""
    if document.kind is Kind.ENDPOINT:
        document = required(document, Kind.ENDPOINT_CONFIG, str(document.body.get("EndpointConfigName")))
    found: Sequence[Mapping[str, Any]] = document.body.get("ProductionVariants") or []
    if not found:
        raise UserError(f"{document.file} has no ProductionVariants", field="ProductionVariants")
    return found


def models(document: Document) -> list[Document]:
    """The models of a model, endpoint configuration, endpoint or transform job, as documents beside it."""
    if document.kind is Kind.MODEL:
        return [document]
    if document.kind is Kind.TRANSFORM:
        return [required(document, Kind.MODEL, str(document.body.get("ModelName")))]
    names = dict.fromkeys(str(variant.get("ModelName")) for variant in variants(document))
    return [required(document, Kind.MODEL, name) for name in names]
