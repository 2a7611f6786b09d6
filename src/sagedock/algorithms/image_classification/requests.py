"""What a model of pictures is asked: one encoded picture a request (developer guide, image classification).

The bytes decide the decoder, whatever Content-Type calls them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.image_classification.description import Description
from sagedock.algorithms.image_classification.preparation import Preparation, squashed
from sagedock.errors import UnsupportedMediaType, UserError
from sagedock.formats.media_types import MediaType

JPEG, PNG, IMAGE = "image/jpeg", "image/png", "application/x-image"
REQUEST_TYPES = (IMAGE, JPEG, PNG)
CROP_VARIABLE = "SAGEDOCK_IMAGE_CROP"
NAMES_VARIABLE = "SAGEDOCK_CLASS_NAMES"
_PLACE = "the request's body"
_TRUE, _FALSE = frozenset({"1", "true", "yes", "on"}), frozenset({"0", "false", "no", "off"})


@dataclass(frozen=True)
class Settings:
    """What the deployer's environment says.

    `crop` resizes the shorter side and takes the middle, as validation does, in place of squashing the whole picture;
    `names` is whether answers carry the names of classes.
    """

    crop: bool = False
    names: bool = False

    @classmethod
    def of(cls, environment: Mapping[str, str], description: Description) -> Settings:
        """Raises UserError naming the variable."""
        return cls(
            crop=_flag(environment, CROP_VARIABLE, default=False),
            names=_flag(environment, NAMES_VARIABLE, default=description.answers_names),
        )


@dataclass(frozen=True)
class Pictures:
    """Pictures as the network takes them, (n, C, H, W); satisfies `sagedock.algorithm.Records`."""

    pixels: NDArray[np.uint8]

    @property
    def rows(self) -> int:
        return len(self.pixels)

    def part(self, begin: int, end: int) -> Pictures:
        """Those from `begin` (counted from 0) up to `end`, which may lie behind the last."""
        return Pictures(self.pixels[begin:end])


def decode(body: bytes, media_type: MediaType, description: Description, settings: Settings) -> Pictures:
    """The picture of a request. Raises UserError for what is none, and UnsupportedMediaType."""
    if media_type.essence not in REQUEST_TYPES:
        raise UnsupportedMediaType(f"{media_type.essence!r} is not read: send {', '.join(REQUEST_TYPES)}")
    if settings.crop:
        shape = description.image_shape
        preparation = Preparation(shape, max(description.resize or 0, *shape[1:]))
        return Pictures(preparation.picture(body, _PLACE)[None])
    return Pictures(squashed(body, description.image_shape, _PLACE)[None])


def _flag(environment: Mapping[str, str], name: str, *, default: bool) -> bool:
    text = environment.get(name, "").strip().lower()
    if text and text not in _TRUE | _FALSE:
        raise UserError(f"{name} is {environment[name][:60]!r}, neither true nor false", field=name)
    return text in _TRUE if text else default
