"""What the compiled core has for pictures; `sagedock.core` is the door to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class PictureCore(Protocol):
    """The part of `sagedock.core.Native` that is about pictures."""

    def resample(
        self, pixels: NDArray[np.uint8], *, height: int, width: int, top: int, left: int, rows: int, columns: int
    ) -> NDArray[np.uint8]:
        """A window of (H, W, C), C being 1 or 3, brought to height x width, as planes (C, rows, columns).

        It is what `sagedock.algorithms.image_classification.resampling` says. Raises ValueError for sides above 65,535
        and for a window that is not within the picture.
        """

    def shift_hls(self, planes: NDArray[np.uint8], *, hue: int, lightness: int, saturation: int) -> NDArray[np.uint8]:
        """RGB planes (3, H, W) shifted as `sagedock.algorithms.image_classification.hls` does, by -255 to 255 each."""
