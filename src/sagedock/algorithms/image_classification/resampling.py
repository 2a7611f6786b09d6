"""Pictures made smaller or larger: bilinear, antialiased, in the fixed-point numbers of Pillow's Image.resize.

Columns come first and then rows, with whole numbers from 0 to 255 between.
Where the core is built it computes only the window that is wanted; Pillow gives the same bytes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sagedock import core
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
    if core.native is not None:
        top, left, rows, columns = part
        return core.native.resample(
            pixels, height=size.height, width=size.width, top=top, left=left, rows=rows, columns=columns
        )
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
    for rows in (pixels.shape[0], size.height):  # in two steps, whose order Pillow would choose by itself
        image = image.resize((size.width, rows), Image.Resampling.BILINEAR)
    return np.asarray(image).reshape(*size, -1)
