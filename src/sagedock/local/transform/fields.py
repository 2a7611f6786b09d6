"""Fields of a request body: read with their type and range, refused by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sagedock.errors import UserError

_KNOWN: Mapping[str, Any] = {
    "TransformJobName": None,
    "ModelName": None,
    "MaxConcurrentTransforms": None,
    "MaxPayloadInMB": None,
    "BatchStrategy": None,
    "Environment": None,
    "ModelClientConfig": {"InvocationsTimeoutInSeconds": None, "InvocationsMaxRetries": None},
    "TransformInput": {
        "DataSource": {"S3DataSource": {"S3DataType": None, "S3Uri": None}},
        "ContentType": None,
        "CompressionType": None,
        "SplitType": None,
    },
    "TransformOutput": {"S3OutputPath": None, "Accept": None, "AssembleWith": None},
    "TransformResources": {"InstanceType": None, "InstanceCount": None, "TransformAmiVersion": None},
    "DataProcessing": {"InputFilter": None, "OutputFilter": None, "JoinSource": None},
    "Tags": None,
    "ExperimentConfig": None,
}
"""What CreateTransformJob has and a local run honours, or may leave aside since only SageMaker's records need it."""


class Fields:
    """A JSON object of the document, and the dotted path that leads to it."""

    def __init__(self, content: Mapping[str, Any], path: str = "") -> None:
        self._content = content
        self._path = path

    def refuse_unknown(self) -> None:
        """Raises UserError that lists every field a local run cannot honour, misspelt ones among them."""
        unknown = sorted(_unknown(self._content, _KNOWN, ""))
        if unknown:
            raise UserError(
                f"a local transform job cannot honour {', '.join(unknown)}: remove what is named; "
                f"it knows {', '.join(_KNOWN)} as CreateTransformJob has them, without encryption keys",
                field=unknown[0],
            )

    def inside(self, name: str) -> Fields:
        """The object under `name`; an absent one is empty."""
        value = self._content.get(name)
        if value is not None and not isinstance(value, Mapping):
            raise self._wrong(name, value, "a JSON object")
        return Fields(value or {}, f"{self._at(name)}.")

    def text(self, name: str, *, required: bool = False) -> str | None:
        """The text under `name`; None when it is absent or empty."""
        value = self._content.get(name)
        if value is not None and not isinstance(value, str):
            raise self._wrong(name, value, "text")
        if required and not value:
            raise UserError(f"{self._at(name)} is missing", field=self._at(name))
        return value or None

    def choice(self, name: str, allowed: Sequence[str], *, required: bool = False) -> str | None:
        """One of `allowed`, or None."""
        value = self.text(name, required=required)
        if value is not None and value not in allowed:
            raise self._wrong(name, value, f"one of {', '.join(allowed)}")
        return value

    def whole(self, name: str, smallest: int, largest: int) -> int | None:
        """A whole number within bounds, or None."""
        value = self._content.get(name)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or not smallest <= value <= largest:
            raise self._wrong(name, value, f"a whole number from {smallest} to {largest}")
        return value

    def texts(self) -> dict[str, str]:
        """The whole object, as a map from text to text."""
        for name, value in self._content.items():
            if not isinstance(value, str):
                raise self._wrong(name, value, "text: put it in quotes")
        return dict(self._content)

    def _at(self, name: str) -> str:
        return f"{self._path}{name}"

    def _wrong(self, name: str, value: Any, allowed: str) -> UserError:
        return UserError(f"{self._at(name)} is {value!r}: it must be {allowed}", field=self._at(name))


def _unknown(content: Mapping[str, Any], known: Mapping[str, Any], path: str) -> Iterator[str]:
    for name, value in content.items():
        if name not in known:
            yield f"{path}{name}"
        elif known[name] is not None and isinstance(value, Mapping):
            yield from _unknown(value, known[name], f"{path}{name}.")
