"""Pictures that tests make: photographs of seeded noise, in every format, and files made to do harm."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def photograph(height: int, width: int, channels: int = 3, seed: int = 0) -> NDArray[np.uint8]:
    """Smooth colours (H, W, C) with some noise, as a camera has them."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (height // 16 + 2, width // 16 + 2, channels), np.uint8)
    planes = [
        np.asarray(Image.fromarray(coarse[:, :, channel]).resize((width, height), Image.Resampling.BICUBIC))
        for channel in range(channels)
    ]
    noisy = np.stack(planes, axis=2) + random.normal(0, 4, (height, width, channels))
    return np.clip(noisy, 0, 255).astype(np.uint8)


def encoded(pixels: NDArray[np.generic] | Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """A file of pixels (H, W), (H, W, 1), (H, W, 3), (H, W, 4) or an image of Pillow."""
    if not isinstance(pixels, Image.Image):
        pixels = Image.fromarray(pixels[:, :, 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels)
    stream = BytesIO()
    pixels.save(stream, kind, **options)
    return stream.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(
    height: int, width: int, extra: bytes = b"", *, data: bytes | None = None, depth: int = 8, kind: int = 2
) -> bytes:
    """A PNG file with any size in its head, `extra` chunks before its data: a black row, or what is given."""
    head = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    rows = zlib.compress(b"\0" + bytes(3 * 16)) if data is None else zlib.compress(data)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def jpeg_of_size(picture: bytes, height: int, width: int) -> bytes:
    """A JPEG file whose head promises another size."""
    found = max(picture.find(b"\xff\xc0"), picture.find(b"\xff\xc2"))
    return picture[: found + 5] + struct.pack(">HH", height, width) + picture[found + 9 :]
