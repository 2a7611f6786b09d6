"""S3, through boto3: an optional extra, imported only when an address begins with s3://."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from sagedock.errors import PlatformError, UserError

SCHEME = "s3://"


def is_s3(uri: str) -> bool:
    return uri.startswith(SCHEME)


class Bucket:
    """Objects by their s3:// addresses. Every method raises PlatformError when S3 refuses, naming the address.

    Endpoint, region and credentials are found as boto3 finds them (AWS_ENDPOINT_URL_S3 and the like).
    """

    def listed(self, uri: str) -> list[tuple[str, str, int]]:
        """Address, relative name and size of each object under a prefix; empty names of folders are left out.

        Names are relative to the prefix where it is a folder of them all, else to the folder it lies in.
        """
        bucket, prefix = _split(uri)
        with _refusals(uri):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
            found = [(item["Key"], int(item["Size"])) for page in pages for item in page.get("Contents", [])]
        files = [(key, size) for key, size in found if not key.endswith("/")]
        folder = f"{prefix.rstrip('/')}/" if prefix else ""
        root = folder if all(key.startswith(folder) for key, _ in files) else prefix[: prefix.rfind("/") + 1]
        return [(f"{SCHEME}{bucket}/{key}", key.removeprefix(root), size) for key, size in files]

    def size(self, uri: str) -> int:
        bucket, key = _split(uri)
        with _refusals(uri):
            return int(self._client.head_object(Bucket=bucket, Key=key)["ContentLength"])

    def read(self, uri: str) -> bytes:
        bucket, key = _split(uri)
        with _refusals(uri):
            return bytes(self._client.get_object(Bucket=bucket, Key=key)["Body"].read())

    def download(self, uri: str, target: Path) -> None:
        bucket, key = _split(uri)
        with _refusals(uri):
            self._client.download_file(bucket, key, str(target))

    def upload(self, file: Path, uri: str) -> None:
        bucket, key = _split(uri)
        with _refusals(uri):
            self._client.upload_file(str(file), bucket, key)

    def remove(self, uri: str) -> None:
        """An object that does not exist is removed already."""
        bucket, key = _split(uri)
        with _refusals(uri):
            self._client.delete_object(Bucket=bucket, Key=key)

    @cached_property
    def _client(self) -> Any:
        import boto3

        logging.getLogger("botocore").setLevel(logging.WARNING)  # it tells where credentials were found
        return boto3.client("s3")


def _split(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.removeprefix(SCHEME).partition("/")
    if not bucket:
        raise UserError(f"{uri!r} names no bucket: use s3://bucket/prefix")
    return bucket, key


@contextmanager
def _refusals(uri: str) -> Iterator[None]:
    """What boto3 raises, as an error that names the address."""
    try:
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError as error:
        message = "s3:// addresses need the package boto3: pip install 'sagedock[sagemaker]', or use local paths"
        raise UserError(message) from error
    try:
        yield
    except (BotoCoreError, ClientError, Boto3Error, ValueError) as error:
        raise PlatformError(f"{uri}: {error}") from error
