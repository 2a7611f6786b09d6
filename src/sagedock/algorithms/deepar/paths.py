"""One sampled path behind each window's context, in torch: what a network that trains on its own forecasts is given.

A network that has only ever seen the truth before it is lost where its own forecasts stand there (Bengio, Vinyals,
Jaitly and Shazeer, Scheduled Sampling, 2015). Serving draws paths by `sampling`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch.nn import functional

from sagedock.algorithms.deepar.network import Batch, Network, Scaled, domain
from sagedock.algorithms.deepar.recurrence import encoded

Tensor = Any

_MOST = 1e30


def with_own_paths(network: Network, batch: Batch, share: float, generator: Any) -> Batch:
    """The windows, what is to be forecast in about such a `share` of them replaced by paths that the network draws."""
    horizon = network.architecture.prediction_length
    device = batch.values.device
    chosen = torch.rand(len(batch.values), 1, generator=generator, device=device) < share
    known = batch.values.shape[1] - horizon
    own, truth = _bounded(drawn(network, batch, generator), batch), batch.values[:, known:]
    values = torch.cat([batch.values[:, :known], torch.where(chosen, own, truth)], 1)
    observed = torch.cat([batch.observed[:, :known], torch.where(chosen, 1.0, batch.observed[:, known:])], 1)
    return replace(batch, values=values, observed=observed)


def _bounded(own: Tensor, batch: Batch) -> Tensor:
    """`own` (B, prediction_length) held to the range of what was observed before, and half as much around it."""
    horizon = own.shape[1]
    values, observed = batch.values[:, :-horizon], batch.observed[:, :-horizon] > 0
    low = torch.where(observed, values, torch.inf).amin(1, keepdim=True)
    high = torch.where(observed, values, -torch.inf).amax(1, keepdim=True)
    around = torch.where(low <= high, 0.5 * (high - low), torch.inf)
    return torch.minimum(
        torch.maximum(own, low.nan_to_num(posinf=-_MOST) - around), high.nan_to_num(neginf=_MOST) + around
    )


@torch.no_grad()  # type: ignore[untyped-decorator] # torch is not followed by the type checker
def drawn(network: Network, batch: Batch, generator: Any) -> Tensor:
    """(B, prediction_length): a path of each window, whose values behind the context are not looked at."""
    built = network.architecture
    longest, context = max(built.lags), built.context_length
    scaled = network.scaled(batch)
    values = scaled.of(batch.values, batch.observed).t().contiguous()
    static = network.static(batch.cat, scaled)
    lags = torch.tensor(built.lags, device=values.device)
    states = _encoded(network, values[: longest + context], static, batch.covariates[:context])
    for step in range(context, context + built.prediction_length):
        lagged = values[longest + step - lags].t()
        outputs, states = _step(network, torch.cat([lagged, static, batch.covariates[step]], 1), states)
        found = draw(built.likelihood, network.mapped(outputs, lagged), scaled, generator)
        values[longest + step] = (found - scaled.centre) / scaled.scale
    forecast = values[longest + context :] * scaled.scale + scaled.centre
    return forecast.t()


def _encoded(network: Network, values: Tensor, static: Tensor, covariates: Tensor) -> list[tuple[Tensor, Tensor]]:
    """The states of each layer behind the context."""
    lagged = network.lagged(values.t())
    inputs = torch.cat([lagged, static.expand(len(lagged), -1, -1), covariates], 2)
    states = []
    for layer in range(network.architecture.layers):
        gates = functional.linear(inputs, *_input(network, layer))
        outputs, hidden, cell = encoded(gates, network.tensors[f"layer.{layer}.hidden"])
        states.append((hidden, cell))
        inputs = outputs + inputs if layer and network.architecture.residual else outputs
    return states


def _step(
    network: Network, inputs: Tensor, states: list[tuple[Tensor, Tensor]]
) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
    """The last layer's outputs, and the next states of all, of the first layer's inputs (B, numbers)."""
    after = []
    for layer, (before, state) in enumerate(states):
        gates = functional.linear(inputs, *_input(network, layer))
        gates = torch.addmm(gates, before, network.tensors[f"layer.{layer}.hidden"].t())
        into, forget, fresh, out = gates.chunk(4, 1)
        cell = forget.sigmoid() * state + into.sigmoid() * fresh.tanh()
        hidden = out.sigmoid() * cell.tanh()
        after.append((hidden, cell))
        inputs = hidden + inputs if layer and network.architecture.residual else hidden
    return inputs, after


def _input(network: Network, layer: int) -> tuple[Tensor, Tensor]:
    return network.tensors[f"layer.{layer}.input"], network.tensors[f"layer.{layer}.bias"]


def draw(likelihood: str, told: Tensor, scaled: Scaled, generator: Any) -> Tensor:
    """One value of each distribution (B,) that the network told of, (B, P)."""
    first, *rest = domain(likelihood, told)
    if likelihood == "beta":
        one, other = (torch._standard_gamma(each, generator=generator) for each in (first, rest[0]))
        return one / (one + other)
    if likelihood == "negative-binomial":
        rate = first * scaled.scale * rest[0] * torch._standard_gamma(1 / rest[0], generator=generator)
        return torch.poisson(rate, generator=generator)
    if likelihood == "deterministic-l1":
        return first * scaled.scale + scaled.centre
    noise = torch.empty_like(first).normal_(generator=generator)
    if likelihood == "student-t":
        half = 0.5 * rest[1]
        noise = noise * (half / torch._standard_gamma(half, generator=generator)).sqrt()
    return (first + rest[0] * noise) * scaled.scale + scaled.centre
