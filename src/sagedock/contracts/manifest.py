"""manifest.json: what a model directory says of itself, so that serving it needs no setting."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from importlib import metadata
from pathlib import Path
from typing import Any

from sagedock import __version__
from sagedock.contracts.files import explain, write_text
from sagedock.errors import ModelError

NAME = "manifest.json"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class Manifest:
    """The content of manifest.json.

    `hyperparameters` are the job's, as given; `model` is what the algorithm says of the model (feature_count,
    class_names, decision and the like); `files` maps each artefact, relative to the directory, to its sha256.
    """

    algorithm: str
    versions: Mapping[str, str]
    hyperparameters: Mapping[str, str]
    model: Mapping[str, Any]
    files: Mapping[str, str]
    format_version: int = field(default=FORMAT_VERSION)

    @property
    def feature_count(self) -> int | None:
        """Columns of a request record, where the algorithm has such a number."""
        return self.model.get("feature_count")


def versions_of(distributions: Iterable[str]) -> dict[str, str]:
    """The versions of sagedock, Python and those of `distributions` that are installed."""
    found = {"sagedock": __version__, "python": platform.python_version()}
    for name in distributions:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def sha256(file: Path) -> str:
    """The SHA-256 of a file, as hexadecimal digits."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def write(directory: Path, manifest: Manifest) -> None:
    """Write manifest.json into `directory`, whole or not at all."""
    write_text(directory / NAME, json.dumps(asdict(manifest), indent=2, sort_keys=True) + "\n")


def remove(directory: Path) -> None:
    """Remove an earlier job's manifest, before artefacts that it does not describe take the place of its own."""
    try:
        (directory / NAME).unlink(missing_ok=True)
    except OSError as error:
        raise explain(error, directory / NAME) from error


def read(directory: Path) -> Manifest | None:
    """The manifest of `directory`, its files verified, or None when there is no manifest.

    Raises ModelError when the manifest does not parse, was written by a newer sagedock, or names a file that is
    missing or has another sha256.
    """
    file = directory / NAME
    try:
        manifest = _parsed(json.loads(file.read_bytes()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot use {file}: {error}; deploy the model's archive again") from error
    _verify(directory, manifest)
    return manifest


def _parsed(content: object) -> Manifest:
    if not isinstance(content, dict):
        raise ValueError(f"it must hold a JSON object, not {type(content).__name__}")  # noqa: TRY004
    given: dict[str, Any] = {"format_version": FORMAT_VERSION, **content}
    if given["format_version"] != FORMAT_VERSION:
        raise ValueError(
            f"it has format_version {given['format_version']!r}, and this sagedock reads {FORMAT_VERSION}: serve the "
            "model with the sagedock version that trained it, or a newer one"
        )
    members = [member.name for member in fields(Manifest)]
    for name in members:
        kind = {"algorithm": str, "format_version": int}.get(name, dict)
        if not isinstance(given.get(name), kind):
            raise ValueError(f"its member {name!r} is missing or no {kind.__name__}")  # noqa: TRY004
    return Manifest(**{name: given[name] for name in members})


def _verify(directory: Path, manifest: Manifest) -> None:
    root = directory.resolve()
    for name, expected in manifest.files.items():
        file = directory / name
        if not file.resolve().is_relative_to(root):
            raise ModelError(f"{directory / NAME} names {name!r}, which lies outside the model directory")
        try:
            found = sha256(file)
        except OSError as error:
            raise ModelError(f"cannot read {file}, which the manifest lists: {error.strerror}") from error
        if found != expected:
            raise ModelError(
                f"{file} has sha256 {found}, its manifest says {expected}: the file was damaged or changed; "
                "deploy the model's archive again"
            )
