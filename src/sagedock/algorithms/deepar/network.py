"""DeepAR's network in torch (Salinas, Flunkert, Gasthaus, 2017): LSTM layers over lagged values and covariates.

Steps come first, (T, B, numbers), T being context_length + prediction_length. GluonTS's torch DeepARModel with the same
weights has the same outputs where it has the same parts: it knows neither zoneout nor residual links.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from sagedock.algorithms.deepar.parameters import DEVIATION, LEAST_SPREAD, SMALLEST_SCALE, Architecture, Parameters
from sagedock.algorithms.deepar.recurrence import Kept, Recurrence

Tensor = Any

_EPSILON = 1.1920929e-07
"""Of float32: no likelihood becomes narrower."""


@dataclass(frozen=True)
class Batch:
    """B windows. `values` (B, longest lag + T) has zeros where `observed` (the same shape) is 0; `covariates`
    (T, B, C); `cat` (B, categories).
    """

    values: Tensor
    observed: Tensor
    covariates: Tensor
    cat: Tensor

    def to(self, device: str) -> Batch:
        """The same on a device."""
        return Batch(*(each.to(device) for each in (self.values, self.observed, self.covariates, self.cat)))


@dataclass(frozen=True)
class Scaled:
    """What values are divided by, after `centre` was taken from them; (B,) both."""

    centre: Tensor
    scale: Tensor

    def of(self, values: Tensor, observed: Tensor) -> Tensor:
        """`values` (B, any) scaled; 0 where nothing was observed."""
        return (values - self.centre[:, None]) / self.scale[:, None] * observed


class Network:
    """The arrays of `Architecture.shapes` as tensors that torch may train."""

    def __init__(self, architecture: Architecture, tensors: Mapping[str, Tensor]) -> None:
        self.architecture = architecture
        self.tensors = dict(tensors)

    @classmethod
    def new(cls, architecture: Architecture, seed: int) -> Network:
        """Weights by Glorot and Bengio's rule (2010), embeddings normal, biases 0."""
        generator = torch.Generator().manual_seed(seed)
        tensors = {name: _initial(name, shape, generator) for name, shape in architecture.shapes().items()}
        return cls(architecture, {name: tensor.requires_grad_() for name, tensor in tensors.items()})

    @classmethod
    def of(cls, parameters: Parameters, device: str = "cpu") -> Network:
        """The network of saved parameters."""
        tensors = {name: torch.from_numpy(array.copy()).to(device) for name, array in parameters.arrays.items()}
        return cls(parameters.architecture, {name: tensor.requires_grad_() for name, tensor in tensors.items()})

    def to(self, device: str) -> Network:
        """The same weights on a device."""
        tensors = {name: tensor.detach().to(device).requires_grad_() for name, tensor in self.tensors.items()}
        return Network(self.architecture, tensors)

    def parameters(self) -> Parameters:
        """The arrays as they are now, copied."""
        arrays = {name: tensor.detach().cpu().numpy().copy() for name, tensor in self.tensors.items()}
        return Parameters(self.architecture, arrays)

    def scaled(self, batch: Batch) -> Scaled:
        """The scale of each window, of what its context holds (Salinas et al., section 3.3)."""
        end = batch.values.shape[1] - self.architecture.prediction_length
        context = slice(end - self.architecture.context_length, end)
        values, observed = batch.values[:, context], batch.observed[:, context]
        if not self.architecture.scales:
            return Scaled(torch.zeros_like(values[:, 0]), torch.ones_like(values[:, 0]))
        count = observed.sum(1)
        known, divisor = count > 0, count.clamp(min=1)
        centre = torch.zeros_like(divisor)
        if self.architecture.scaling == DEVIATION:
            default = torch.full_like(divisor, self.architecture.default_centre)
            centre = torch.where(known, (values * observed).sum(1) / divisor, default)
        spread = ((values - centre[:, None]) * observed).abs().sum(1) / divisor
        default = torch.full_like(spread, self.architecture.default_scale)
        least = (LEAST_SPREAD * centre.abs()).clamp(min=SMALLEST_SCALE)
        return Scaled(centre, torch.maximum(torch.where(known, spread, default), least))

    def static(self, cat: Tensor, scaled: Scaled) -> Tensor:
        """(B, numbers): what the first layer sees at every step."""
        embedded = [
            functional.embedding(cat[:, place], self.tensors[f"embedding.{place}"]) for place in range(cat.shape[1])
        ]
        return torch.cat([*embedded, scaled.scale.log()[:, None]], 1)

    def forward(self, batch: Batch, zoneout: float = 0.0, generator: Any = None) -> tuple[Tensor, Scaled]:
        """What the network says at each step, (T, B, parameters of the likelihood) before their domain, and scales."""
        scaled = self.scaled(batch)
        lagged = self.lagged(scaled.of(batch.values, batch.observed))
        static = self.static(batch.cat, scaled).expand(len(lagged), -1, -1)
        inputs = torch.cat([lagged, static, batch.covariates], 2)
        for layer in range(self.architecture.layers):
            gates = functional.linear(inputs, self.tensors[f"layer.{layer}.input"], self.tensors[f"layer.{layer}.bias"])
            kept = self._kept(gates, zoneout, generator)
            outputs = Recurrence.apply(gates, self.tensors[f"layer.{layer}.hidden"], kept)
            inputs = outputs + inputs if layer and self.architecture.residual else outputs
        return self.mapped(inputs, lagged), scaled

    def lagged(self, scaled_values: Tensor) -> Tensor:
        """(T, B, lags): the values so many steps before each, of (B, longest lag + T)."""
        lags = torch.tensor(self.architecture.lags, device=scaled_values.device)
        longest = max(self.architecture.lags)
        steps = torch.arange(scaled_values.shape[1] - longest, device=scaled_values.device)
        return scaled_values.t().contiguous()[(longest + steps)[:, None] - lags].transpose(1, 2)

    def mapped(self, outputs: Tensor, lagged: Tensor) -> Tensor:
        """What the likelihood is told, of the last layer's outputs."""
        told = functional.linear(outputs, self.tensors["output.weight"], self.tensors["output.bias"])
        if not self.architecture.skip:
            return told
        skipped = lagged @ self.tensors["skip"]
        return torch.cat([(told[..., 0] + skipped)[..., None], told[..., 1:]], -1)

    def loss(
        self,
        batch: Batch,
        zoneout: float = 0.0,
        generator: Any = None,
        *,
        relative: bool = False,
        seen: Batch | None = None,
    ) -> Tensor:
        """The mean negative log-likelihood of what was observed in the windows, a scalar; 0 where nothing was.

        `relative` takes it of values in units of their scales; `seen` is what the network sees in the windows' place.
        """
        told, scaled = self.forward(batch if seen is None else seen, zoneout, generator)
        steps = len(told)
        observed = batch.observed[:, -steps:].t()
        losses = surprise(self.architecture.likelihood, told, batch.values[:, -steps:].t(), scaled)
        if relative:
            losses = losses - scaled.scale.log()
        return torch.where(observed > 0, losses, 0.0).sum() / observed.sum().clamp(min=1)

    def _kept(self, gates: Tensor, zoneout: float, generator: Any) -> Kept | None:
        if not zoneout:
            return None
        shape = (2, *gates.shape[:2], self.architecture.cells)
        return Kept(*chosen(shape, zoneout, generator, gates.device))


def chosen(shape: tuple[int, ...], rate: float, generator: Any, device: Any) -> Tensor:
    """Booleans that are true at `rate`, to within 1 / 65536: sixteen random bits each."""
    count = math.prod(shape)
    words = torch.empty(-(-count // 4), dtype=torch.int64, device=device)
    words.random_(-(2**63), None, generator=generator)
    return (words.view(torch.int16)[:count] < round(rate * 65536) - 32768).view(shape)


def surprise(likelihood: str, told: Tensor, target: Tensor, scaled: Scaled) -> Tensor:
    """The negative log-likelihood of `target` (T, B) under what the network told, or its distance to the forecast."""
    first, *rest = domain(likelihood, told)
    if likelihood == "beta":
        inside = target.clamp(_EPSILON, 1 - _EPSILON)
        total = first + rest[0]
        constant = torch.lgamma(first) + torch.lgamma(rest[0]) - torch.lgamma(total)
        return constant - (first - 1) * inside.log() - (rest[0] - 1) * torch.log1p(-inside)
    if likelihood == "negative-binomial":
        return _negative_binomial(target, first * scaled.scale, rest[0])
    apart = (target - scaled.centre) / scaled.scale - first
    if likelihood == "deterministic-l1":
        return apart.abs() * scaled.scale
    sigma = rest[0]
    constant = sigma.log() + scaled.scale.log()
    if likelihood == "gaussian":
        return 0.5 * (apart / sigma) ** 2 + constant + 0.5 * math.log(2 * math.pi)
    nu = rest[1]
    half = 0.5 * (nu + 1)
    constant = constant + torch.lgamma(0.5 * nu) - torch.lgamma(half) + 0.5 * (nu * math.pi).log()
    return constant + half * torch.log1p((apart / sigma) ** 2 / nu)


def domain(likelihood: str, told: Tensor) -> tuple[Tensor, ...]:
    """The parameters of the likelihood, in the order of `PARAMETERS` and in units of the scale, of what was told."""
    parts = told.unbind(-1)
    if likelihood == "beta":
        return tuple(functional.softplus(part) + _EPSILON for part in parts)
    if likelihood == "negative-binomial":
        return tuple(functional.softplus(part).clamp(min=_EPSILON) for part in parts)
    if likelihood == "student-t":
        return parts[0], functional.softplus(parts[1]).clamp(min=_EPSILON), 2 + functional.softplus(parts[2])
    if likelihood == "gaussian":
        return parts[0], functional.softplus(parts[1]).clamp(min=_EPSILON)
    return (parts[0],)


def _negative_binomial(target: Tensor, mean: Tensor, alpha: Tensor) -> Tensor:
    """With variance mean + alpha mean^2; `target` counts."""
    shape = 1 / alpha
    product = alpha * mean
    constant = torch.lgamma(target + 1) + torch.lgamma(shape) - torch.lgamma(target + shape)
    return constant + shape * torch.log1p(product) + target * (torch.log1p(product) - product.log())


def _initial(name: str, shape: tuple[int, ...], generator: Any) -> Tensor:
    if name.startswith("embedding"):
        return torch.randn(shape, generator=generator)
    if len(shape) == 1:
        return torch.zeros(shape)
    bound = math.sqrt(6 / sum(shape))
    return (torch.rand(shape, generator=generator) * 2 - 1) * bound


def batch_of(values: NDArray[Any], observed: NDArray[Any], covariates: NDArray[Any], cat: NDArray[Any]) -> Batch:
    """A batch of NumPy arrays, of the shapes of `Batch`."""
    return Batch(
        torch.from_numpy(np.ascontiguousarray(values, np.float32)),
        torch.from_numpy(np.ascontiguousarray(observed, np.float32)),
        torch.from_numpy(np.ascontiguousarray(covariates, np.float32)),
        torch.from_numpy(np.ascontiguousarray(cat, np.int64)),
    )
