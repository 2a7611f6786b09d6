"""The hyperparameters of SageMaker's image classification (developer guide, "IC-Hyperparameter"), and ours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from sagedock.algorithms.image_classification.description import MOST_CLASSES, MOST_RESIZE, MOST_SIDE
from sagedock.algorithms.image_classification.layouts import LAYOUTS
from sagedock.contracts.hyperparameters import (
    Boolean,
    Categorical,
    Declaration,
    Integer,
    Interval,
    ListOf,
    Parameter,
    ParseError,
    RangeError,
    Real,
    Rule,
    Values,
)
from sagedock.errors import UserError

ACCURACY = "accuracy"
FLOAT32, FLOAT16, INT8 = "float32", "float16", "int8"
OPTIMIZERS = ("sgd", "adam", "rmsprop", "nag")
NO_AUGMENTATION, CROP, CROP_COLOR, CROP_COLOR_TRANSFORM = "none", "crop", "crop_color", "crop_color_transform"
PRETRAINED_LAYERS = (18, 34, 50, 101, 152, 200)
SMALL_LAYERS = (20, 32, 44, 56, 110)
PRETRAINED_SIDE = 224
CHANNELS = (1, 3)
_UNIT = Interval(0, 1)


@dataclass(frozen=True)
class Layers:
    """A number of layers for which there is a network."""

    number = Integer()

    type_text = "integer"
    range_text = f"{{{', '.join(map(str, (*PRETRAINED_LAYERS, *SMALL_LAYERS)))}}}"

    def parse(self, text: str) -> int:
        """The number."""
        value = self.number.parse(text)
        if value not in LAYOUTS:
            raise RangeError(f"{value} is not in {self.range_text}")
        return value


@dataclass(frozen=True)
class ImageShape:
    """Channels, height and width of a picture, joined by commas."""

    numbers = ListOf(Integer(Interval(1, MOST_SIDE)))

    type_text = "text"
    range_text = f"C,H,W with C 3 (colour) or 1 (grey), H and W in [1, {MOST_SIDE}]"

    def parse(self, text: str) -> tuple[int, int, int]:
        """(C, H, W)."""
        found = self.numbers.parse(text)
        if len(found) != 3:
            raise ParseError("expected three integers such as 3,224,224")
        if found[0] not in CHANNELS:
            raise RangeError(f"{text[:60]} has {found[0]} channels: allowed is {self.range_text}")
        return (found[0], found[1], found[2])


PARAMETERS = (
    Parameter("num_classes", Integer(Interval(1, MOST_CLASSES)), "Classes, the width of the output.", required=True),
    Parameter("num_training_samples", Integer(Interval(1)), "Pictures of the train channel.", required=True),
    Parameter(
        "augmentation_type",
        Categorical((NO_AUGMENTATION, CROP, CROP_COLOR, CROP_COLOR_TRANSFORM)),
        "How training pictures are varied: cropped and mirrored at random; hue, saturation and lightness shifted, too; "
        "rotated, sheared and stretched, too. Without it they are cropped in the middle.",
        default=NO_AUGMENTATION,
    ),
    Parameter("beta_1", Real(_UNIT), "adam: decay of the gradients' mean.", default=0.9, tuning="0.000001 to 0.999"),
    Parameter(
        "beta_2", Real(_UNIT), "adam: decay of the gradients' squares.", default=0.999, tuning="0.000001 to 0.999"
    ),
    Parameter(
        "checkpoint_frequency",
        Integer(Interval(1)),
        "Every so many epochs the network is kept in the model; without it only the best epoch's.",
        library_default="the best epoch only",
    ),
    Parameter(
        "early_stopping",
        Boolean(),
        "Whether training ends when the validation accuracy does not rise any more.",
        default=False,
    ),
    Parameter(
        "early_stopping_min_epochs", Integer(Interval(1)), "early_stopping: epochs before it may end.", default=10
    ),
    Parameter(
        "early_stopping_patience",
        Integer(Interval(1)),
        "early_stopping: epochs without improvement, one after the other, that end training.",
        default=5,
    ),
    Parameter(
        "early_stopping_tolerance",
        Real(_UNIT),
        "early_stopping: (accuracy - best) / best that counts as an improvement.",
        default=0.0,
    ),
    Parameter("epochs", Integer(Interval(1)), "Passes over the train channel at most.", default=30),
    Parameter(
        "eps",
        Real(_UNIT),
        "adam and rmsprop: added to what gradients are divided by.",
        default=1e-8,
        tuning="0.00000001 to 1.0",
    ),
    Parameter(
        "gamma", Real(_UNIT), "rmsprop: decay of the gradients' squares.", default=0.9, tuning="0.00000001 to 0.999"
    ),
    Parameter(
        "image_shape",
        ImageShape(),
        "Channels, height and width of the pictures that the network sees.",
        default=(3, PRETRAINED_SIDE, PRETRAINED_SIDE),
    ),
    Parameter(
        "kv_store",
        Categorical(("dist_sync", "dist_async")),
        "How several hosts learn: by the mean of their gradients, whichever is given.",
        library_default="dist_sync",
    ),
    Parameter("learning_rate", Real(_UNIT), "Size of the optimizer's steps.", default=0.1, tuning="0.000001 to 0.5"),
    Parameter(
        "lr_scheduler_factor", Real(_UNIT), "The learning rate is multiplied by it at lr_scheduler_step.", default=0.1
    ),
    Parameter(
        "lr_scheduler_step",
        ListOf(Integer(Interval(1))),
        "Epochs after which the learning rate is lowered, such as 10,20.",
        library_default="never",
    ),
    Parameter(
        "mini_batch_size", Integer(Interval(1)), "Pictures of a step, on each host.", default=32, tuning="8 to 512"
    ),
    Parameter("momentum", Real(_UNIT), "sgd and nag: momentum.", default=0.9, tuning="0.0 to 0.999"),
    Parameter(
        "multi_label",
        Boolean(),
        "Whether a picture may be of several classes; then each class has a probability by itself.",
        default=False,
    ),
    Parameter(
        "num_layers",
        Layers(),
        "Layers of the network; those of the second half are for small pictures, of 28 x 28, say.",
        default=152,
    ),
    Parameter(
        "optimizer",
        Categorical(OPTIMIZERS),
        "What makes steps of gradients, as MXNet has it.",
        default="sgd",
        tuning="sgd, adam, rmsprop, nag",
    ),
    Parameter(
        "precision_dtype",
        Categorical((FLOAT32, FLOAT16)),
        "float16: mixed precision on a GPU; on a CPU it is float32 in any case.",
        default=FLOAT32,
    ),
    Parameter(
        "resize",
        Integer(Interval(1, MOST_RESIZE)),
        "Pixels that the shorter side of a picture is brought to before it is cropped; required for image files.",
        library_default="as stored",
    ),
    Parameter("top_k", Integer(Interval(2)), "The log tells how often the class is among the first k, too."),
    Parameter(
        "use_pretrained_model",
        Boolean(),
        "Whether training begins with weights learnt elsewhere, the last layer apart.",
        default=False,
    ),
    Parameter(
        "use_weighted_loss",
        Boolean(),
        "multi_label: a class's pictures count for the more, the fewer they are.",
        default=False,
    ),
    Parameter(
        "weight_decay",
        Real(_UNIT),
        "sgd and nag: times each weight, added to its gradient.",
        default=0.0001,
        tuning="0.0 to 0.999",
    ),
    Parameter(
        "_frozen_backbone",
        Boolean(),
        "Extension of sagedock: only the last layer learns; what the others make of each picture is computed once.",
        default=False,
    ),
    Parameter(
        "_new_head",
        Boolean(),
        "Extension of sagedock: the last layer of the network in the model channel is left behind, so that classes and "
        "image_shape may be others.",
        default=False,
    ),
    Parameter(
        "_serving_precision",
        Categorical((FLOAT32, INT8)),
        "Extension of sagedock: numbers that the model answers with; int8 is faster and a little less exact.",
        default=FLOAT32,
    ),
    Parameter(
        "_class_names",
        Boolean(),
        "Extension of sagedock: answers are names and probabilities of classes, in place of probabilities alone.",
        default=False,
    ),
    Parameter("_seed", Integer(Interval(0)), "Extension of sagedock: seed of all random numbers.", default=0),
)


def _check_frequency(values: Values) -> Iterable[str]:
    frequency = values.get("checkpoint_frequency")
    if frequency is not None and frequency > values["epochs"]:
        yield (
            f"Hyperparameter checkpoint_frequency: {frequency} is more than epochs, {values['epochs']}: no epoch would "
            "be kept; lower it, or leave it out to keep the best epoch"
        )


def _check_steps(values: Values) -> Iterable[str]:
    steps = values.get("lr_scheduler_step") or ()
    if any(later <= earlier for earlier, later in pairwise(steps)):
        yield f"Hyperparameter lr_scheduler_step: {','.join(map(str, steps))} has to rise from one epoch to the next"


def _check_samples(values: Values) -> Iterable[str]:
    samples, batch = values["num_training_samples"], values["mini_batch_size"]
    if samples < batch:
        yield (
            f"The number of input images must be bigger or equal to the mini_batch_size: num_training_samples is "
            f"{samples} and mini_batch_size {batch}; lower mini_batch_size, or give more pictures"
        )


def _check_frozen(values: Values) -> Iterable[str]:
    if values["_frozen_backbone"] and values["augmentation_type"] != NO_AUGMENTATION:
        yield (
            f"Hyperparameter augmentation_type: {values['augmentation_type']} has no effect with _frozen_backbone 1, "
            "which looks at each picture once: leave one of the two out"
        )


HYPERPARAMETERS = Declaration(
    PARAMETERS,
    (
        Rule(("checkpoint_frequency", "epochs"), _check_frequency),
        Rule(("lr_scheduler_step",), _check_steps),
        Rule(("num_training_samples", "mini_batch_size"), _check_samples),
        Rule(("augmentation_type", "_frozen_backbone"), _check_frozen),
    ),
    unknown="Additional hyperparameters are not allowed ({name!r} was unexpected)",
)

NOT_OF_THE_MODEL = frozenset({"epochs", "_class_names", "_serving_precision", "kv_store", "top_k"})
"""Hyperparameters in which a job may differ from the one whose checkpoint it resumes."""

DEFAULTS: Mapping[str, Any] = {each.name: each.default for each in PARAMETERS if each.default is not None}
"""For the log."""


def require_pretrained(values: Values) -> None:
    """Raise UserError where no network learnt elsewhere can be what is asked for."""
    layers = values["num_layers"]
    if layers in SMALL_LAYERS:
        raise UserError(
            f"Hyperparameter num_layers: there are no pretrained networks of {layers} layers; with "
            f"use_pretrained_model 1 give one of {', '.join(map(str, PRETRAINED_LAYERS))}",
            field="num_layers",
        )
    if values["image_shape"] != (3, PRETRAINED_SIDE, PRETRAINED_SIDE):
        raise UserError(
            f"Hyperparameter image_shape: {shape_text(values)} does not go with use_pretrained_model 1, whose networks "
            f"have seen pictures of 3,{PRETRAINED_SIDE},{PRETRAINED_SIDE}: give that shape, or use_pretrained_model 0",
            field="image_shape",
        )


def completed(values: Values) -> Values:
    """The same, with None for what is neither given nor defaulted."""
    return Values({**{each.name: None for each in PARAMETERS}, **values}, values.given)


def shape_text(values: Values) -> str:
    """image_shape as users write it."""
    return ",".join(map(str, values["image_shape"]))


def of_no_effect(values: Values) -> Iterable[str]:
    """What is given and changes nothing, a sentence each."""
    optimizer, given = values["optimizer"], values.given
    of_optimizers = {
        "momentum": ("sgd", "nag"),
        "weight_decay": ("sgd", "nag"),
        "beta_1": ("adam",),
        "beta_2": ("adam",),
        "eps": ("adam", "rmsprop"),
        "gamma": ("rmsprop",),
    }
    for name, users in of_optimizers.items():
        if name in given and optimizer not in users:
            yield f"{name} has no effect with optimizer {optimizer}"
    if not values["early_stopping"]:
        yield from (
            f"{name} has no effect without early_stopping" for name in given if name.startswith("early_stopping_")
        )
    if values["use_weighted_loss"] and not values["multi_label"]:
        yield "use_weighted_loss has no effect without multi_label"
    if "lr_scheduler_factor" in given and not values.get("lr_scheduler_step"):
        yield "lr_scheduler_factor has no effect without lr_scheduler_step"
    if values.get("top_k") is not None and values["multi_label"]:
        yield "top_k has no effect with multi_label"
    if values["num_classes"] == 1 and not values["multi_label"]:
        yield "num_classes 1 leaves nothing to learn: every answer is 1.0"
