"""The objects of a job: which there are, by prefix or manifest, and their bytes (API: TransformS3DataSource)."""

from __future__ import annotations

import glob
import gzip
import io
import json
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO
from urllib.parse import unquote, urlparse

from sagedock.errors import UserError
from sagedock.local.transform.bucket import Bucket, is_s3
from sagedock.local.transform.document import DataSource


@dataclass(frozen=True)
class InputObject:
    """One object: `address` to name it by, `name` relative to the prefix, its size in bytes as it is stored."""

    address: str
    name: str
    size: int
    bucket: Bucket | None = None

    def fetched(self, copy: Path) -> Path:
        """Where its bytes lie here; an object of a bucket is downloaded to `copy`."""
        if self.bucket is None:
            return Path(self.address)
        self.bucket.download(self.address, copy)
        return copy


@dataclass
class Reading:
    """An open object: `content` unpacked, and how many bytes were read of what is stored."""

    content: BinaryIO
    stored: io.BufferedReader

    @property
    def position(self) -> int:
        return self.stored.tell()


@contextmanager
def reading(item: InputObject, file: Path, *, zipped: bool) -> Iterator[Reading]:
    """The bytes of `file`, which `item` was fetched to. Raises UserError naming the object that cannot be read."""
    try:
        with file.open("rb") as stored:
            content = gzip.GzipFile(fileobj=stored) if zipped else stored
            yield Reading(content, stored)  # type: ignore[arg-type]  # GzipFile is a BinaryIO but for its type
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        message = f"{item.address} is no whole gzip file ({error}): compress it again, or set CompressionType to None"
        raise UserError(message, field="TransformInput.CompressionType") from error


def listed(source: DataSource) -> list[InputObject]:
    """The job's objects in the order of their names, or of the manifest. Raises UserError when there is none."""
    found = _manifest(source.uri) if source.manifest else _prefix(source.uri)
    if not found:
        raise UserError(f"TransformInput: nothing lies at {source.uri}", field="S3Uri")
    for item in found:
        _refuse_escape(item)
    return found


def local_path(uri: str, field: str) -> Path:
    """The path of a file:// address or plain path; raises UserError for any other scheme."""
    address = urlparse(uri)
    if address.scheme == "file":
        return Path(unquote(address.path))
    if address.scheme and "://" in uri:
        raise UserError(f"{field} is {uri!r}: use a path, file:// or s3://", field=field)
    return Path(uri)


def _prefix(uri: str) -> list[InputObject]:
    if is_s3(uri):
        bucket = Bucket()
        return [InputObject(address, name, size, bucket) for address, name, size in bucket.listed(uri)]
    path = local_path(uri, "S3Uri")
    if path.is_dir():
        return _below(path, path)
    if path.is_file():
        return [_file(path, path.parent)]
    started = path.parent.glob(f"{glob.escape(path.name)}*") if path.name else []
    return [item for entry in sorted(started) for item in _below(entry, path.parent)]


def _below(entry: Path, root: Path) -> list[InputObject]:
    """The files in a directory, at any depth, or the one file; hidden ones are nobody's data."""
    files = sorted(entry.rglob("*")) if entry.is_dir() else [entry]
    found = [file for file in files if file.is_file()]
    return [_file(file, root) for file in found if not any(part[0] == "." for part in file.relative_to(root).parts)]


def _file(file: Path, root: Path) -> InputObject:
    return InputObject(str(file), file.relative_to(root).as_posix(), file.stat().st_size)


def _manifest(uri: str) -> list[InputObject]:
    """`[{"prefix": ADDRESS}, NAME, ...]`, each name completing the address (API reference, S3Uri)."""
    entries = _entries(uri)
    prefix, bucket = str(entries[0]["prefix"]), Bucket()
    found = []
    for name in entries[1:]:
        address = f"{prefix}{name}"
        if is_s3(address):
            found.append(InputObject(address, name, bucket.size(address), bucket))
            continue
        path = local_path(address, "prefix")
        if not path.is_file():
            raise UserError(f"the manifest {uri} names {address}, which is no file", field="S3Uri")
        found.append(InputObject(str(path), name, path.stat().st_size))
    return found


def _entries(uri: str) -> Sequence[Any]:
    try:
        content = json.loads(Bucket().read(uri) if is_s3(uri) else local_path(uri, "S3Uri").read_bytes())
    except OSError as error:
        raise UserError(f"cannot read the manifest {uri}: {error.strerror}", field="S3Uri") from error
    except ValueError as error:
        raise UserError(f"the manifest {uri} is no JSON: {error}", field="S3Uri") from error
    shaped = isinstance(content, list) and content and isinstance(content[0], dict) and "prefix" in content[0]
    if not shaped or not all(isinstance(name, str) and name for name in content[1:]):
        message = f'the manifest {uri} must be [{{"prefix": "s3://bucket/folder/"}}, "name", ...]'
        raise UserError(message, field="S3Uri")
    return list(content)


def _refuse_escape(item: InputObject) -> None:
    parts = item.name.split("/")
    if PurePosixPath(item.name).is_absolute() or {"", ".", ".."} & set(parts) or "\0" in item.name:
        message = f"{item.address}: the name {item.name!r} would lead out of the output directory; rename the object"
        raise UserError(message, field="S3Uri")
