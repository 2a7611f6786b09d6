"""Adam (Kingma and Ba, 2015) over a list of tensors, with clipped gradients; its state is plain tensors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

Tensor = Any

DECAY = 1e-8
"""L2 penalty, and the norm below, as GluonTS's trainer has them (specification, 6.5)."""
LARGEST_NORM = 10.0
_FIRST, _SECOND, _EPSILON = 0.9, 0.999, 1e-8


class Adam:
    """`first` and `second` are the running moments of the gradients; `steps` were taken."""

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self.tensors = list(tensors)
        self.first = [torch.zeros_like(tensor) for tensor in self.tensors]
        self.second = [torch.zeros_like(tensor) for tensor in self.tensors]
        self.steps = 0

    @torch.no_grad()  # type: ignore[untyped-decorator] # torch is not followed by the type checker
    def step(self, rate: float) -> None:
        """Move the tensors by their gradients, which are used up."""
        slopes = [tensor.grad for tensor in self.tensors]
        norm = torch.stack(torch._foreach_norm(slopes)).norm()
        torch._foreach_mul_(slopes, (LARGEST_NORM / (norm + 1e-6)).clamp(max=1.0))
        torch._foreach_add_(slopes, self.tensors, alpha=DECAY)
        self.steps += 1
        torch._foreach_lerp_(self.first, slopes, 1 - _FIRST)
        torch._foreach_mul_(self.second, _SECOND)
        torch._foreach_addcmul_(self.second, slopes, slopes, 1 - _SECOND)
        spread = torch._foreach_sqrt(self.second)
        torch._foreach_div_(spread, math.sqrt(1 - _SECOND**self.steps))
        torch._foreach_add_(spread, _EPSILON)
        torch._foreach_addcdiv_(self.tensors, self.first, spread, -rate / (1 - _FIRST**self.steps))
        for tensor in self.tensors:
            tensor.grad = None
