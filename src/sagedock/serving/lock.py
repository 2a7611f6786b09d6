"""One server for each model directory."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sagedock.errors import PlatformError


@contextmanager
def only_server_of(directory: Path, port: int) -> Iterator[None]:
    """Hold the lock of `directory` while the block runs; the kernel frees it when every process that has it is gone.

    The lock lies in the temporary directory, since a model directory is mounted read-only, and goes with whoever took
    it; a forked worker leaves it. Raises PlatformError naming the process and port that have it.
    """
    file, holder = _lock_file(directory), os.getpid()
    descriptor = _locked(file, directory)
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps({"pid": holder, "port": port}).encode(), 0)
        yield
    finally:
        if os.getpid() == holder:
            file.unlink(missing_ok=True)
        os.close(descriptor)


def _locked(file: Path, directory: Path) -> int:
    """A descriptor of the file that lies there and is locked by us: one that its holder just removed is no lock."""
    while True:
        try:
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            message = f"cannot write {file}: {error.strerror}; make the temporary directory writable"
            raise PlatformError(message) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            taken = _taken(directory, descriptor)
            os.close(descriptor)
            raise taken from error
        if os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)


def _lock_file(directory: Path) -> Path:
    digest = hashlib.sha256(os.fsencode(directory.resolve())).hexdigest()[:16]
    try:
        folder = tempfile.gettempdir()
    except FileNotFoundError as error:
        raise PlatformError("no temporary directory can be written: mount a tmpfs at /tmp or set TMPDIR") from error
    return Path(folder) / f"sagedock-{os.getuid()}-{digest}.lock"


def _taken(directory: Path, descriptor: int) -> PlatformError:
    try:
        holder = json.loads(os.pread(descriptor, 256, 0))
        first = f"pid {holder['pid']}, port {holder['port']}"
    except (ValueError, KeyError, TypeError):
        first = "it is just starting"
    return PlatformError(
        f"another sagedock server ({first}) serves the model directory {directory} already: stop that one first, or "
        "give this one its own directory through SAGEMAKER_BASE_DIR"
    )
