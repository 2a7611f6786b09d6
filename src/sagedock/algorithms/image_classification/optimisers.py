"""The optimisers of MXNet 1.x, by whose steps the built-in learns; those of torch by the same names take others.

The learning rate stands inside the momentum, so that a lower rate slows what is already moving, too; rmsprop has eps
inside the root and adam outside. Weights and the scales of batch normalisation decay, biases and shifts do not, and
with adam and rmsprop nothing does (developer guide, "IC-Hyperparameter"; MXNet 1.x, optimizer.py, optimizer_op-inl.h).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

Tensor = Any
Arrays = dict[str, NDArray[Any]]

_SMALLEST = 1e-30
"""In place of an eps of 0, which would divide nothing by nothing where a weight has had no gradient yet."""


class Optimiser(ABC):
    """Steps of a module's parameters down their gradients, in place."""

    kinds: ClassVar[Sequence[str]] = ()
    """What is remembered of each parameter, as large as it is."""

    def __init__(self, module: torch.nn.Module) -> None:
        named = dict(module.named_parameters())
        self._names, self.parameters = list(named), list(named.values())
        self.steps = 0
        """Steps taken."""
        self.memory = {kind: [torch.zeros_like(each) for each in self.parameters] for kind in self.kinds}

    @torch.no_grad()  # type: ignore[untyped-decorator] # torch is not followed by the type checker
    def step(self, rate: float) -> None:
        """Change the parameters by their gradients, which are used up."""
        self.steps += 1
        self._step([each.grad for each in self.parameters], rate)
        for each in self.parameters:
            each.grad = None

    def state(self) -> Arrays:
        """Copies of all that the next steps depend on beside the parameters."""
        parts = {f"{kind}.{name}": tensor.cpu().numpy().copy() for kind, name, tensor in self._parts()}
        return parts | {"steps": np.asarray([self.steps], np.int64)}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what `state` gave; raises KeyError and ValueError for one of another network or optimiser."""
        for kind, name, tensor in self._parts():
            array = state[f"{kind}.{name}"]
            if array.shape != tuple(tensor.shape):
                raise ValueError(f"{kind}.{name} is {array.shape}, not {tuple(tensor.shape)}")
            tensor.copy_(torch.from_numpy(np.array(array)))
        self.steps = int(state["steps"][0])

    @abstractmethod
    def _step(self, gradients: list[Tensor], rate: float) -> None:
        """The step of one kind of optimiser; the gradients may be written over."""

    def _parts(self) -> list[tuple[str, str, Tensor]]:
        return [
            (kind, name, tensor)
            for kind, tensors in self.memory.items()
            for name, tensor in zip(self._names, tensors, strict=True)
        ]


class Sgd(Optimiser):
    """v = m v - rate (g + decay w); w += v."""

    kinds = ("velocity",)

    def __init__(self, module: torch.nn.Module, momentum: float, decay: float) -> None:
        super().__init__(module)
        self._momentum, self._decay = momentum, decay
        self._decayed = [place for place, name in enumerate(self._names) if name.endswith("weight")]

    def _step(self, gradients: list[Tensor], rate: float) -> None:
        if self._decay:
            chosen = [gradients[place] for place in self._decayed]
            torch._foreach_add_(chosen, [self.parameters[place] for place in self._decayed], alpha=self._decay)
        velocity = self.memory["velocity"]
        torch._foreach_mul_(velocity, self._momentum)
        torch._foreach_add_(velocity, gradients, alpha=-rate)
        self._move(gradients, rate)

    def _move(self, gradients: list[Tensor], rate: float) -> None:
        torch._foreach_add_(self.parameters, self.memory["velocity"])


class Nag(Sgd):
    """Nesterov's momentum: v as above; w += m v - rate (g + decay w)."""

    def _move(self, gradients: list[Tensor], rate: float) -> None:
        torch._foreach_add_(self.parameters, self.memory["velocity"], alpha=self._momentum)
        torch._foreach_add_(self.parameters, gradients, alpha=-rate)


class Adam(Optimiser):
    """Kingma and Ba, 2014; the correction of the averages is in the rate."""

    kinds = ("mean", "square")

    def __init__(self, module: torch.nn.Module, beta_1: float, beta_2: float, epsilon: float) -> None:
        super().__init__(module)
        self._beta_1, self._beta_2, self._epsilon = beta_1, beta_2, max(epsilon, _SMALLEST)

    def _step(self, gradients: list[Tensor], rate: float) -> None:
        mean, square = self.memory["mean"], self.memory["square"]
        torch._foreach_lerp_(mean, gradients, 1 - self._beta_1)
        torch._foreach_mul_(square, self._beta_2)
        torch._foreach_addcmul_(square, gradients, gradients, 1 - self._beta_2)
        missing = 1 - self._beta_1**self.steps
        if not missing:
            return  # beta_1 is 1: the average stays what it was at first, 0
        spread = torch._foreach_sqrt(square)
        torch._foreach_add_(spread, self._epsilon)
        corrected = rate * math.sqrt(1 - self._beta_2**self.steps) / missing
        torch._foreach_addcdiv_(self.parameters, mean, spread, -corrected)


class RmsProp(Optimiser):
    """Tieleman and Hinton, 2012, without centring: n = gamma n + (1 - gamma) g^2; w -= rate g / sqrt(n + eps)."""

    kinds = ("square",)

    def __init__(self, module: torch.nn.Module, gamma: float, epsilon: float) -> None:
        super().__init__(module)
        self._gamma, self._epsilon = gamma, max(epsilon, _SMALLEST)

    def _step(self, gradients: list[Tensor], rate: float) -> None:
        square = self.memory["square"]
        torch._foreach_mul_(square, self._gamma)
        torch._foreach_addcmul_(square, gradients, gradients, 1 - self._gamma)
        spread = torch._foreach_add(square, self._epsilon)
        torch._foreach_sqrt_(spread)
        torch._foreach_addcdiv_(self.parameters, gradients, spread, -rate)


_OPTIMISERS: Mapping[str, Callable[[Mapping[str, Any], torch.nn.Module], Optimiser]] = {
    "sgd": lambda values, module: Sgd(module, values["momentum"], values["weight_decay"]),
    "nag": lambda values, module: Nag(module, values["momentum"], values["weight_decay"]),
    "adam": lambda values, module: Adam(module, values["beta_1"], values["beta_2"], values["eps"]),
    "rmsprop": lambda values, module: RmsProp(module, values["gamma"], values["eps"]),
}


def build(values: Mapping[str, Any], module: torch.nn.Module) -> Optimiser:
    """The optimiser that a job asks for, of all parameters of a module."""
    return _OPTIMISERS[values["optimizer"]](values, module)
