"""The network that a job begins with: of random weights, of pretrained ones, or of those in the channel `model`."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping
from pathlib import Path

from sagedock.algorithms.image_classification import networks, weight_places, weights
from sagedock.algorithms.image_classification.layouts import LAYOUTS, NARROW_STEM, WIDE_STEM
from sagedock.algorithms.image_classification.networks import Network
from sagedock.algorithms.image_classification.weights import Weights
from sagedock.contracts.channels import Channel
from sagedock.contracts.hyperparameters import Values
from sagedock.errors import UserError

log = logging.getLogger(__name__)

_FIXED = ("num_layers", "image_shape", "num_classes")
"""What incremental training leaves as it was (developer guide, "IC-Hyperparameter")."""


def network(
    values: Values,
    channels: Mapping[str, Channel],
    environment: Mapping[str, str],
    image_folder: Path = weight_places.IMAGE_FOLDER,
) -> Network:
    """That of num_layers, num_classes and image_shape. The channel `model` wins over use_pretrained_model.

    Raises UserError where weights are asked for and there are none, or none that fit; no data has been read by then.
    """
    if weight_places.CHANNEL in channels:
        if values["use_pretrained_model"]:
            log.info("use_pretrained_model is ignored: the channel %s gives the weights", weight_places.CHANNEL)
        with tempfile.TemporaryDirectory(prefix="sagedock-model-") as room:
            file = weight_places.in_channel(channels[weight_places.CHANNEL], Path(room) / "model")
            return _begun(values, weights.read(file), new_head=values["_new_head"])
    if values["use_pretrained_model"]:
        file = weight_places.pretrained(values["num_layers"], environment, image_folder)
        return _begun(values, weights.read(file), new_head=True)
    log.info("the network begins with random weights")
    return networks.build(*_asked(values), seed=values["_seed"])


def _begun(values: Values, found: Weights, *, new_head: bool) -> Network:
    """The network asked for, filled with weights: the head's, too, where a model of ours is to learn on."""
    whole = found.own and not new_head
    if found.own:
        _require_same(values, found, _FIXED if whole else _FIXED[:1])
    layers, classes, shape = _asked(values)
    stem = None if LAYOUTS[layers].small else found.stem
    if stem not in {None, NARROW_STEM, WIDE_STEM}:
        raise UserError(
            f"{found.file}: its first convolution is of {stem} x {stem}, not of 3 x 3 or 7 x 7", field="model"
        )
    built = networks.build(layers, classes, shape, seed=values["_seed"], stem=stem)
    found.into(built, head=whole)
    kept = "all layers" if whole else "all layers but the last"
    built.origin = f"{found.file.name}, {kept}"
    log.info("the network begins with the weights of %s: %s", found.file.name, kept)
    return built


def _require_same(values: Values, found: Weights, names: tuple[str, ...]) -> None:
    """Raise UserError where a model that is to learn on is another network than the one asked for."""
    for name in names:
        asked = ",".join(map(str, values[name])) if name == "image_shape" else str(values[name])
        if found.facts.get(name) != asked:
            remedy = "" if name == "num_layers" else ", or _new_head 1 to keep all of the model but its last layer"
            raise UserError(
                f"the hyperparameter {name} is {asked}, and that of the model in the channel model "
                f"{str(found.facts.get(name, 'not known'))[:60]}: incremental training leaves num_layers, image_shape "
                f"and num_classes as they were; give {name} {str(found.facts.get(name))[:60]}{remedy}",
                field=name,
            )


def _asked(values: Values) -> tuple[int, int, tuple[int, int, int]]:
    return values["num_layers"], values["num_classes"], values["image_shape"]
