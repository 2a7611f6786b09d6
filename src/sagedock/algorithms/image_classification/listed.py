"""Pictures that a .lst file lists, as im2rec writes it: number, labels and path, with tabs between, a picture a line.

Only where its lines begin is in memory: a line is read again when its picture is wanted.
"""

from __future__ import annotations

import os
import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.image_classification import picture_files
from sagedock.algorithms.image_classification.examples import Example, FileSource
from sagedock.algorithms.image_classification.labels import Labels
from sagedock.contracts.channels import Channel
from sagedock.errors import UserError

LONGEST_LINE = 1 << 24
"""A label for each of a million classes, and a path."""
_NUMBERS = re.compile(rb"[-+0-9.eE \t]+")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Line:
    """A line of a list: labels, and a path relative to the folder of pictures."""

    labels: tuple[float, ...]
    path: str


@dataclass(frozen=True)
class ListShelf:
    """The pictures below `top` that the `lines` of `file` list: where each line begins (pictures,), and its number."""

    file: Path
    top: Path
    begins: NDArray[np.int64]
    lines: NDArray[np.int64]
    labels: Labels

    def __len__(self) -> int:
        return len(self.begins)

    def example(self, number: int) -> Example:
        """The picture of this number, whose line is read again."""
        with self.file.open("rb") as stream:
            stream.seek(int(self.begins[number]))
            text = stream.readline(LONGEST_LINE)
        where = f"{self.file.parent.name}/{self.file.name}, line {self.lines[number]}"
        line = parsed(text, where)
        place = f"line {self.lines[number]} of {self.file.parent.name}/{self.file.name}, {line.path}"
        return Example(place, picture_files.content(self.top / line.path, place), self.labels.of(line.labels, place))


def source(channel: Channel, lists: Channel, labels: Labels, names: tuple[str, ...] | None) -> FileSource:
    """The pictures of `channel` that the one .lst file of `lists` lists, each of which has to be there.

    Raises UserError naming file and line of what is wrong.
    """
    file = _only_list(lists)
    counts = labels.counts()
    begins, numbers = array("q"), array("q")
    for begin, number, text in _lines(file):
        where = f"{_beginning(channel)}: {file}, line {number}"
        line = parsed(text, where)
        labels.count(labels.of(line.labels, where), counts)
        picture_files.check(channel.path / line.path, f"{where}: {line.path}")
        begins.append(begin)
        numbers.append(number)
    if not begins:
        raise UserError(f"{_beginning(channel)}: {file} lists no picture", field=lists.name)
    shelf = ListShelf(file, channel.path, np.frombuffer(begins, np.int64), np.frombuffer(numbers, np.int64), labels)
    return FileSource(labels.classes, names, shelf, counts)


def parsed(text: bytes, where: str) -> Line:
    """What a line says. Raises UserError naming `where` it stands; the labels' meaning is not looked at."""
    fields = text.rstrip(b"\r\n").split(b"\t")
    if len(fields) < 3:
        raise UserError(
            f"{where}: has {len(fields)} fields, and number, label and path are needed, with a tab between them: "
            "write it as im2rec does"
        )
    *numbers, path = fields
    return Line(_labels(numbers, where), _path(path.strip(), where))


def _labels(fields: list[bytes], where: str) -> tuple[float, ...]:
    """The numbers behind the first, which counts the line; nan, inf and 1_000 are none."""
    try:
        values = tuple(map(float, fields))
    except ValueError:
        values = ()
    if not values or not _NUMBERS.fullmatch(b"\t".join(fields)):
        wrong = next(field for field in fields if not _is_number(field)).decode("utf-8", "replace")
        raise UserError(f"{where}: {wrong!r} is no number, and all fields but the last, the path, are: correct it")
    return values[1:]


def _is_number(field: bytes) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return _NUMBERS.fullmatch(field) is not None


def _path(field: bytes, where: str) -> str:
    path = os.fsdecode(field)
    pure = PurePosixPath(path)
    if not path or "\0" in path or pure.is_absolute() or ".." in pure.parts:
        shown = field.decode("utf-8", "replace")
        raise UserError(
            f"{where}: {shown!r} is no path of a picture: give it relative to the folder of the channel, and inside it"
        )
    return path


def _lines(file: Path) -> Iterator[tuple[int, int, bytes]]:
    """Where each line that is not blank begins, its number from 1, and its bytes."""
    try:
        stream = file.open("rb")
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}: let this user read it") from error
    with stream:
        begin = len(_BYTE_ORDER_MARK) if stream.read(3) == _BYTE_ORDER_MARK else 0
        stream.seek(begin)
        number = 0
        while text := stream.readline(LONGEST_LINE):
            number += 1
            if len(text) == LONGEST_LINE:
                raise UserError(f"{file}, line {number}: longer than {LONGEST_LINE >> 20} MiB: this is no .lst file")
            if text.strip():
                yield begin, number, text
            begin += len(text)


def _only_list(lists: Channel) -> Path:
    found = [path for path in lists.files() if path.suffix == ".lst"]
    if len(found) != 1:
        told = ", ".join(str(path) for path in found) or "none"
        raise UserError(
            f"the channel {lists.name!r} must hold exactly one .lst file, and holds {told}: put one into {lists.path}",
            field=lists.name,
        )
    return found[0]


def _beginning(channel: Channel) -> str:
    """How the built-in begins its complaint."""
    return f"Invalid lst file in the {channel.name} channel"
