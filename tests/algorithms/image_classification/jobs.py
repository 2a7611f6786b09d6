"""Small training jobs of the algorithm on the pictures of `channel_data`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.algorithms.image_classification import channel_data
from tests.platform import Job

RECORDIO = "application/x-recordio"
CLASSES, TRAIN, VALIDATION, SIDE = 2, 16, 8, 16
ASKED = {
    "num_classes": str(CLASSES),
    "num_training_samples": str(TRAIN),
    "num_layers": "20",
    "image_shape": f"3,{SIDE},{SIDE}",
    "mini_batch_size": "8",
    "learning_rate": "0.05",
    "epochs": "2",
}


def records(count: int, seed: int = 0, classes: int = CLASSES) -> bytes:
    """A RecordIO file of so many pictures, class after class in turn."""
    return channel_data.record_bytes(channel_data.pictures(count, classes, (SIDE, SIDE), seed))


def channels(
    train: int = TRAIN, validation: int = VALIDATION, classes: int = CLASSES
) -> Mapping[str, Mapping[str, bytes]]:
    """The files of both channels."""
    return {
        "train": {"train.rec": records(train, classes=classes)},
        "validation": {"validation.rec": records(validation, 1, classes)},
    }


def job(base: Path, train: int = TRAIN, validation: int = VALIDATION, classes: int = CLASSES, **given: str) -> Job:
    """A job on RecordIO files."""
    told = {"num_classes": str(classes), "num_training_samples": str(train)}
    made = Job(base, {"sagedock_algorithm": "image-classification", **ASKED, **told, **given})
    for name, files in channels(train, validation, classes).items():
        made.add_channel(name, files, ContentType=RECORDIO)
    return made
