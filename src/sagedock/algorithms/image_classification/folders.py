"""Pictures in a folder for each class, with no list: the folders' names, sorted, number the classes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.image_classification import class_names, picture_files
from sagedock.algorithms.image_classification.description import is_unicode
from sagedock.algorithms.image_classification.examples import Example, FileSource
from sagedock.contracts.channels import Channel
from sagedock.errors import UserError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FolderShelf:
    """Files named relative to `top`, and the number of the class of each, (files,)."""

    top: Path
    files: Sequence[str]
    numbers: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.files)

    def example(self, number: int) -> Example:
        """The file of this number."""
        place = f"{self.top.name}/{self.files[number]}"
        encoded = picture_files.content(self.top / self.files[number], place)
        return Example(place, encoded, int(self.numbers[number]))


def source(
    channel: Channel, classes: int, paths: Sequence[Path], expected: tuple[str, ...] | None = None
) -> FileSource:
    """The pictures among the channel's files `paths`, whose folders are `expected` where these are known already.

    A classes.txt beside the folders may put them into another order. Raises UserError naming what is no picture, a
    picture that is in no folder, and folders that are not as many as classes.
    """
    pictures = [path for path in paths if _is_picture(channel, path)]
    folders = [path.relative_to(channel.path).parts[0] for path in pictures]
    present = sorted(set(folders))
    names = _names(channel, present, classes) if expected is None else _as_expected(channel, present, expected)
    place = {name: number for number, name in enumerate(names)}
    numbers = np.array([place[folder] for folder in folders], np.int32)
    files = [str(path.relative_to(channel.path)) for path in pictures]
    counts = np.bincount(numbers, minlength=classes).astype(np.int64)
    return FileSource(classes, names, FolderShelf(channel.path, files, numbers), counts)


def _is_picture(channel: Channel, path: Path) -> bool:
    """Whether the file is one of a class; what lies beside the folders and is no picture is only told of."""
    beside = path.parent == channel.path
    if beside and not picture_files.is_picture(path):
        if path.name != class_names.NAME:
            log.warning("%s is no picture, and in no folder of a class: ignored", path)
        return False
    if beside:
        raise UserError(
            f"{path}: the picture is in no folder of a class: put each class's pictures into a folder of its own, or "
            f"list them in a .lst file in the channel {channel.name}_lst",
            field=channel.name,
        )
    if not picture_files.is_picture(path):
        raise UserError(
            f"{path}: is no picture by its name: folders of classes hold {', '.join(picture_files.ENDINGS)} and "
            "nothing else: take it away",
            field=channel.name,
        )
    return True


def _names(channel: Channel, folders: Sequence[str], classes: int) -> tuple[str, ...]:
    if len(folders) != classes:
        shown = ", ".join(folders[:20]) + (", ..." if len(folders) > 20 else "")
        raise UserError(
            f"{channel.path} has {len(folders)} folders of pictures ({shown}), and num_classes is {classes}: give each "
            f"class a folder, or set num_classes to {len(folders)}",
            field="num_classes",
        )
    for name in folders:
        if not is_unicode(name):
            raise UserError(
                f"{channel.path} has a folder {name!r}, a name that is no UTF-8: answers cannot carry it; rename it",
                field=channel.name,
            )
    listed = class_names.find([channel.path], classes)
    if listed is not None and sorted(listed) != list(folders):
        wrong = next(name for name in listed if name not in folders)
        raise UserError(f"{channel.path / class_names.NAME} names {wrong!r}, and there is no folder of this name")
    return listed or tuple(folders)


def _as_expected(channel: Channel, folders: Sequence[str], expected: tuple[str, ...]) -> tuple[str, ...]:
    missing, unknown = sorted(set(expected) - set(folders)), sorted(set(folders) - set(expected))
    if missing or unknown:
        told = [f"has no folder of {', '.join(map(repr, missing[:20]))}"] if missing else []
        told += [f"has folders of unknown classes, {', '.join(map(repr, unknown[:20]))}"] if unknown else []
        raise UserError(
            f"the classes of the {channel.name} channel are not those of the train channel: {channel.path} "
            f"{' and '.join(told)}: give both channels the same folders",
            field=channel.name,
        )
    return expected
