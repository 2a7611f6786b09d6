"""Loss scaling, without which the gradients of half precision vanish (Micikevicius et al., 2018).

The loss is multiplied by a number as large as the gradients bear, which is found by trying.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

LARGEST = 2.0**24
_PATIENCE = 2000
"""Steps without an overflow after which the scale is doubled."""


@dataclass
class LossScale:
    """`scale` multiplies the loss; 1 for ever where it is not `moving`, as in single precision."""

    scale: float = 2.0**16
    good: int = 0
    """Steps since the scale last changed."""
    moving: bool = True

    @classmethod
    def fixed(cls) -> LossScale:
        """None: gradients are what they are."""
        return cls(1.0, moving=False)

    def undone(self, gradients: Sequence[Any]) -> bool:
        """Divide the gradients by the scale; False where they overflowed, and then no step is to be made."""
        if not self.moving:
            return True
        torch._foreach_div_(gradients, self.scale)
        finite = bool(torch.isfinite(torch.stack(torch._foreach_norm(gradients))).all())
        self._follow(finite)
        return finite

    def _follow(self, finite: bool) -> None:
        self.good = self.good + 1 if finite else 0
        if not finite:
            self.scale = max(self.scale / 2, 1.0)
        elif self.good == _PATIENCE:
            self.scale, self.good = min(self.scale * 2, LARGEST), 0
