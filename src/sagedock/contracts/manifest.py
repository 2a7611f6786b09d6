"""manifest.json: what a model directory says of itself, so that serving it needs no setting."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from sagedock import __version__
from sagedock.contracts.files import explain, write_text
from sagedock.errors import ModelError

NAME = "manifest.json"
FORMAT_VERSION = 1
LARGEST_BYTES = 16 << 20
"""A manifest holds hyperparameters, names of classes and checksums: kilobytes."""
_SHA256 = re.compile(r"[0-9a-f]{64}")


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

    @property
    def learns(self) -> bool:
        """Whether the model changes with what it answers (`sagedock.algorithm.Learner`)."""
        return self.model.get("learns") is True


def versions_of(distributions: Iterable[str]) -> dict[str, str]:
    """The versions of sagedock, Python and those of `distributions` that are installed."""
    import platform
    from importlib import metadata  # 50 ms that serving, which only reads manifests, does not spend

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


def discard(directory: Path, earlier: Manifest | None, kept: Collection[str]) -> None:
    """Remove what an earlier job's manifest names, but for `kept`: it would be packed with the new model."""
    named = () if earlier is None else earlier.files
    for file in (directory / name for name in named if Path(name).name == name and name not in kept):
        try:
            if file.is_file():
                file.unlink()
        except OSError as error:
            raise explain(error, file) from error


def read(directory: Path) -> Manifest | None:
    """The manifest of `directory`, its files verified, or None when there is no manifest.

    Raises ModelError when the manifest does not parse, was written by a newer sagedock, or names a file that is
    missing, lies elsewhere or has another sha256.
    """
    file = directory / NAME
    try:
        manifest = _parsed(_json(file))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"cannot use {file}: {error}; deploy the model's archive again") from error
    _verify(directory, manifest)
    return manifest


def glanced_at(directory: Path) -> Manifest | None:
    """The manifest of `directory` without a look at its files; None also for one that `read` refuses."""
    file = directory / NAME
    try:
        return _parsed(_json(file)) if file.is_file() else None
    except (OSError, ValueError, RecursionError):
        return None


def _json(file: Path) -> object:
    with file.open("rb") as content:
        text = content.read(LARGEST_BYTES + 1)
    if len(text) > LARGEST_BYTES:
        raise ValueError(f"it has more than {LARGEST_BYTES} bytes")
    return json.loads(text, object_pairs_hook=_without_duplicates, parse_constant=_refuse_constant)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"it holds {twice!r} twice")
    return found


def _refuse_constant(text: str) -> object:
    raise ValueError(f"{text} is no JSON number")


def _parsed(content: object) -> Manifest:
    if not isinstance(content, dict):
        raise ValueError(f"it must hold a JSON object, not {type(content).__name__}")  # noqa: TRY004
    given: dict[str, Any] = {"format_version": FORMAT_VERSION, **content}
    if given["format_version"] != FORMAT_VERSION or isinstance(given["format_version"], bool):
        raise ValueError(
            f"it has format_version {given['format_version']!r}, and this sagedock reads {FORMAT_VERSION}: serve the "
            "model with the sagedock version that trained it, or a newer one"
        )
    members = [member.name for member in fields(Manifest)]
    for name in members:
        kind = {"algorithm": str, "format_version": int}.get(name, dict)
        if not isinstance(given.get(name), kind):
            raise ValueError(f"its member {name!r} is missing or no {kind.__name__}")  # noqa: TRY004
    manifest = Manifest(**{name: given[name] for name in members})
    _require_sense(manifest)
    return manifest


def _require_sense(manifest: Manifest) -> None:
    """Raise ValueError for a member whose content is of the wrong type, and for a file's name that leads elsewhere."""
    count = manifest.model.get("feature_count")
    if count is not None and (not isinstance(count, int) or isinstance(count, bool) or not 0 <= count < 1 << 31):
        raise ValueError(f"its feature_count is {count!r}, not a whole number of columns")
    for name, expected in manifest.files.items():
        if not _is_plain(name):
            raise ValueError(
                f"it names the file {name!r}, which lies outside the model directory or is no plain relative name"
            )
        if not isinstance(expected, str) or not _SHA256.fullmatch(expected):
            raise ValueError(f"its sha256 of {name!r} is {expected!r}, not 64 hexadecimal digits")


def _is_plain(name: str) -> bool:
    """Whether `name` is one way, the only way, to write a path below the directory."""
    parts = name.split("/")
    odd = any(ord(character) < 32 or character == "\\" or "\ud800" <= character <= "\udfff" for character in name)
    return not odd and all(part not in {"", ".", ".."} and len(part.encode()) <= 255 for part in parts)


def _verify(directory: Path, manifest: Manifest) -> None:
    root = directory.resolve()
    for name, expected in manifest.files.items():
        file = directory / name
        try:
            if not file.resolve().is_relative_to(root):
                raise ModelError(f"{directory / NAME} names {name!r}, which lies outside the model directory")
            found = sha256(file)
        except OSError as error:
            raise ModelError(f"cannot read {file}, which the manifest lists: {error.strerror}") from error
        if found != expected:
            raise ModelError(
                f"{file} has sha256 {found}, its manifest says {expected}: the file was damaged or changed; "
                "deploy the model's archive again"
            )
