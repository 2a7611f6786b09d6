"""Channels: the named inputs of a training job (API shape Channel; inputdataconfig.json)."""

from __future__ import annotations

import io
import os
import select
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Literal

from sagedock.errors import UserError

PIPE_PATIENCE_SECONDS = 300.0
PIPE_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Source:
    """One run of bytes to read: a file, or a channel's pipe. `name` is what errors call it."""

    name: str
    open: Callable[[], BinaryIO]
    path: Path | None = None
    """The file, when there is one that can be opened again and read at will; a pipe has none."""


@dataclass(frozen=True)
class ChannelSpecification:
    """What an algorithm says of a channel it knows."""

    name: str
    required: bool
    description: str
    content_types: Sequence[str]
    input_modes: Sequence[Literal["File", "Pipe"]] = ("File",)
    """FastFile is File to a container. In Pipe mode the types of `pipe_content_types` are read."""
    pipe_content_types: Sequence[str] = ()
    distribution: Literal["ShardedByS3Key", "FullyReplicated"] | None = None
    """The one S3DistributionType that SageMaker takes for it; on one host another gives the same and is warned of."""


@dataclass(frozen=True)
class Channel:
    """One channel of this job, as inputdataconfig.json declares it."""

    name: str
    path: Path
    content_type: str | None = None
    input_mode: Literal["File", "Pipe"] = "File"
    record_wrapper: Literal["None", "RecordIO"] = "None"
    distribution: str | None = None
    """S3DistributionType, where it is said."""

    def files(self) -> list[Path]:
        """Every file below the channel, in path order; zero-byte and hidden files and folders are skipped.

        Links are followed, each folder once.
        Raises UserError naming a folder that cannot be listed, whose files would be missed without a word.
        """
        found: list[Path] = []
        seen: set[str] = set()
        for folder, folders, names in os.walk(self.path, onerror=self._refuse, followlinks=True):
            if os.path.realpath(folder) in seen:  # links may lead around in a circle
                folders.clear()
                continue
            seen.add(os.path.realpath(folder))
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            found += [Path(folder, name) for name in names if not name.startswith(".")]
        return sorted(file for file in found if file.is_file() and file.stat().st_size > 0)

    def sources(self, epoch: int = 0) -> list[Source]:
        """What to read in this epoch: the files, or the epoch's FIFO, which may appear late.

        Raises UserError naming the channel when it holds nothing, or when the FIFO does not appear in time.
        """
        if self.input_mode == "Pipe":
            fifo = self.path.with_name(f"{self.name}_{epoch}")
            return [Source(name=str(fifo), open=lambda: _open_late(fifo))]
        files = self.files()
        if not files:
            raise UserError(
                f"No data in {self.name} channel path {self.path}: the channel is declared but holds no "
                "non-empty file; check its S3 prefix",
                field=self.name,
            )
        return [Source(name=str(file), open=partial(_open, file), path=file) for file in files]

    def _refuse(self, error: OSError) -> None:
        if self.path.is_dir():
            raise _unreadable(Path(error.filename), error)


def _open(file: Path) -> BinaryIO:
    try:
        return file.open("rb")
    except OSError as error:
        raise _unreadable(file, error) from error


def _unreadable(path: Path, error: OSError) -> UserError:
    return UserError(f"cannot read {path}: {error.strerror}: let this user read every file of the channel")


class _Pipe(io.RawIOBase):
    """A FIFO read so that a signal is noticed within a moment: one that comes just before a read that waits would not
    be, until something comes through the pipe.
    """

    def __init__(self, fifo: Path) -> None:
        self._descriptor = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Bytes read, 0 at the end: when the writers, of which there was one, are gone."""
        while not select.select([self._descriptor], [], [], PIPE_POLL_SECONDS)[0]:
            pass
        return os.readv(self._descriptor, [buffer])

    def close(self) -> None:
        """Let the writer know that nobody reads any more."""
        if not self.closed:
            os.close(self._descriptor)
        super().close()


def _open_late(fifo: Path) -> BinaryIO:
    deadline = time.monotonic() + PIPE_PATIENCE_SECONDS
    while not fifo.exists():
        if time.monotonic() > deadline:
            raise UserError(f"the pipe {fifo} did not appear within {PIPE_PATIENCE_SECONDS:.0f} s")
        time.sleep(PIPE_POLL_SECONDS)
    return io.BufferedReader(_Pipe(fifo))
