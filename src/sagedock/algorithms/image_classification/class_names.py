"""classes.txt: the names of classes, a line each in the order of their numbers, for data that have only numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from sagedock.algorithms.image_classification.description import LONGEST_NAME
from sagedock.errors import UserError

NAME = "classes.txt"
LARGEST_BYTES = 1 << 24


def find(folders: Iterable[Path], classes: int) -> tuple[str, ...] | None:
    """The names in the first of `folders` that has a classes.txt; None where none has one.

    Raises UserError naming file and line.
    """
    for folder in folders:
        file = folder / NAME
        if file.is_file():
            return _read(file, classes)
    return None


def _read(file: Path, classes: int) -> tuple[str, ...]:
    size = file.stat().st_size
    if size > LARGEST_BYTES:
        raise UserError(f"{file} has {size} bytes, and names of classes have 16 MiB at most: one name a line")
    try:
        names = file.read_text(encoding="utf-8-sig").rstrip().splitlines()
    except UnicodeDecodeError as error:
        raise UserError(f"{file}, byte {error.start}: is no UTF-8: write the names of the classes as UTF-8") from error
    stripped = tuple(name.strip() for name in names)
    _check(file, stripped)
    if len(stripped) != classes:
        raise UserError(
            f"{file} has {len(stripped)} names, and num_classes is {classes}: give each class a line, the class of "
            "number 0 first",
            field="num_classes",
        )
    return stripped


def _check(file: Path, names: Sequence[str]) -> None:
    seen: dict[str, int] = {}
    for line, name in enumerate(names, start=1):
        if not name:
            raise UserError(f"{file}, line {line}: is blank: give each class a name of its own")
        if len(name) > LONGEST_NAME:
            raise UserError(
                f"{file}, line {line}: has {len(name)} characters, and a name has {LONGEST_NAME} at most: shorten it"
            )
        if name in seen:
            raise UserError(f"{file}, line {line}: {name!r} is the name of line {seen[name]} too: use each once")
        seen[name] = line
