"""Where a job's first weights lie: the channel `model`, SAGEDOCK_WEIGHTS_DIR, or a folder in the image."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sagedock.algorithms.image_classification.weights import PARAMS, SAFETENSORS, STATE_DICTS
from sagedock.contracts import archives
from sagedock.contracts.channels import Channel
from sagedock.errors import ModelError, UserError

CHANNEL = "model"
VARIABLE = "SAGEDOCK_WEIGHTS_DIR"
IMAGE_FOLDER = Path("/opt/sagedock/weights")
"""Filled where the image is built, by a build argument."""
DESCRIPTION = "image-classification-symbol.json"
_ARTEFACT = re.compile(r"image-classification-(\d{4,})\.params")
_ARCHIVES = (".tar.gz", ".tgz", ".tar")
_LARGEST_DESCRIPTION = 64 << 20


def in_channel(channel: Channel, room: Path) -> Path:
    """The file of weights that the channel `model` means; a model.tar.gz is unpacked to the directory `room`.

    Raises UserError where there is none, or more than one and nothing to choose by.
    """
    files = channel.files()
    packed = [file for file in files if file.name.endswith(_ARCHIVES)]
    if len(packed) == 1:
        try:
            archives.unpack(packed[0], room)
        except ModelError as error:
            raise UserError(f"the channel {CHANNEL}: {error}", field=CHANNEL) from error
        files = sorted(file for file in room.rglob("*") if file.is_file())
    own = {int(match[1]): file for file in files if (match := _ARTEFACT.fullmatch(file.name))}
    if own:
        return own.get(_served(files), own[max(own)])
    found = [file for file in files if file.suffix in (*STATE_DICTS, SAFETENSORS, PARAMS)]
    if len(found) == 1:
        return found[0]
    holds = ", ".join(file.name for file in (found or files)[:5]) or "nothing"
    raise UserError(
        f"the channel {CHANNEL} has to hold one file of weights, and holds {holds}: give the model.tar.gz of an "
        "earlier job of this algorithm, a state dict of torchvision (.pth or .pt), or safetensors",
        field=CHANNEL,
    )


def pretrained(layers: int, environment: Mapping[str, str], image_folder: Path = IMAGE_FOLDER) -> Path:
    """The file of weights that use_pretrained_model means. Raises UserError naming the ways to give them."""
    given = environment.get(VARIABLE)
    if given and not Path(given).is_dir():
        raise UserError(
            f"{VARIABLE} is {given!r}, which is no directory here: name one that holds weights", field=VARIABLE
        )
    for folder in (*((Path(given),) if given else ()), image_folder):
        found = _of_layers(folder, layers)
        if len(found) > 1:
            names = ", ".join(file.name for file in found)
            raise UserError(
                f"{folder} holds several networks of {layers} layers: {names}; leave one there", field=VARIABLE
            )
        if found:
            return found[0]
    raise UserError(
        f"use_pretrained_model is 1, and there are no weights of {layers} layers; none are fetched while a job runs. "
        f"There are three ways: a channel {CHANNEL} with a state dict of torchvision's resnet{layers} (.pth), "
        f"safetensors or the model.tar.gz of an earlier job; {VARIABLE}, the path of a folder with such a file "
        f"(resnet{layers}-....pth or resnet{layers}.safetensors); an image built with the build argument that puts "
        f"torchvision's weights into {image_folder}. Or train from scratch with use_pretrained_model 0",
        field="use_pretrained_model",
    )


def _of_layers(folder: Path, layers: int) -> Sequence[Path]:
    pattern = re.compile(rf"resnet{layers}(?!\d).*({'|'.join(map(re.escape, (*STATE_DICTS, SAFETENSORS, PARAMS)))})")
    return sorted(file for file in folder.glob("resnet*") if file.is_file() and pattern.fullmatch(file.name))


def _served(files: Sequence[Path]) -> int:
    """The number of the epoch that an artefact says it serves; -1 where it does not say."""
    for file in files:
        if file.name == DESCRIPTION and file.stat().st_size <= _LARGEST_DESCRIPTION:
            try:
                found: Any = json.loads(file.read_bytes())
            except (ValueError, RecursionError):
                return -1
            epoch = found.get("epoch") if isinstance(found, dict) else None
            return epoch if type(epoch) is int else -1
    return -1
