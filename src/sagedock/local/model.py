"""The model that a document hosts here: which one, what it is given, and its directory on this machine."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from sagedock.contracts import archives
from sagedock.contracts.documents import Document, Kind, RunOptions, models, variants
from sagedock.errors import UserError


@dataclass(frozen=True)
class Hosted:
    """A model with one container. `address` is where its files lie, `serverless_memory` MB where that is asked for."""

    name: str
    image: str | None
    address: str
    environment: Mapping[str, str]
    serverless_memory: int | None = None


def hosted(document: Document, options: RunOptions) -> Hosted:
    """The one model that a document hosts; raises UserError for what is not emulated here, all of it at once."""
    if document.kind is Kind.TUNING:
        raise UserError(f"{document.file}: tuning jobs are not emulated here; run it with --on sagemaker")
    found = models(document)
    body = found[0].body
    container: Mapping[str, Any] = body.get("PrimaryContainer") or next(iter(body.get("Containers") or []), {})
    _refuse(document, found, container)
    address = options.model or _address(container)
    if not options.model and urlparse(address).scheme == "s3":
        raise UserError(
            f"the model lies at {address}; say where it is here: --model DIRECTORY_OR_TAR (or --model {address}, which "
            "fetches it with your AWS credentials)",
            field="ModelDataUrl",
        )
    environment = {name: str(value) for name, value in (container.get("Environment") or {}).items()}
    return Hosted(found[0].name, container.get("Image"), address, environment, _serverless_memory(document))


def _refuse(document: Document, found: list[Document], container: Mapping[str, Any]) -> None:
    faults = {
        "several models behind one endpoint (ProductionVariants)": len(found) > 1,
        "an inference pipeline or several containers (Containers)": len(found[0].body.get("Containers") or []) > 1,
        "a multi-model endpoint (Mode MultiModel)": container.get("Mode") == "MultiModel",
        "a model package (ModelPackageName)": "ModelPackageName" in container,
    }
    present = [text for text, true in faults.items() if true]
    if present:
        raise UserError(f"{document.file} asks for what is not emulated here: {'; '.join(present)}")


def _address(container: Mapping[str, Any]) -> str:
    source = (container.get("ModelDataSource") or {}).get("S3DataSource") or {}
    address = container.get("ModelDataUrl") or source.get("S3Uri")
    if not address:
        raise UserError("the document has no ModelDataUrl: give --model DIRECTORY_OR_TAR", field="ModelDataUrl")
    return str(address)


def _serverless_memory(document: Document) -> int | None:
    if document.kind not in {Kind.ENDPOINT, Kind.ENDPOINT_CONFIG}:
        return None
    serverless = variants(document)[0].get("ServerlessConfig") or {}
    return serverless.get("MemorySizeInMB")


@contextmanager
def on_this_machine(address: str, region: str | None = None) -> Iterator[Path]:
    """The model's directory: as it stands, or unpacked for the while; s3:// is fetched first.

    Raises UserError when nothing is there, and ModelError for an archive that is not to be unpacked.
    """
    found = urlparse(address)
    path = Path(unquote(found.path) if found.scheme == "file" else address)
    if found.scheme != "s3" and path.is_dir():
        yield path.resolve()
        return
    if found.scheme != "s3" and not path.is_file():
        raise UserError(
            f"there is no model at {address}; it is a directory, a model.tar.gz, or an s3:// address of one"
        )
    temporary, owner = Path(tempfile.mkdtemp(prefix="sagedock-model-")), os.getpid()
    try:
        archive = _fetched(address, temporary, region) if found.scheme == "s3" else path
        archives.unpack(archive, temporary / "model")
        temporary.chmod(0o755)
        yield temporary / "model"
    finally:
        if os.getpid() == owner:  # and not a process that was forked meanwhile
            shutil.rmtree(temporary, ignore_errors=True)


def _fetched(address: str, directory: Path, region: str | None) -> Path:
    from sagedock.cloud.aws import Account
    from sagedock.cloud.storage import Storage

    return Storage(Account(region).client("s3")).download(address, directory / "model.tar.gz")
