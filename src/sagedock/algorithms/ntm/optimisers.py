"""The optimisers of MXNet 1.x, by whose steps the built-in learns; those of torch by the same names take others.

A gradient is multiplied by `rescale_gradient`, each of its numbers then held between -`clip_gradient` and
`clip_gradient`, and `weight_decay` times the weight is added last. Source: MXNet 1.x, mxnet.optimizer; ntm_lda A6.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import torch

_RECKONED_AT_ONCE = 1 << 15
"""Numbers of a long row of weights that go through a step together, so that all it needs stays in a cache."""


@dataclass
class Optimiser(ABC):
    """Steps of a row of weights down its gradient, in place; `states` are what is remembered of each weight."""

    weights: torch.Tensor
    learning_rate: float
    rescale_gradient: float = 1.0
    clip_gradient: float = math.inf
    weight_decay: float = 0.0
    steps: int = 0
    """Steps taken."""
    states: list[torch.Tensor] = field(init=False)

    memories: ClassVar[int] = 0
    """How many `states` there are; each is as long as the weights and begins at 0."""

    def __post_init__(self) -> None:
        self.states = [torch.zeros_like(self.weights) for _ in range(self.memories)]

    def step(self, gradient: torch.Tensor) -> None:
        """Change the weights; the gradient's contents mean nothing afterwards."""
        self.steps += 1
        at_once = _RECKONED_AT_ONCE if gradient.device.type == "cpu" else len(gradient)
        with torch.no_grad():
            for begin in range(0, len(gradient), at_once):
                part = slice(begin, begin + at_once)
                prepared = self._prepared(gradient[part])
                self._step(self.weights[part], prepared, *(state[part] for state in self.states))

    def _prepared(self, gradient: torch.Tensor) -> torch.Tensor:
        if self.rescale_gradient != 1:
            gradient.mul_(self.rescale_gradient)
        if math.isfinite(self.clip_gradient):
            gradient.clamp_(-self.clip_gradient, self.clip_gradient)
        return gradient

    @abstractmethod
    def _step(self, weights: torch.Tensor, gradient: torch.Tensor, *states: torch.Tensor) -> None:
        """The step of one kind of optimiser, for a part of the weights."""

    def _decay(self, weights: torch.Tensor, gradient: torch.Tensor) -> None:
        if self.weight_decay:
            gradient.add_(weights, alpha=self.weight_decay)


class Sgd(Optimiser):
    """w -= rate g."""

    def _step(self, weights: torch.Tensor, gradient: torch.Tensor, *_: torch.Tensor) -> None:
        self._decay(weights, gradient)
        weights.sub_(gradient, alpha=self.learning_rate)


@dataclass
class Adam(Optimiser):
    """Kingma and Ba, 2014; the correction of the averages is in the rate, as MXNet has it."""

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    memories = 2

    def _step(self, weights: torch.Tensor, gradient: torch.Tensor, *states: torch.Tensor) -> None:
        self._decay(weights, gradient)
        mean, square = states
        mean.lerp_(gradient, 1 - self.beta1)
        square.mul_(self.beta2).addcmul_(gradient, gradient, value=1 - self.beta2)
        rate = self.learning_rate * math.sqrt(1 - self.beta2**self.steps) / (1 - self.beta1**self.steps)
        weights.addcdiv_(mean, square.sqrt().add_(self.epsilon), value=-rate)


@dataclass
class AdaGrad(Optimiser):
    """Duchi et al., 2011; the decay of weights is beside the scaled gradient."""

    epsilon: float = 1e-7

    memories = 1

    def _step(self, weights: torch.Tensor, gradient: torch.Tensor, *states: torch.Tensor) -> None:
        (square,) = states
        square.addcmul_(gradient, gradient)
        if self.weight_decay:
            weights.mul_(1 - self.learning_rate * self.weight_decay)
        weights.addcdiv_(gradient, (square + self.epsilon).sqrt_(), value=-self.learning_rate)


@dataclass
class AdaDelta(Optimiser):
    """Zeiler, 2012. The learning rate plays no part: MXNet 1.x does not multiply by it, and torch does."""

    rho: float = 0.9
    epsilon: float = 1e-5

    memories = 2

    def _step(self, weights: torch.Tensor, gradient: torch.Tensor, *states: torch.Tensor) -> None:
        square, change = states
        square.mul_(self.rho).addcmul_(gradient, gradient, value=1 - self.rho)
        step = (change + self.epsilon).div_(square + self.epsilon).sqrt_().mul_(gradient)
        change.mul_(self.rho).addcmul_(step, step, value=1 - self.rho)
        if self.weight_decay:
            weights.mul_(1 - self.weight_decay)
        weights.sub_(step)


@dataclass
class RmsProp(Optimiser):
    """Tieleman and Hinton, 2012, without centring."""

    gamma: float = 0.9
    epsilon: float = 1e-8

    memories = 1

    def _step(self, weights: torch.Tensor, gradient: torch.Tensor, *states: torch.Tensor) -> None:
        self._decay(weights, gradient)
        (square,) = states
        square.mul_(self.gamma).addcmul_(gradient, gradient, value=1 - self.gamma)
        weights.addcdiv_(gradient, (square + self.epsilon).sqrt_(), value=-self.learning_rate)


OPTIMISERS: Mapping[str, type[Optimiser]] = {
    "sgd": Sgd,
    "adam": Adam,
    "adagrad": AdaGrad,
    "adadelta": AdaDelta,
    "rmsprop": RmsProp,
}
"""By the values of the hyperparameter `optimizer`."""
