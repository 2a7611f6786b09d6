"""Writing files so that nothing half-written ever stands under a final name."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sagedock.errors import PlatformError

_REMEDIES = {
    errno.ENOSPC: "the disk is full: give the job a larger volume or free some space",
    errno.EDQUOT: "the disk quota is used up: give the job a larger volume or free some space",
    errno.EROFS: "the file system is read-only: mount it writable",
    errno.EACCES: "permission denied: let this user write there",
    errno.EPERM: "permission denied: let this user write there",
}


def explain(error: OSError, path: Path) -> PlatformError:
    """The error to raise for an operating-system refusal to write `path`, with its remedy."""
    remedy = _REMEDIES.get(error.errno or 0, error.strerror or str(error))
    return PlatformError(f"cannot write {path}: {remedy}")


def make_directory(path: Path) -> Path:
    """Create `path` and its parents unless they exist, open to everybody, and return it.

    Raises PlatformError when the operating system refuses.
    """
    try:
        missing = [directory for directory in (path, *path.parents) if not directory.exists()]
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise explain(error, path) from error
    for directory in reversed(missing):
        _leave_to_owner(directory)
    with suppress(OSError):  # somebody else's directory: it exists, and that is enough
        path.chmod(0o777)
    return path


def _leave_to_owner(path: Path) -> None:
    """What root makes in somebody's directory belongs to that somebody, so that a local run leaves no root's files."""
    if os.geteuid() == 0:
        with suppress(OSError):  # a container may be denied chown: what is open to everybody can still be used
            owner = path.parent.stat()
            os.chown(path, owner.st_uid, owner.st_gid)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success flush it to disk, open it to everybody and rename it.

    Whatever happens inside, `path` holds either its old content or the whole new one. The temporary name starts with
    a dot, which every reader of SageMaker's directories skips, and is the same each time, so that what a killed process
    left behind is overwritten. Raises PlatformError when the operating system refuses.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        yield temporary
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o666)
        _leave_to_owner(temporary)
        temporary.replace(path)
    except OSError as error:
        raise explain(error, path) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path`, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Write `content` to `path` as UTF-8, whole or not at all."""
    write_bytes(path, content.encode())
