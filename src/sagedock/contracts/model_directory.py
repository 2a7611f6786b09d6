"""A model directory before it is loaded: hostile input until it has been looked at.

Nothing in it is executed, nothing outside it is opened, and no byte of a file is handed to a library before its kind is
known. What a model is not loaded from, such as code/, may lie there and stays closed.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from sagedock.contracts import manifest as manifests
from sagedock.contracts import signatures
from sagedock.contracts.manifest import Manifest
from sagedock.errors import ModelError

MOST_ENTRIES = 10_000
DEEPEST = 32
CODE = "code"
"""SageMaker's place for a user's own scripts beside a model; never looked into."""

_SPECIAL = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
}


@dataclass(frozen=True)
class ModelDirectory:
    """A directory that has been looked at: where the model lies in it, and its manifest where it has one."""

    path: Path
    manifest: Manifest | None

    def files(self) -> list[Path]:
        """The manifest's files or, without one, the visible files at the top."""
        if self.manifest is not None:
            return [self.path / name for name in self.manifest.files]
        return sorted(entry for entry in self.path.iterdir() if entry.is_file() and not entry.name.startswith("."))


def examine(directory: Path, *, allow_pickle: bool = False) -> ModelDirectory:
    """Look at everything in `directory`, without following what leads out of it, and verify the manifest's files.

    Raises ModelError naming what is wrong and what to do, and OSError for what cannot be read.
    """
    if not directory.is_dir() or not any(directory.iterdir()):
        raise ModelError(
            f"the model directory {directory} is missing or empty: mount a trained model there, or set "
            "SAGEMAKER_BASE_DIR to the directory that holds model/"
        )
    files = list(_files(directory))
    place = _place(directory)
    found = ModelDirectory(place, manifests.read(place))
    if not allow_pickle:
        _refuse_pickles(directory, files)
    return found


def learns(directory: Path) -> bool:
    """Whether the manifest says that the model in `directory` changes with what it answers; False where none says so.

    What is wrong with the directory is told when it is examined.
    """
    try:
        found = manifests.glanced_at(_place(directory))
    except OSError:
        return False
    return found is not None and found.learns


def _files(directory: Path) -> Iterator[Path]:
    """Every regular file, links to others of the directory included; raises ModelError for what may not lie there."""
    root = directory.resolve()
    folders = [(directory, 0)]
    count = 0
    while folders:
        folder, depth = folders.pop()
        for entry in _entries(folder, required=folder == directory):
            count += 1
            if count > MOST_ENTRIES:
                raise ModelError(f"{directory} holds more than {MOST_ENTRIES} files and directories: deploy fewer")
            path = Path(entry.path)
            if entry.is_symlink():
                _require_inside(path, root)
            elif entry.is_dir():
                if depth == DEEPEST:
                    raise ModelError(f"{path} lies more than {DEEPEST} directories deep: deploy a flatter directory")
                folders.append((path, depth + 1))
            if not path.is_dir():
                _require_regular(path)
                yield path


def _entries(folder: Path, *, required: bool) -> list[os.DirEntry[str]]:
    """What is in `folder`; nothing of one that is closed to this user, unless it is required (lost+found is not)."""
    try:
        with os.scandir(folder) as entries:
            return list(islice(entries, MOST_ENTRIES + 1))
    except PermissionError:
        if required:
            raise
        return []


def _require_inside(link: Path, root: Path) -> None:
    try:
        target = link.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise ModelError(
            f"{link} is a symbolic link to {str(link.readlink())!r}, which leads nowhere: deploy the file itself"
        ) from error
    if not target.is_relative_to(root):
        leads = f"a symbolic link to {str(link.readlink())!r}, outside the model directory"
        raise ModelError(f"{link} is {leads}: deploy the file itself")


def _require_regular(path: Path) -> None:
    status = path.stat()
    kind = stat.S_IFMT(status.st_mode)
    if kind != stat.S_IFREG:
        raise ModelError(f"{path} is {_SPECIAL.get(kind, 'no regular file')}: a model directory holds files only")
    signatures.require_size(path, status.st_size, status.st_blocks)


def _place(directory: Path) -> Path:
    """`directory`, or the only directory in it where nothing else is visible: some archives hold one folder."""
    visible = [entry for entry in directory.iterdir() if not entry.name.startswith(".")]
    folders = [entry for entry in visible if entry.is_dir() and entry.name != CODE]
    alone = len(folders) == 1 and all(entry.is_dir() for entry in visible)
    return folders[0] if alone and any(folders[0].iterdir()) else directory


def _refuse_pickles(directory: Path, files: list[Path]) -> None:
    for file in files:
        if CODE in file.relative_to(directory).parts[:-1]:
            continue
        with suppress(PermissionError):  # what cannot be opened is not loaded either
            kind = signatures.recognise(file)
            if kind.pickle:
                raise signatures.pickle_error(file, kind)
