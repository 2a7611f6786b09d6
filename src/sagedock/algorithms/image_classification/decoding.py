"""Encoded pictures to pixels. Their bytes decide the decoder, and what their head promises is checked before it works.

Pictures are hostile input: docs/pictures.md says what is taken, what it may cost, and what becomes of each kind.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.image_classification import formats, jpeg
from sagedock.algorithms.image_classification.formats import Format, Size, check_pixels
from sagedock.errors import UserError

if TYPE_CHECKING:
    from PIL.Image import Image as Picture
    from PIL.ImageFile import ImageFile

Pixels = NDArray[np.uint8]

_DAMAGED = (OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, OverflowError, struct.error, zlib.error)
"""What Pillow raises for a file that is not what its first bytes say."""


@dataclass(frozen=True)
class Decoded:
    """Pixels (H, W, C) in RGB or grey, and the size of the picture before it was scaled down while it was decoded."""

    pixels: Pixels
    size: Size


def decode(encoded: bytes, place: str, *, colour: bool, shortest: int | None = None) -> Pixels:
    """The picture (H, W, C), C being 3 (RGB) or 1 (grey); UserError that begins with `place` for what is none.

    With `shortest` a JPEG may come halved, quartered or divided by eight, while no side gets shorter than that.
    """
    return decoded(encoded, place, colour=colour, shortest=shortest).pixels


def decoded(encoded: bytes, place: str, *, colour: bool, shortest: int | None = None) -> Decoded:
    """The same with the size that the picture has in its file."""
    kind = formats.of(encoded, place)
    size = formats.size_in_head(encoded, kind)
    if size is not None:
        check_pixels(size, place)
    if kind is Format.JPEG:
        found = jpeg.decoded(encoded, place, colour=colour, shortest=shortest)
        if found is not None:
            return Decoded(*found)
    pixels = _by_pillow(encoded, kind, place, colour=colour)
    return Decoded(pixels, Size(*pixels.shape[:2]))


def _by_pillow(encoded: bytes, kind: Format, place: str, *, colour: bool) -> Pixels:
    from PIL import Image

    try:
        with _opened(encoded, kind) as image:
            check_pixels(Size(image.height, image.width), place)
            image.load()
            plain = _plain(image, "RGB" if colour else "L")
        del image  # what it holds is given back before the array is made
        pixels = np.asarray(plain)
    except (*_DAMAGED, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UserError(
            f"{place}: the {kind.value} picture is damaged or cut off ({error}): write it again, or leave it out"
        ) from error
    return pixels.reshape(*pixels.shape[:2], -1)


def _opened(encoded: bytes, kind: Format) -> ImageFile:
    """Pillow's picture, its head read and checked and nothing else; the first of several."""
    from PIL import BmpImagePlugin, GifImagePlugin, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

    readers: dict[Format, type[ImageFile]] = {
        Format.JPEG: JpegImagePlugin.JpegImageFile,
        Format.PNG: PngImagePlugin.PngImageFile,
        Format.GIF: GifImagePlugin.GifImageFile,
        Format.BMP: BmpImagePlugin.BmpImageFile,
        Format.WEBP: WebPImagePlugin.WebPImageFile,
    }
    return readers[kind](BytesIO(encoded))


def _plain(image: ImageFile, mode: str) -> Picture:
    """In `mode`, RGB or L: transparency is left out, and 16 bits a channel become the upper eight."""
    from PIL import Image

    image.info.pop("transparency", None)
    plain: Picture = image
    if image.mode.startswith("I"):
        plain = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    return plain if plain.mode == mode else plain.convert(mode)
