"""Which models a multi-model server has loaded: a small file that outlives the worker process that loaded them."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import orjson

from sagedock.errors import PlatformError

NAME = "models.json"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Record:
    """A model that was loaded: `url` as the client gave it, `size` the bytes it took in memory.

    `tries` counts how often it was about to be restored when the process ended.
    """

    name: str
    url: str
    size: int
    tries: int = 0


class Registry:
    """Reads and writes `file`; None keeps nothing."""

    def __init__(self, file: Path | None) -> None:
        self._file = file

    def read(self) -> list[Record]:
        """The models that the worker before this one had; none in a new server, or when the file cannot be read."""
        if self._file is None or not self._file.exists():
            return []
        try:
            return [Record(**record) for record in orjson.loads(self._file.read_bytes())]
        except (OSError, ValueError, TypeError) as error:
            _log.error("cannot restore the models that were loaded, %s cannot be read: %s", self._file, error)
            return []

    def write(self, records: Iterable[Record]) -> None:
        """Replace the file in one step. It is not flushed to the disk: only the process may die, not the machine.

        Raises OSError when the disk refuses, having removed the file: no record is better than a false one.
        """
        if self._file is None:
            return
        temporary = self._file.with_suffix(".tmp")
        try:
            temporary.write_bytes(orjson.dumps(list(records)))
            temporary.replace(self._file)
        except OSError:
            with suppress(OSError):
                self._file.unlink(missing_ok=True)
            raise


@contextmanager
def new_registry() -> Iterator[Path]:
    """The file of a new server's registry, in a temporary directory of its own that ends with the block.

    The parent of the workers makes it, so that it outlives each of them. Raises PlatformError when no temporary
    directory can be written.
    """
    try:
        folder = Path(tempfile.mkdtemp(prefix=f"sagedock-{os.getuid()}-"))
    except OSError as error:
        message = f"cannot write a temporary directory: {error.strerror}; mount a tmpfs at /tmp or set TMPDIR"
        raise PlatformError(message) from error
    try:
        yield folder / NAME
    finally:
        for file in (folder / NAME, (folder / NAME).with_suffix(".tmp")):
            with suppress(OSError):
                file.unlink(missing_ok=True)
        with suppress(OSError):
            folder.rmdir()
