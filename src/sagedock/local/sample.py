"""The request that a server is measured with: a file as clients send it, or a made-up record of the model's width."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

from sagedock import algorithms
from sagedock.contracts import manifest
from sagedock.contracts.hosting import MEBIBYTE, HostingSettings
from sagedock.errors import UserError
from sagedock.formats.media_types import CSV, JSON, PARQUET, parse_media_type

WHOLE_DOCUMENTS = (JSON, PARQUET)
"""Types in which two bodies, one after the other, are no body."""
SEED = 7


@dataclass(frozen=True)
class Sample:
    """The body of one request, its type, and the type asked of the answer."""

    body: bytes
    content_type: str = CSV
    accept: str | None = None

    @classmethod
    def of(
        cls, file: Path | None, content_type: str | None, accept: str | None, model: Path, algorithm: str | None
    ) -> Sample:
        """The content of `file`, or a CSV record for the model; raises UserError when neither can be had."""
        if file is None:
            return cls(*_made_up(model, algorithm), accept)
        if content_type is None:
            raise UserError(f"--sample {file} needs --content-type, for example text/csv", field="--content-type")
        try:
            body = file.read_bytes()
        except OSError as error:
            raise UserError(f"cannot read {file}: {error.strerror}", field="--sample") from error
        if not body:
            raise UserError(f"{file} is empty: give a request body", field="--sample")
        return cls(body, content_type, accept)

    def repeated(self, mebibytes: int) -> bytes:
        """As many copies as `mebibytes` hold; a single one of a type whose bodies cannot follow one another."""
        if parse_media_type(self.content_type).essence in WHOLE_DOCUMENTS:
            return self.body
        body = (
            self.body if self.body.endswith(b"\n") or not self.content_type.startswith("text/") else self.body + b"\n"
        )
        return body * max(1, mebibytes * MEBIBYTE // len(body))


def record(columns: int) -> bytes:
    """A CSV record of seeded numbers with four decimals."""
    numbers = random.Random(SEED)  # noqa: S311 - figures, no secrets
    return (",".join(f"{numbers.gauss(0.0, 1.0):.4f}" for _ in range(columns)) + "\n").encode()


def _made_up(model: Path, algorithm: str | None) -> tuple[bytes, str]:
    """A record as wide as the manifest says or, where it says nothing, the example of the model itself, loaded here."""
    described = manifest.read(model)
    if described is not None and described.feature_count and _reads_csv(described):
        return record(described.feature_count), CSV
    from sagedock.serving.loading import load

    example = load(model, algorithm, HostingSettings()).model.example()
    if example is None:
        raise UserError(f"the model in {model} has no example of a request: give --sample and --content-type")
    body, content_type = example
    return (record(body.count(b",") + 1), CSV) if content_type == CSV else example


def _reads_csv(described: manifest.Manifest) -> bool:
    return CSV in algorithms.find(described.algorithm).request_types
