"""Random changes of training pictures, as MXNet's default augmenter draws them (image specification, section 6).

Whatever is drawn comes from the generator that is given, so that an example's numbers do not depend on any other's.
"""

from __future__ import annotations

from math import cos, radians, sin

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from sagedock.algorithms.image_classification import vision
from sagedock.algorithms.image_classification.formats import Size
from sagedock.algorithms.image_classification.hls import Shift
from sagedock.algorithms.image_classification.resampling import Window

NONE, CROP, CROP_COLOR, CROP_COLOR_TRANSFORM = KINDS = ("none", "crop", "crop_color", "crop_color_transform")
"""Values of augmentation_type; each includes what stands before it."""

HUE, LIGHTNESS, SATURATION = 36, 50, 50
_SLANT, _DEGREES, _STRETCH = 0.1, 10, 0.25
_WHITE = 255

Matrix = NDArray[np.float64]


def moved(random: Generator) -> Matrix:
    """A turn, shear and stretch (2, 2) from where a pixel is to where it goes, in columns and rows from the centre."""
    slant = random.uniform(-_SLANT, _SLANT)
    angle = radians(int(random.integers(-_DEGREES, _DEGREES, endpoint=True)))
    ratio = random.uniform(1 - _STRETCH, 1 + _STRETCH)
    high = 2 / (1 + ratio)
    wide = ratio * high
    return np.array(
        [
            [high * cos(angle) - slant * sin(angle) * wide, high * sin(angle) + slant * cos(angle) * wide],
            [-sin(angle) * wide, cos(angle) * wide],
        ]
    )


def warped(planes: NDArray[np.uint8], matrix: Matrix) -> NDArray[np.uint8]:
    """The picture (C, H, W) moved about its centre; the canvas stays as it is, and what comes in is white."""
    import torch

    vision.torchvision()
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms.v2 import functional

    back = np.linalg.inv(matrix)
    centre = np.array([planes.shape[2] / 2, planes.shape[1] / 2])
    rows = np.column_stack([back, centre - back @ centre])
    moved_picture = functional.perspective(
        torch.from_numpy(planes),
        startpoints=None,
        endpoints=None,
        interpolation=InterpolationMode.BILINEAR,
        fill=_WHITE,
        coefficients=[*rows.ravel().tolist(), 0.0, 0.0],
    )
    pixels: NDArray[np.uint8] = moved_picture.numpy()
    return pixels


def corner(random: Generator, size: Size, height: int, width: int) -> Window:
    """A window of this height and width anywhere within `size`."""
    top = int(random.integers(size.height - height, endpoint=True))
    left = int(random.integers(size.width - width, endpoint=True))
    return Window(top, left, height, width)


def centre(size: Size, height: int, width: int) -> Window:
    """The window in the middle, rounded towards the upper left."""
    return Window((size.height - height) // 2, (size.width - width) // 2, height, width)


def shift(random: Generator) -> Shift:
    """Three whole numbers from about -36, -50 and -50 to 36, 50 and 50; the middle is likelier than the ends."""
    return Shift(*(_drawn(random, most) for most in (HUE, LIGHTNESS, SATURATION)))


def _drawn(random: Generator, most: int) -> int:
    first, second = random.random(2)
    return int((first + 4 * second) / 5 * 2 * most - most)
