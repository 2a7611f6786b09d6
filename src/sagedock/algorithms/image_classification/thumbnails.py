"""Pictures small enough for a report: pixels to data URIs, and maps of what mattered laid over them."""

from __future__ import annotations

import base64
import io

import numpy as np
from numpy.typing import NDArray

SIDE = 144
"""Pixels of the longer side at most; a smaller picture keeps its own."""
MOST_BYTES = 12_000
"""Of an encoded picture: a report holds at most 36, which is 600 kB as text."""
_QUALITIES = (85, 70, 50, 25, 5)
_LOSSLESS = 64 * 64  # pixels up to which nothing is lost
_HEAT = np.array([[20, 11, 52], [120, 28, 109], [207, 68, 70], [251, 155, 6], [252, 255, 164]], np.float32)
"""Colours of no to full importance, evenly spaced: lighter the more, so that hues need not be told apart."""


def uri(picture: NDArray[np.uint8]) -> str:
    """`picture` (C, H, W) as a data URI, shrunk to SIDE and of at most MOST_BYTES before it becomes text."""
    from PIL import Image

    image = Image.fromarray(_colour(picture))
    image.thumbnail((SIDE, SIDE))
    for quality in (None, *_QUALITIES) if image.width * image.height <= _LOSSLESS else _QUALITIES:
        out = io.BytesIO()
        if quality is None:
            image.save(out, "PNG", optimize=True)
        else:
            image.save(out, "JPEG", quality=quality)
        if out.tell() <= MOST_BYTES:
            break
    kind = "png" if quality is None else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(out.getvalue()).decode('ascii')}"


def overlaid(picture: NDArray[np.uint8], importance: NDArray[np.float32]) -> NDArray[np.uint8]:
    """`picture` (C, H, W) in grey under `importance` (H, W) as heat, (3, H, W); its largest value is the hottest.

    What is not finite counts as unimportant, and so does all of a map without a value above 0.
    """
    grey = _colour(picture).astype(np.float32).mean(axis=2, keepdims=True)
    known = np.where(np.isfinite(importance), importance, 0).clip(0)
    shares = known / max(float(known.max(initial=0)), 1e-30)
    stops = np.linspace(0, 1, len(_HEAT))
    heat = np.stack([np.interp(shares, stops, _HEAT[:, channel]) for channel in range(3)], axis=2)
    mixed = 0.45 * grey + 0.55 * heat
    return np.ascontiguousarray(mixed.round().clip(0, 255).astype(np.uint8).transpose(2, 0, 1))


def _colour(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 3), of one channel in grey, of others the first three."""
    channels = picture if len(picture) >= 3 else np.repeat(picture[:1], 3, axis=0)
    return np.ascontiguousarray(channels[:3].transpose(1, 2, 0))
