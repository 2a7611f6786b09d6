"""From the channels of a job to its sources of examples: which form the data have, and what has to be the same.

A channel holds RecordIO files, or pictures that a .lst file in a channel of its own lists, or a folder of pictures for
each class; or it is a pipe of an augmented manifest, or of RecordIO files.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from sagedock.algorithms.image_classification import class_names, folders, listed, records
from sagedock.algorithms.image_classification.examples import FileSource, Source
from sagedock.algorithms.image_classification.labels import Labels
from sagedock.algorithms.image_classification.manifest import CLASS_ID, MULTI_HOT, PipeSource
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
    _check_lists(channels)
    train = _source(channels, "train", hyperparameters)
    names = train.names if _in_folders(train) else None
    validation = _source(channels, "validation", hyperparameters, names)
    if _in_folders(train) != _in_folders(validation):
        raise UserError(
            "one of the channels train and validation has a folder for each class and the other has numbered classes: "
            "give both the same form, since nothing says which folder has which number",
            field="validation",
        )
    if isinstance(train, PipeSource):
        train.ended = partial(check_size, hyperparameters=hyperparameters)
    else:
        check_size(train.rows, hyperparameters)
    return train, validation


def check_size(rows: int, hyperparameters: Mapping[str, Any]) -> None:
    """Refuse fewer training examples than fill a batch, and warn of another number of them than was said."""
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


def _check_lists(channels: Mapping[str, Channel]) -> None:
    given = [name for name in ("train_lst", "validation_lst") if name in channels]
    if len(given) == 1:
        [other] = {"train_lst", "validation_lst"} - set(given)
        raise UserError(
            f"the channel {given[0]} is given and {other} is not: pictures of both channels are listed, or those of "
            f"neither; add {other}",
            field=other,
        )


def _source(
    channels: Mapping[str, Channel],
    name: str,
    hyperparameters: Mapping[str, Any],
    expected: tuple[str, ...] | None = None,
) -> FileSource | PipeSource:
    """The source of one channel; `expected` are the names of the other's folders."""
    channel, lists = channels[name], channels.get(f"{name}_lst")
    labels = Labels(hyperparameters["num_classes"], bool(hyperparameters["multi_label"]))
    if channel.input_mode == "Pipe":
        _check_resize(channel, hyperparameters, pictures=False)
        return _pipe(channel, labels)
    log.info("Searching for .rec files in %s.", channel.path)
    paths = channel.files()
    if found := _record_files(channel, paths, listed=lists is not None):
        _check_resize(channel, hyperparameters, pictures=False)
        return records.source(found, labels, class_names.find([channel.path], labels.classes), channel.path.parent)
    channel.sources()  # says so where there is no file
    _check_resize(channel, hyperparameters, pictures=True)
    if lists is not None:
        names = class_names.find([lists.path, channel.path], labels.classes)
        return listed.source(channel, lists, labels, names)
    _check_folders(channel, paths, labels)
    return folders.source(channel, labels.classes, paths, expected)


def _check_folders(channel: Channel, paths: Sequence[Path], labels: Labels) -> None:
    """Refuse what a folder for each class cannot say, and lists that nothing asks to be read."""
    remedy = f"give a .lst file in a channel {channel.name}_lst of its own"
    if labels.multi_label:
        raise UserError(
            f"channel {channel.name!r}: a folder for each class gives a picture one label, and multi_label is 1: "
            f"{remedy}, or use RecordIO",
            field="multi_label",
        )
    if list_file := next((path for path in paths if path.suffix == ".lst"), None):
        raise UserError(
            f"{list_file} lies beside the pictures, where it is not read: {remedy}, or take it away for a folder of "
            "each class",
            field=f"{channel.name}_lst",
        )


def _pipe(channel: Channel, labels: Labels) -> PipeSource:
    media_type = parse_media_type(channel.content_type or RECORDIO_WRAPPED)
    label_format = media_type.parameters.get("label-format")
    if label_format not in {None, MULTI_HOT, CLASS_ID}:
        raise UserError(
            f"channel {channel.name!r}: the content type says label-format={label_format}, and it is {MULTI_HOT} or "
            f"{CLASS_ID}",
            field=channel.name,
        )
    log.info("Labels of the %s channel are read as %s.", channel.name, label_format or MULTI_HOT)
    paired = channel.record_wrapper == "RecordIO" or label_format is not None or media_type.essence in PICTURE_TYPES
    return PipeSource(channel, labels, label_format or MULTI_HOT, paired)


def _record_files(channel: Channel, paths: Sequence[Path], *, listed: bool) -> list[Path]:
    """The RecordIO files: by their names, else all files that are declared to be such and not listed."""
    found = [path for path in paths if path.suffix == ".rec"]
    if found and listed:
        log.warning("%s holds .rec files: they are read, and the channel %s_lst is not", channel.path, channel.name)
    if not found and not listed and channel.content_type and _essence(channel) == RECORDIO_WRAPPED:
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


def _in_folders(source: FileSource | PipeSource) -> bool:
    return isinstance(source, FileSource) and isinstance(source.shelf, folders.FolderShelf)


def _essence(channel: Channel) -> str:
    return parse_media_type(channel.content_type or RECORDIO_WRAPPED).essence
