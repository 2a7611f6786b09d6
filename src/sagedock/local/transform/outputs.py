"""Where answers go: `<name>.out` under the output path, whole or not at all (API reference, TransformOutput)."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from sagedock.contracts.files import explain, make_directory, replacing
from sagedock.local.transform.bucket import Bucket, is_s3
from sagedock.local.transform.objects import local_path


class Destination(Protocol):
    """An output path."""

    def address(self, name: str) -> str:
        """What the object of that name is called in messages."""

    def draft(self, name: str) -> Path:
        """A file to write the object to; nobody takes it for finished."""

    def publish(self, draft: Path, name: str) -> None:
        """Make the draft, which is closed, the object of that name. Raises PlatformError when it cannot."""

    def remove(self, name: str) -> None:
        """Remove what an earlier job left under that name."""


def destination(uri: str, scratch: Path) -> Destination:
    """The output path of a job; `scratch` is a directory for drafts on their way to a bucket."""
    if is_s3(uri):
        return Prefix(uri, scratch)
    return Directory(local_path(uri, "S3OutputPath").absolute())


class Directory:
    """A directory here; drafts lie beside the final files, under names that begin with a dot."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def address(self, name: str) -> str:
        return str(self._root / name)

    def draft(self, name: str) -> Path:
        target = self._root / name
        if not target.parent.is_dir():
            make_directory(target.parent)
        return target.with_name(f".{target.name}.part")

    def publish(self, draft: Path, name: str) -> None:
        with replacing(self._root / name) as temporary:
            draft.replace(temporary)

    def remove(self, name: str) -> None:
        target = self._root / name
        try:
            target.unlink(missing_ok=True)
        except OSError as error:
            raise explain(error, target) from error


class Prefix:
    """A prefix in a bucket; an object is uploaded once it is whole."""

    def __init__(self, uri: str, scratch: Path) -> None:
        self._uri = uri if uri.endswith("/") else f"{uri}/"
        self._scratch = scratch
        self._bucket = Bucket()
        self._drafts = 0

    def address(self, name: str) -> str:
        return f"{self._uri}{name}"

    def draft(self, name: str) -> Path:
        self._drafts += 1
        return self._scratch / f"output-{self._drafts}"

    def publish(self, draft: Path, name: str) -> None:
        self._bucket.upload(draft, self.address(name))
        draft.unlink()

    def remove(self, name: str) -> None:
        self._bucket.remove(self.address(name))
