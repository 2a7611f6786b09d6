"""The steps of MXNet's optimisers, beside the formulas."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")

import torch

from sagedock.algorithms.image_classification import optimisers
from sagedock.algorithms.image_classification.schedule import Schedule
from sagedock.contracts.hyperparameters import Values

torch.set_num_threads(1)
GIVEN: dict[str, Any] = {
    "momentum": 0.9,
    "weight_decay": 0.01,
    "beta_1": 0.8,
    "beta_2": 0.95,
    "eps": 1e-3,
    "gamma": 0.7,
}
KINDS = ("sgd", "nag", "adam", "rmsprop")
GRADIENTS = (0.5, -2.0, 0.25, 3.0)
RATES = (0.1, 0.1, 0.01, 0.01)


class Toy(torch.nn.Module):  # type: ignore[misc] # torch is not followed by the type checker
    """A weight, a scale of batch normalisation, and a bias."""

    def __init__(self) -> None:
        super().__init__()
        self.normalisation = torch.nn.BatchNorm2d(1)
        self.linear = torch.nn.Linear(1, 1)
        for parameter in self.parameters():
            torch.nn.init.ones_(parameter)


def stepped(name: str, **more: Any) -> Toy:
    """All parameters, 1 at first, after steps by GRADIENTS."""
    toy = Toy()
    optimiser = optimisers.build({"optimizer": name, **GIVEN, **more}, toy)
    for gradient, rate in zip(GRADIENTS, RATES, strict=True):
        for parameter in toy.parameters():
            parameter.grad = torch.full_like(parameter, gradient)
        optimiser.step(rate)
    return toy


def sgd(decay: float) -> float:
    weight, velocity = 1.0, 0.0
    for gradient, rate in zip(GRADIENTS, RATES, strict=True):
        velocity = 0.9 * velocity - rate * (gradient + decay * weight)
        weight += velocity
    return weight


def nag(decay: float) -> float:
    weight, velocity = 1.0, 0.0
    for gradient, rate in zip(GRADIENTS, RATES, strict=True):
        slope = gradient + decay * weight
        velocity = 0.9 * velocity - rate * slope
        weight += 0.9 * velocity - rate * slope
    return weight


def adam(_: float) -> float:
    weight, mean, square = 1.0, 0.0, 0.0
    for step, (gradient, rate) in enumerate(zip(GRADIENTS, RATES, strict=True), 1):
        mean = 0.8 * mean + 0.2 * gradient
        square = 0.95 * square + 0.05 * gradient**2
        weight -= rate * math.sqrt(1 - 0.95**step) / (1 - 0.8**step) * mean / (math.sqrt(square) + 1e-3)
    return weight


def rmsprop(_: float) -> float:
    weight, square = 1.0, 0.0
    for gradient, rate in zip(GRADIENTS, RATES, strict=True):
        square = 0.7 * square + 0.3 * gradient**2
        weight -= rate * gradient / math.sqrt(square + 1e-3)
    return weight


@pytest.mark.parametrize("formula", [sgd, nag, adam, rmsprop], ids=lambda one: one.__name__)
def test_steps_are_those_of_mxnet(formula: Callable[[float], float]) -> None:
    """Specification, section 7: the rate inside the momentum; eps inside the root of rmsprop alone; no decay of biases
    and shifts, and none at all with adam and rmsprop.
    """
    toy = stepped(formula.__name__)
    for decayed in (toy.linear.weight, toy.normalisation.weight):
        assert decayed.item() == pytest.approx(formula(0.01), rel=1e-5)
    for plain in (toy.linear.bias, toy.normalisation.bias):
        assert plain.item() == pytest.approx(formula(0.0), rel=1e-5)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("adam", {"momentum": 0.1, "weight_decay": 0.9, "gamma": 0.1}),
        ("rmsprop", {"momentum": 0.1, "weight_decay": 0.9, "beta_1": 0.1, "beta_2": 0.1}),
        ("sgd", {"beta_1": 0.1, "beta_2": 0.1, "gamma": 0.1, "eps": 0.5}),
        ("nag", {"beta_1": 0.1, "beta_2": 0.1, "gamma": 0.1, "eps": 0.5}),
    ],
)
def test_what_belongs_to_another_optimiser_is_without_effect(name: str, other: dict[str, float]) -> None:
    """image 56"""
    pairs = zip(stepped(name).parameters(), stepped(name, **other).parameters(), strict=True)
    assert all(torch.equal(mine, theirs) for mine, theirs in pairs)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("extreme", [{"eps": 0.0}, {"eps": 1.0}, {"beta_1": 1.0, "beta_2": 1.0, "gamma": 1.0}])
def test_no_value_of_the_ranges_ends_in_a_crash_or_in_what_is_no_number(name: str, extreme: dict[str, float]) -> None:
    toy = Toy()
    optimiser = optimisers.build({"optimizer": name, **GIVEN, **extreme}, toy)
    for gradient in (0.0, 0.0, 0.5):
        for parameter in toy.parameters():
            parameter.grad = torch.full_like(parameter, gradient)
        optimiser.step(0.0 if "gamma" in extreme else 0.1)
    assert all(torch.isfinite(parameter).all() for parameter in toy.parameters())


@pytest.mark.parametrize("name", KINDS)
def test_a_restored_optimiser_goes_on_bit_for_bit(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    whole, part = (torch.nn.Linear(5, 3) for _ in range(2))
    part.load_state_dict(whole.state_dict())
    optimiser = optimisers.build({"optimizer": name, **GIVEN}, whole)
    slopes = [[torch.randn(each.shape, generator=generator) for each in whole.parameters()] for _ in range(4)]
    for number, step in enumerate(slopes):
        if number == 2:
            state = optimiser.state()
            part.load_state_dict(whole.state_dict())
        move(optimiser, whole, step)
    resumed = optimisers.build({"optimizer": name, **GIVEN}, part)
    resumed.restore(state)
    for step in slopes[2:]:
        move(resumed, part, step)
    assert all(torch.equal(one, two) for one, two in zip(whole.parameters(), part.parameters(), strict=True))
    assert (resumed.steps, optimiser.steps) == (4, 4)


def move(optimiser: optimisers.Optimiser, module: torch.nn.Module, slopes: list[torch.Tensor]) -> None:
    for parameter, slope in zip(module.parameters(), slopes, strict=True):
        parameter.grad = slope.clone()
    optimiser.step(0.1)
    assert all(parameter.grad is None for parameter in module.parameters())


def test_a_state_of_another_network_is_refused() -> None:
    state = optimisers.build({"optimizer": "sgd", **GIVEN}, torch.nn.Linear(2, 2)).state()
    with pytest.raises(ValueError, match=r"velocity.weight is \(2, 2\), not \(3, 2\)"):
        optimisers.build({"optimizer": "sgd", **GIVEN}, torch.nn.Linear(2, 3)).restore(state)
    with pytest.raises(KeyError, match="mean"):
        optimisers.build({"optimizer": "adam", **GIVEN}, torch.nn.Linear(2, 2)).restore(state)
    assert state["steps"].dtype == np.int64


def test_the_rate_falls_at_the_epochs_of_the_schedule() -> None:
    """image 6, with the texts read: 0 to 9 the rate, 10 to 19 a tenth of it, from 20 a hundredth."""
    values = Values({"learning_rate": 0.5, "lr_scheduler_factor": 0.1, "lr_scheduler_step": (10, 20)})
    schedule = Schedule.of(values)
    assert [schedule.at(epoch) for epoch in (0, 9, 10, 19, 20, 99)] == pytest.approx([0.5, 0.5, 0.05, 0.05, 5e-3, 5e-3])
    assert Schedule(0.5).at(1000) == 0.5
