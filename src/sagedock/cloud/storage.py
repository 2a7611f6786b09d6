"""S3: directories that become channels, and artefacts that come back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from sagedock.cloud.aws import absent, asking
from sagedock.contracts.files import make_directory, replacing
from sagedock.errors import UserError


@dataclass(frozen=True)
class Storage:
    """S3 by a client of it; addresses are s3://bucket/key."""

    client: Any

    def upload(self, directory: Path, address: str) -> int:
        """Upload a directory's files below `address` and return their number.

        Raises UserError when there is no such bucket, and when other objects lie there, which would be trained on too.
        """
        bucket, prefix = _parts(address)
        key = prefix.rstrip("/") + "/" if prefix else ""
        files = {f"{key}{file.relative_to(directory).as_posix()}": file for file in _files(directory)}
        if not files:
            raise UserError(f"{directory} has no files to upload to {address}")
        strange = [name for name in self._keys(bucket, prefix) if name not in files and not name.endswith("/")]
        if strange:
            raise UserError(
                f"s3://{bucket}/{strange[0]} lies below {address} but not in {directory}, and would be read as well: "
                f"remove it (aws s3 rm s3://{bucket}/{strange[0]}), or choose another S3Uri"
            )
        for name, file in files.items():
            with asking(f"uploading {file} to s3://{bucket}/{name}"):
                self.client.upload_file(str(file), bucket, name)
        return len(files)

    def download(self, address: str, file: Path) -> Path:
        """Fetch one object; the file is whole or not there. Raises UserError when the object is not there."""
        bucket, key = _parts(address)
        make_directory(file.parent)
        with asking(f"fetching {address}"), replacing(file) as temporary:
            temporary.touch()
            self.client.download_file(bucket, key, str(temporary))
        return file

    def download_below(self, address: str, directory: Path) -> list[Path]:
        """Fetch every object below a prefix, the folders below it kept; return the files."""
        bucket, prefix = _parts(address)
        folder = prefix.rstrip("/") + "/"
        names = [name for name in self._keys(bucket, folder) if not name.endswith("/")]
        return [self.download(f"s3://{bucket}/{name}", directory / name.removeprefix(folder)) for name in names]

    def exists(self, address: str) -> bool:
        """Whether there is such an object."""
        from botocore.exceptions import ClientError

        bucket, key = _parts(address)
        with asking(f"looking for {address}"):
            try:
                self.client.head_object(Bucket=bucket, Key=key)
            except ClientError as error:
                if absent(error):
                    return False
                raise
        return True

    def _keys(self, bucket: str, prefix: str) -> Iterator[str]:
        with asking(f"listing s3://{bucket}/{prefix}"):
            try:
                for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
                    yield from (str(entry["Key"]) for entry in page.get("Contents", []))
            except self.client.exceptions.NoSuchBucket as error:
                raise UserError(
                    f"there is no bucket {bucket}: make it with aws s3 mb s3://{bucket}, or name yours in the document"
                ) from error


def _files(directory: Path) -> list[Path]:
    found = [file for file in directory.rglob("*") if file.is_file()]
    return sorted(file for file in found if not any(part.startswith(".") for part in file.relative_to(directory).parts))


def _parts(address: str) -> tuple[str, str]:
    found = urlparse(address)
    if found.scheme != "s3" or not found.netloc:
        raise UserError(f"{address!r} is no address in S3; they look like s3://bucket/folder/")
    return found.netloc, address.removeprefix(f"s3://{found.netloc}").removeprefix("/")
