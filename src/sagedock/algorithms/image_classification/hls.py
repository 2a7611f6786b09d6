"""Hue, lightness and saturation in eight bits as OpenCV has them: hue 0 to 180, in two degrees, the others 0 to 255."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sagedock import core

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]

MOST_HUE, MOST = 180, 255


class Shift(NamedTuple):
    """What is added to the three numbers of every pixel, in this order."""

    hue: int
    lightness: int
    saturation: int


def shifted(planes: Pixels, shift: Shift) -> Pixels:
    """RGB planes (3, H, W) with the shift added in HLS, each sum clamped: hue as well, which does not wrap."""
    if core.native is not None:
        return core.native.shift_hls(np.ascontiguousarray(planes), **shift._asdict())
    hue, lightness, saturation = to_hls(planes)
    return to_rgb(
        np.clip(hue.astype(np.int16) + shift.hue, 0, MOST_HUE),
        np.clip(lightness.astype(np.int16) + shift.lightness, 0, MOST),
        np.clip(saturation.astype(np.int16) + shift.saturation, 0, MOST),
    )


def to_hls(planes: Pixels) -> tuple[Pixels, Pixels, Pixels]:
    """Hue, lightness and saturation of RGB planes (3, H, W); what is grey has hue and saturation 0."""
    red, green, blue = planes.astype(np.float32)
    most, least = planes.max(axis=0).astype(np.float32), planes.min(axis=0).astype(np.float32)
    apart, total = most - least, most + least
    saturation = apart * np.float32(MOST) / np.where(total < MOST + 1, total, np.float32(2 * MOST) - total).clip(1)
    sixths = _sixths(red, green, blue, most, np.maximum(apart, np.float32(1)))
    sixths[apart == 0] = 0
    return _rounded(sixths * np.float32(30)), _rounded(total * np.float32(0.5)), _rounded(saturation)


def _sixths(red: Floats, green: Floats, blue: Floats, most: Floats, apart: Floats) -> Floats:
    """Hue in sixths of the circle, from 0 up to 6."""
    found = np.where(
        most == red,
        (green - blue) / apart,
        np.where(most == green, (blue - red) / apart + np.float32(2), (red - green) / apart + np.float32(4)),
    )
    return np.where(found < 0, found + np.float32(6), found)


def to_rgb(hue: NDArray[np.integer], lightness: NDArray[np.integer], saturation: NDArray[np.integer]) -> Pixels:
    """RGB planes (3, H, W) of hue 0 to 180, lightness and saturation 0 to 255."""
    light = lightness.astype(np.float32)
    share = saturation.astype(np.float32) * np.float32(1 / MOST)
    high = np.where(light <= MOST / 2, light * (1 + share), light + share * (np.float32(MOST) - light))
    low = 2 * light - high
    sixths = hue.astype(np.float32) * np.float32(1 / 30)
    return np.stack([_channel(sixths, high, low, offset) for offset in (2, 0, 4)])


def _channel(sixths: Floats, high: Floats, low: Floats, offset: int) -> Pixels:
    """One of red, green and blue, which are at their highest in thirds of the circle that `offset` tells apart."""
    place = sixths + np.float32(offset)
    place = np.where(place >= 6, place - np.float32(6), place)
    rising, falling = np.minimum(place, np.float32(1)), np.float32(4) - place
    weight = np.clip(np.minimum(rising, falling), 0, 1)
    return _rounded(low + (high - low) * weight)


def _rounded(values: Floats) -> Pixels:
    return np.clip(np.rint(values), 0, MOST).astype(np.uint8)
