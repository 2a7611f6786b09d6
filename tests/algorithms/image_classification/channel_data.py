"""Small pictures of a test's own making, and the forms in which a channel may hold them.

A class is a colour and a direction of stripes, which a small network learns within some epochs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sagedock.formats import image_record, recordio
from tests.algorithms.image_classification.pictures import encoded

COLOURS = ((220, 40, 40), (40, 200, 60), (50, 60, 220), (210, 200, 40), (190, 60, 200), (60, 200, 200))


@dataclass(frozen=True)
class Picture:
    """A picture's file, and its labels: a class number, or a 0 or 1 for each class."""

    encoded: bytes
    labels: tuple[float, ...]


def pixels(number: int, height: int, width: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """A picture (H, W, 3) of the class of this number, no two alike."""
    rows, columns = np.mgrid[:height, :width]
    along = (rows, columns, rows + columns)[number % 3]
    stripes = np.sin(along * 0.9 + random.uniform(0, 6))[..., None]
    colour = np.array(COLOURS[number % len(COLOURS)])
    noise = random.normal(0, 12, (height, width, 3))
    return np.clip(colour * (0.75 + 0.25 * stripes) + noise, 0, 255).astype(np.uint8)


def pictures(
    count: int, classes: int = 2, size: tuple[int, int] = (16, 16), seed: int = 0, form: str = "PNG"
) -> list[Picture]:
    """So many pictures of height and width `size`, class after class in turn."""
    random = np.random.default_rng(seed)
    numbers = [number % classes for number in range(count)]
    return [Picture(encoded(pixels(number, *size, random), form), (float(number),)) for number in numbers]


def several(
    count: int, classes: int = 3, size: tuple[int, int] = (16, 16), seed: int = 0, form: str = "PNG"
) -> list[Picture]:
    """Pictures that may be of several classes at once: each class that it has fills a strip of its own."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        labels = random.integers(0, 2, classes)
        strips = [
            pixels(number, size[0], size[1], random) if has else np.zeros((*size, 3), np.uint8)
            for number, has in enumerate(labels)
        ]
        columns = np.arange(size[1]) * classes // size[1]
        found.append(
            Picture(
                encoded(np.stack(strips)[columns, :, np.arange(size[1])].swapaxes(0, 1), form),
                tuple(map(float, labels)),
            )
        )
    return found


def record_bytes(some: Iterable[Picture]) -> bytes:
    """A .rec file's content."""
    packed = (image_record.packed(one.labels, one.encoded, number) for number, one in enumerate(some))
    return b"".join(map(recordio.frame, packed))


def record_channel(folder: Path, some: Iterable[Picture], name: str = "data.rec") -> Path:
    """A channel's folder with one .rec file, which is returned."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_bytes(record_bytes(some))
    return file


def folder_channel(folder: Path, some: Iterable[Picture], names: Sequence[str], ending: str = "png") -> None:
    """A channel's folder with a folder of each class, called by `names` in order of their numbers."""
    for number, one in enumerate(some):
        below = folder / names[int(one.labels[0])]
        below.mkdir(parents=True, exist_ok=True)
        (below / f"{number:05}.{ending}").write_bytes(one.encoded)


def list_channel(folder: Path, list_folder: Path, some: Iterable[Picture], ending: str = "png") -> Path:
    """A channel's folder of pictures, and its list channel's with one .lst file, which is returned."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    list_folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for number, one in enumerate(some):
        path = f"images/{number:05}.{ending}"
        (folder / path).write_bytes(one.encoded)
        lines.append("\t".join([str(number), *(f"{label:f}" for label in one.labels), path]))
    file = list_folder / f"{folder.name}.lst"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def manifest_stream(some: Iterable[Picture], *, class_ids: bool = False) -> bytes:
    """What SageMaker sends through a pipe of an augmented manifest: of each line a picture's record and a label's."""
    frames = []
    for one in some:
        frames += [recordio.frame(one.encoded), recordio.frame(_label_text(one.labels, class_ids=class_ids))]
    return b"".join(frames)


def _label_text(labels: Sequence[float], *, class_ids: bool) -> bytes:
    if len(labels) == 1:
        return str(int(labels[0])).encode()
    whole = [int(label) for label in labels]
    return json.dumps([number for number, has in enumerate(whole) if has] if class_ids else whole).encode()
