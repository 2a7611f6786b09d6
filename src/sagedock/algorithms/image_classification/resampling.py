"""Pictures made smaller or larger: bilinear, antialiased, in the fixed-point numbers of Pillow's Image.resize.

Where the core is built it computes only the window that is wanted; Pillow gives the same bytes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.image_classification.formats import Size

Pixels = NDArray[np.uint8]


class Window(NamedTuple):
    """A part of a picture: the row and the column where it begins, and how large it is."""

    top: int
    left: int
    height: int
    width: int


def resampled(pixels: Pixels, size: Size, window: Window | None = None) -> Pixels:
    """The picture (H, W, C) brought to `size`, and the window of that, all where there is none, as planes (C, h, w)."""
    part = window or Window(0, 0, *size)
    return _planes(_resized(pixels, size), part)


def _planes(pixels: Pixels, part: Window) -> Pixels:
    inside = pixels[part.top : part.top + part.height, part.left : part.left + part.width]
    return inside.transpose(2, 0, 1).copy(order="C")


def _resized(pixels: Pixels, size: Size) -> Pixels:
    from PIL import Image

    if pixels.shape[:2] == size:
        return pixels
    grey = pixels.shape[2] == 1
    image = Image.fromarray(pixels[:, :, 0] if grey else pixels)
    resized = np.asarray(image.resize((size.width, size.height), Image.Resampling.BILINEAR))
    return resized.reshape(*size, -1)
