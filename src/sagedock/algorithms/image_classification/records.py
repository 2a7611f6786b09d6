"""Examples in RecordIO files, as im2rec packs them; an index of each file is in memory, and no picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.image_classification.examples import Example, FileSource
from sagedock.algorithms.image_classification.labels import Labels
from sagedock.formats import image_record
from sagedock.formats.record_file import RecordFile


@dataclass(frozen=True)
class RecordShelf:
    """The records of some files, one file after the other; places name files relative to `top`."""

    files: Sequence[RecordFile]
    labels: Labels
    top: Path

    @cached_property
    def _ends(self) -> NDArray[np.int64]:
        return np.cumsum([len(file) for file in self.files])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def example(self, number: int) -> Example:
        """The record of this number, counted through all files."""
        position = int(np.searchsorted(self._ends, number, side="right"))
        file = self.files[position]
        inside = number - (int(self._ends[position - 1]) if position else 0)
        place = _place(file, inside, self.top)
        payload = file.read(inside)
        values = image_record.labels(payload, place)
        return Example(place, image_record.picture(payload, place), self.labels.of(values, place))


def source(paths: Sequence[Path], labels: Labels, names: tuple[str, ...] | None, top: Path) -> FileSource:
    """The examples of RecordIO files, whose labels are all read now.

    Raises UserError naming file and record, or byte, of what is wrong; only pictures are not looked at.
    """
    files = [RecordFile.indexed(path) for path in paths]
    counts = labels.counts()
    for file in files:
        for number, head in enumerate(file.heads(_head_bytes(labels))):
            place = _place(file, number, top)
            whole = head if image_record.label_count(head) <= labels.classes else file.read(number)
            labels.count(labels.of(image_record.labels(whole, place), place), counts)
            image_record.picture(whole, place)
    return FileSource(labels.classes, names, RecordShelf(files, labels, top), counts)


def _head_bytes(labels: Labels) -> int:
    """What is read of each record: header, as many labels as there are classes, and a byte of the picture."""
    return image_record.HEADER_BYTES + image_record.LABEL_BYTES * labels.classes + 1


def _place(file: RecordFile, number: int, top: Path) -> str:
    return f"record {number + 1} of {file.path.relative_to(top)}"
