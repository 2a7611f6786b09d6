"""What the artefact says of the network: image-classification-symbol.json, the built-in's name with content of our own.

It is hostile input: whatever it says is within the limits of the hyperparameters before anything is made of it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sagedock.algorithms.image_classification import layouts
from sagedock.algorithms.image_classification.graph import Architecture
from sagedock.errors import ModelError

SYMBOL = "image-classification-symbol.json"
NETWORK = "image-classification.onnx"
FORMAT, VERSION = "sagedock image-classification", 1
PRECISIONS = ("float32", "int8")
MOST_CLASSES = 100_000
MOST_SIDE = 4096
"""Pixels of a side of image_shape."""
MOST_RESIZE = 4 * MOST_SIDE
"""Pixels of the hyperparameter resize."""
LARGEST_BYTES = 64 << 20
LONGEST_NAME = 1000
"""Characters of a class's name."""


@dataclass(frozen=True)
class Description:
    """`image_shape` is (C, H, W), `stem` the kernel of the first convolution, `epoch` counts from 1.

    `accuracy` is that of the validation channel, None where nothing was validated; `resize` the hyperparameter.
    `answers_names` says that answers carry `class_names` unless the deployer says otherwise.
    """

    num_layers: int
    image_shape: tuple[int, int, int]
    num_classes: int
    stem: int
    multi_label: bool = False
    class_names: tuple[str, ...] | None = None
    answers_names: bool = False
    resize: int | None = None
    epoch: int = 0
    accuracy: float | None = None
    precision: str = PRECISIONS[0]

    @property
    def architecture(self) -> Architecture:
        """What decides the graph that is served."""
        return Architecture(
            self.num_layers,
            self.image_shape,
            self.num_classes,
            self.stem,
            self.multi_label,
            int8=self.precision == "int8",
        )

    def text(self) -> str:
        """The file's content."""
        return json.dumps({"format": FORMAT, "version": VERSION, **asdict(self)}, indent=2) + "\n"

    @classmethod
    def read(cls, file: Path) -> Description:
        """Raises ModelError naming the file and the field."""
        try:
            if file.stat().st_size <= LARGEST_BYTES:
                return cls.of(file.read_bytes())
            reason = f"it has more than {LARGEST_BYTES} bytes"
        except FileNotFoundError as error:
            raise ModelError(f"{file} is missing: deploy the model's archive again") from error
        except (ValueError, RecursionError) as error:
            reason = str(error)
        raise ModelError(
            f"{file} describes no network of image classification: {reason}; deploy the model's archive again"
        )

    @classmethod
    def of(cls, content: bytes) -> Description:
        """Of the file's content. Raises ValueError and RecursionError."""
        document = json.loads(content)
        return _described(document if isinstance(document, dict) else {})


def _described(document: dict[str, Any]) -> Description:
    if (document.get("format"), document.get("version")) != (FORMAT, VERSION):
        raise ValueError(f"its format is not {FORMAT!r} {VERSION}")
    layers = _whole(document, "num_layers", max(layouts.LAYOUTS))
    if layers not in layouts.LAYOUTS:
        raise ValueError(f"num_layers {layers} is not one of {', '.join(map(str, sorted(layouts.LAYOUTS)))}")
    classes = _whole(document, "num_classes", MOST_CLASSES)
    precision = document.get("precision")
    if precision not in PRECISIONS:
        raise ValueError(f"precision {str(precision)[:40]!r} is not one of {', '.join(PRECISIONS)}")
    return Description(
        num_layers=layers,
        image_shape=_shape(document.get("image_shape")),
        num_classes=classes,
        stem=_stem(document),
        multi_label=_flag(document, "multi_label"),
        class_names=_names(document.get("class_names"), classes),
        answers_names=_flag(document, "answers_names"),
        resize=None if document.get("resize") is None else _whole(document, "resize", MOST_RESIZE),
        epoch=_whole(document, "epoch", 2**31, least=0),
        accuracy=_accuracy(document.get("accuracy")),
        precision=precision,
    )


def _whole(document: dict[str, Any], name: str, most: int, least: int = 1) -> int:
    value = document.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ValueError(f"{name} {str(value)[:40]!r} is no whole number from {least} to {most}")
    return value


def _flag(document: dict[str, Any], name: str) -> bool:
    value = document.get(name)
    if value is True or value is False:
        return bool(value)
    raise ValueError(f"{name} {str(value)[:40]!r} is neither true nor false")


def _stem(document: dict[str, Any]) -> int:
    kernel = _whole(document, "stem", layouts.WIDE_STEM)
    if kernel not in {layouts.NARROW_STEM, layouts.WIDE_STEM}:
        raise ValueError(f"stem {kernel} is neither {layouts.NARROW_STEM} nor {layouts.WIDE_STEM}")
    return kernel


def _shape(value: Any) -> tuple[int, int, int]:
    whole = isinstance(value, list) and len(value) == 3 and all(type(side) is int for side in value)
    if not whole or value[0] not in {1, 3} or not all(1 <= side <= MOST_SIDE for side in value[1:]):
        raise ValueError(f"image_shape {str(value)[:60]} is not 1 or 3 and two sides up to {MOST_SIDE}")
    return value[0], value[1], value[2]


def _names(value: Any, classes: int) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != classes or not all(map(_is_name, value)):
        raise ValueError(f"class_names are not {classes} texts of at most {LONGEST_NAME} characters")
    return tuple(value)


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST_NAME and is_unicode(value)


def is_unicode(name: str) -> bool:
    """Whether answers can carry it: a file's name that is no UTF-8 holds surrogates in Python."""
    return not any("\ud800" <= character <= "\udfff" for character in name)


def _accuracy(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(f"accuracy {str(value)[:40]!r} is not between 0 and 1")
    return float(value)
