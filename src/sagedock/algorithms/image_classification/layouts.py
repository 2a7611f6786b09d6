"""Which networks there are, by num_layers: blocks a stage and how wide (specification, section 5). No torch here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

FILTERS = 64
"""Of a large network's stem."""
SMALL_FILTERS = 16
SMALL_PICTURE = 32
"""A picture this high or lower gets a stem of 3 x 3 without pooling."""
WIDE_STEM, NARROW_STEM = 7, 3
"""Kernels of the first convolution."""


@dataclass(frozen=True)
class Layout:
    """The stages of a network, each of so many blocks; a bottleneck block gives `expansion` times its width."""

    blocks: tuple[int, ...]
    small: bool = False
    """One of ours with three stages for small pictures."""
    bottleneck: bool = False
    own: bool = False
    """A pre-activation network of ours; the others are torchvision's."""

    @property
    def features(self) -> int:
        """The width of what the last layer sees."""
        first = SMALL_FILTERS if self.small else FILTERS
        width: int = first * 2 ** (len(self.blocks) - 1)
        return width * 4 if self.bottleneck else width


def _small(layers: int) -> Layout:
    return Layout(((layers - 2) // 6,) * 3, small=True, own=True)


LAYOUTS: Mapping[int, Layout] = {
    18: Layout((2, 2, 2, 2)),
    34: Layout((3, 4, 6, 3)),
    50: Layout((3, 4, 6, 3), bottleneck=True),
    101: Layout((3, 4, 23, 3), bottleneck=True),
    152: Layout((3, 8, 36, 3), bottleneck=True),
    200: Layout((3, 24, 36, 3), bottleneck=True, own=True),
    **{layers: _small(layers) for layers in (20, 32, 44, 56, 110)},
}
"""By num_layers."""


def stem(num_layers: int, height: int) -> int:
    """The kernel of the first convolution: small networks always have the narrow one."""
    return NARROW_STEM if LAYOUTS[num_layers].small or height <= SMALL_PICTURE else WIDE_STEM
