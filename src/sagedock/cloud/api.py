"""SageMaker's operations on whatever a document creates: their names follow from its kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sagedock.cloud.aws import absent, asking
from sagedock.contracts.documents import Document, Kind
from sagedock.errors import UserError

STATUS_FIELDS = {
    Kind.TRAINING: "TrainingJobStatus",
    Kind.TRANSFORM: "TransformJobStatus",
    Kind.TUNING: "HyperParameterTuningJobStatus",
    Kind.ENDPOINT: "EndpointStatus",
}


@dataclass(frozen=True)
class Api:
    """SageMaker by a client of it."""

    client: Any

    def create(self, document: Document) -> None:
        """Create what the document describes; raises UserError when SageMaker refuses."""
        with asking(f"creating the {document.kind.noun} {document.name}"):
            self._operation("Create", document.kind)(**document.body)

    def describe(self, kind: Kind, name: str) -> dict[str, Any] | None:
        """What SageMaker says of it; None when there is none of that name."""
        from botocore.exceptions import ClientError

        with asking(f"asking for the {kind.noun} {name}"):
            try:
                found: dict[str, Any] = self._operation("Describe", kind)(**{kind.name_field: name})
            except ClientError as error:
                if absent(error):
                    return None
                raise
        return found

    def stop(self, kind: Kind, name: str) -> None:
        """Stop a job."""
        with asking(f"stopping the {kind.noun} {name}"):
            self._operation("Stop", kind)(**{kind.name_field: name})

    def delete(self, kind: Kind, name: str) -> None:
        """Delete a model, endpoint configuration or endpoint."""
        with asking(f"deleting the {kind.noun} {name}"):
            self._operation("Delete", kind)(**{kind.name_field: name})

    def refuse_existing(self, document: Document, remedy: str) -> None:
        """Raise UserError when the name is taken."""
        found = self.describe(document.kind, document.name)
        if found is not None:
            status = found.get(STATUS_FIELDS[document.kind], "there")
            raise UserError(
                f"the {document.kind.noun} {document.name} exists already ({status}): {remedy}",
                field=document.kind.name_field,
            )

    def _operation(self, verb: str, kind: Kind) -> Any:
        from botocore import xform_name

        return getattr(self.client, xform_name(kind.value.replace("Create", verb, 1)))
