"""From encoded pictures to what a network is given: uint8 planes (C, H, W), raw values from 0 to 255.

Training and validation resize and crop; serving squashes, as SageMaker documents it (hyperparameter image_shape).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from sagedock.algorithms.image_classification import augmentation, decoding, hls
from sagedock.algorithms.image_classification.decoding import Decoded
from sagedock.algorithms.image_classification.formats import Size, check_pixels
from sagedock.algorithms.image_classification.resampling import Window, resampled
from sagedock.errors import UserError

Pixels = NDArray[np.uint8]
Shape = tuple[int, int, int]
"""Channels, 3 (RGB) or 1 (grey), height and width."""


def squashed(encoded: bytes, shape: Shape, place: str) -> Pixels:
    """A picture brought to (C, H, W), whatever its proportions; UserError that begins with `place` for what is none."""
    channels, height, width = shape
    found = decoding.decoded(encoded, place, colour=channels == 3, shortest=max(height, width))
    return resampled(found.pixels, Size(height, width))


@dataclass(frozen=True)
class Preparation:
    """What is done to each picture; `resize` is the length that its shorter side is brought to first.

    `augmentation` is one of `augmentation.KINDS`.
    """

    shape: Shape
    resize: int | None = None
    augmentation: str = augmentation.NONE

    def picture(self, encoded: bytes, place: str, random: Generator | None = None) -> Pixels:
        """(C, H, W): changed at random as `augmentation` says, or the middle of the picture where there is no `random`.

        Raises UserError, which begins with `place`, for what is no picture and for one smaller than the shape.
        """
        found = decoding.decoded(encoded, place, colour=self.shape[0] == 3, shortest=self.resize)
        size = self._size(found, place)
        if random is None or self.augmentation == augmentation.NONE:
            return resampled(found.pixels, size, augmentation.centre(size, *self.shape[1:]))
        return self._changed(found.pixels, size, random)

    def _size(self, found: Decoded, place: str) -> Size:
        """What the picture is brought to before it is cropped."""
        size, resized = found.size, ""
        if self.resize is not None:
            size, resized = _resized(size, self.resize), f", resized to {_resized(size, self.resize)}"
            check_pixels(size, place, f"a picture of {found.size} resized to a shorter side of {self.resize} has")
        _, height, width = self.shape
        if size.height < height or size.width < width:
            raise UserError(
                f"{place}: the picture has {found.size}{resized}, and image_shape asks for {Size(height, width)}: "
                f"set resize to {max(height, width)} or more, or leave the picture out"
            )
        return size

    def _changed(self, pixels: Pixels, size: Size, random: Generator) -> Pixels:
        _, height, width = self.shape
        if self.augmentation == augmentation.CROP_COLOR_TRANSFORM:
            moved = augmentation.warped(resampled(pixels, size), augmentation.moved(random))
            part = augmentation.corner(random, size, height, width)
            planes = _part(moved, part)
        else:
            planes = resampled(pixels, size, augmentation.corner(random, size, height, width))
        if self.augmentation != augmentation.CROP:
            shift = augmentation.shift(random)
            planes = hls.shifted(planes, shift) if len(planes) == 3 else planes
        return planes[:, :, ::-1] if random.random() < 0.5 else planes


def _resized(size: Size, shorter: int) -> Size:
    """The shorter side as asked for, the other in proportion, cut to whole pixels."""
    least = min(size)
    return Size(*(shorter if side == least else shorter * side // least for side in size))


def _part(planes: Pixels, part: Window) -> Pixels:
    return planes[:, part.top : part.top + part.height, part.left : part.left + part.width]
