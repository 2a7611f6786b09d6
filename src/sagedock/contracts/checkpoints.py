"""Checkpoint files under the eyes of SageMaker, which copies them away while the job goes on (contract 1.9)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sagedock.errors import UserError

_SEAL = b"\nsha256:"


@dataclass
class CheckpointFiles:
    """The files `<stem>.<number>` in `directory`: of those written here the newest `kept` stay.

    Files that were there at the start, and files that SageMaker is uploading, are never deleted.
    """

    directory: Path
    stem: str
    kept: int
    _written: list[Path] = field(default_factory=list, init=False)

    def newest_first(self) -> list[tuple[int, Path]]:
        """Number and path of each."""
        entries = self.directory.iterdir() if self.directory.is_dir() else ()
        name = re.compile(rf"{re.escape(self.stem)}\.(\d+)")
        found = [(int(match[1]), file) for file in entries if (match := name.fullmatch(file.name)) and file.is_file()]
        return sorted(found, reverse=True)

    def file(self, number: int) -> Path:
        """Where the checkpoint of this number belongs."""
        return self.directory / f"{self.stem}.{number}"

    def keep_newest(self, written: Path) -> None:
        """Delete the oldest of ours, now that `written` is there too."""
        self._written = [file for file in self._written if file != written] + [written]
        for old in self._written[: -self.kept]:
            if not _uploading(old):
                old.unlink(missing_ok=True)
                self._written.remove(old)


def sealed(content: bytes) -> bytes:
    """`content` followed by its own SHA-256."""
    return content + _SEAL + hashlib.sha256(content).hexdigest().encode()


def unsealed(file: Path) -> bytes | None:
    """What was sealed into `file`; None when it is damaged."""
    content, seal, digest = file.read_bytes().rpartition(_SEAL)
    whole = bool(seal) and hashlib.sha256(content).hexdigest().encode() == digest
    return content if whole else None


def require_same_job(file: Path, theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> None:
    """Raise UserError when the job that wrote checkpoint `file` was another: both are JSON values by name."""
    names = sorted(name for name in {*theirs, *ours} if theirs.get(name) != ours.get(name))
    if not names:
        return
    told = ", ".join(f"{name} ({theirs.get(name)!r}, now {ours.get(name)!r})" for name in names)
    raise UserError(
        f"checkpoint {file} was written by a job with other {told}: start this job with an empty checkpoint directory "
        "(another S3Uri in CheckpointConfig), or with the earlier job's values to resume it"
    )


def _uploading(file: Path) -> bool:
    started = file.with_name(f"{file.name}.sagemaker-uploading").exists()
    return started and not file.with_name(f"{file.name}.sagemaker-uploaded").exists()
