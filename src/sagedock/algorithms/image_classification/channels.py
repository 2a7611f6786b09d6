"""From the channels of a job to its sources of examples: which form the data have, and what has to be the same.

A channel holds RecordIO files, or pictures that a .lst file in a channel of its own lists, or a folder of pictures for
each class.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sagedock.algorithms.image_classification import class_names, folders, records
from sagedock.algorithms.image_classification.examples import FileSource, Source
from sagedock.algorithms.image_classification.labels import Labels
from sagedock.contracts.channels import Channel
from sagedock.errors import UserError
from sagedock.formats.media_types import RECORDIO_WRAPPED, parse_media_type

log = logging.getLogger(__name__)

PICTURE_TYPES = ("application/x-image", "image/jpeg", "image/png")
TRAINING_TYPES = (RECORDIO_WRAPPED, *PICTURE_TYPES)

_BESIDE = (".idx", ".lst", ".txt")
"""What may lie beside RecordIO files whose names do not say what they are."""


def sources(channels: Mapping[str, Channel], hyperparameters: Mapping[str, Any]) -> tuple[Source, Source]:
    """The examples of train and of validation. Files are looked at now, all but the pictures themselves.

    Raises UserError naming channel, file, and record or line, for whatever is wrong with them.
    """
    train = _source(channels, "train", hyperparameters)
    validation = _source(channels, "validation", hyperparameters, train.names if _in_folders(train) else None)
    if _in_folders(train) != _in_folders(validation):
        raise UserError(
            "one of the channels train and validation has a folder for each class and the other has numbered classes: "
            "give both the same form, since nothing says which folder has which number",
            field="validation",
        )
    check_size(train.rows, hyperparameters)
    return train, validation


def check_size(rows: int | None, hyperparameters: Mapping[str, Any]) -> None:
    """Refuse fewer training examples than fill a batch, and warn of another number than was said; None is no number."""
    if rows is None:
        return
    size, said = hyperparameters["mini_batch_size"], hyperparameters["num_training_samples"]
    if rows < size:
        raise UserError(
            f"The number of input images must be bigger or equal to the mini_batch_size: the train channel has {rows} "
            f"images, and mini_batch_size is {size}: lower it or give more images",
            field="mini_batch_size",
        )
    if rows != said:
        log.warning(
            "the train channel has %d images, and num_training_samples is %d: lr_scheduler_step goes by the latter",
            rows,
            said,
        )


def _source(
    channels: Mapping[str, Channel],
    name: str,
    hyperparameters: Mapping[str, Any],
    expected: tuple[str, ...] | None = None,
) -> FileSource:
    channel = channels[name]
    labels = Labels(hyperparameters["num_classes"], bool(hyperparameters["multi_label"]))
    log.info("Searching for .rec files in %s.", channel.path)
    paths = channel.files()
    found = _record_files(channel, paths)
    _check_resize(channel, hyperparameters, pictures=not found)
    if found:
        names = class_names.find([channel.path], labels.classes)
        return records.source(found, labels, names, channel.path.parent)
    if labels.multi_label:
        raise UserError(
            f"channel {name!r}: a folder for each class gives a picture one label, and multi_label is 1: list the "
            f"pictures in a .lst file in the channel {name}_lst, or use RecordIO",
            field="multi_label",
        )
    channel.sources()  # says so where there is no file
    return folders.source(channel, labels.classes, paths, expected)


def _record_files(channel: Channel, paths: Sequence[Path]) -> list[Path]:
    """The RecordIO files: by their names, else all files where the channel is declared to hold such."""
    found = [path for path in paths if path.suffix == ".rec"]
    if not found and channel.content_type and _essence(channel) == RECORDIO_WRAPPED:
        found = [path for path in paths if path.suffix not in _BESIDE]
    if not found and any(channel.path.rglob("*.rec")):
        raise UserError(
            f"Unable to start training. Empty .rec file in {channel.name} channel. Make it again: {channel.path}",
            field=channel.name,
        )
    return found


def _check_resize(channel: Channel, hyperparameters: Mapping[str, Any], *, pictures: bool) -> None:
    declared = bool(channel.content_type) and _essence(channel) in PICTURE_TYPES
    if hyperparameters["resize"] is None and (pictures or declared):
        kind = channel.content_type if declared else "pictures in files of their own"
        raise UserError(
            f"the hyperparameter resize is required for {kind}, which the channel {channel.name!r} has: set it to the "
            "length that the shorter side of every picture is given, above height and width of image_shape",
            field="resize",
        )


def _in_folders(source: FileSource) -> bool:
    return isinstance(source.shelf, folders.FolderShelf)


def _essence(channel: Channel) -> str:
    return parse_media_type(channel.content_type or RECORDIO_WRAPPED).essence
