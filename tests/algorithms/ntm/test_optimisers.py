"""The steps of MXNet's optimisers, beside the formulas and, where they are the same, beside torch's."""

from __future__ import annotations

import math

import pytest

pytest.importorskip("torch", reason="torch is not installed")

import torch

from sagedock.algorithms.ntm.optimisers import OPTIMISERS, AdaDelta, Sgd


def row(*numbers: float) -> torch.Tensor:
    return torch.tensor(numbers, dtype=torch.float32)


def stepped(name: str, gradients: list[torch.Tensor], **more: float) -> torch.Tensor:
    """Weights of 1 after steps by these gradients at a rate of 0.1."""
    weights = torch.ones_like(gradients[0])
    optimiser = OPTIMISERS[name](weights, 0.1, **more)
    for gradient in gradients:
        optimiser.step(gradient.clone())
    return weights


GRADIENTS = [row(0.5, -2.0, 0.0), row(0.25, 3.0, 1e-3)]


def test_adadelta_takes_the_steps_of_its_paper_whatever_the_rate() -> None:
    """ntm_lda A6: MXNet 1.x has rho 0.9 and epsilon 1e-5, and no learning rate in the step."""
    expected, square, change = 1.0, 0.0, 0.0
    for gradient in (0.5, 0.25):
        square = 0.9 * square + 0.1 * gradient**2
        step = math.sqrt((change + 1e-5) / (square + 1e-5)) * gradient
        change = 0.9 * change + 0.1 * step**2
        expected -= step
    assert stepped("adadelta", GRADIENTS)[0].item() == pytest.approx(expected, rel=1e-6)
    weights = row(1.0, 1.0, 1.0)
    other = AdaDelta(weights, 1e-6)
    for gradient in GRADIENTS:
        other.step(gradient.clone())
    assert torch.equal(weights, stepped("adadelta", GRADIENTS))


@pytest.mark.parametrize(("name", "theirs"), [("sgd", torch.optim.SGD), ("adam", torch.optim.Adam)])
def test_sgd_and_adam_step_as_torch_has_it(name: str, theirs: type[torch.optim.Optimizer]) -> None:
    weights = torch.ones(3, requires_grad=True)
    optimiser = theirs([weights], lr=0.1)
    for gradient in GRADIENTS:
        weights.grad = gradient.clone()
        optimiser.step()
    assert torch.allclose(stepped(name, GRADIENTS), weights, atol=1e-4)


def test_adagrad_and_rmsprop_step_by_their_formulas() -> None:
    adagrad = rmsprop = 1.0
    history = average = 0.0
    for gradient in (-2.0, 3.0):
        history += gradient**2
        adagrad -= 0.1 * gradient / math.sqrt(history + 1e-7)
        average = 0.9 * average + 0.1 * gradient**2
        rmsprop -= 0.1 * gradient / math.sqrt(average + 1e-8)
    assert stepped("adagrad", GRADIENTS)[1].item() == pytest.approx(adagrad, rel=1e-6)
    assert stepped("rmsprop", GRADIENTS)[1].item() == pytest.approx(rmsprop, rel=1e-6)


def test_rescaling_shrinks_a_plain_step_tenfold() -> None:
    """ntm_lda N19"""
    whole = 1 - stepped("sgd", GRADIENTS[:1])
    tenth = 1 - stepped("sgd", GRADIENTS[:1], rescale_gradient=0.1)
    assert torch.allclose(whole, 10 * tenth, atol=1e-6)


def test_clipping_bounds_every_number_of_the_gradient_after_rescaling() -> None:
    """ntm_lda N19"""
    step = 1 - stepped("sgd", GRADIENTS[:1], clip_gradient=1e-3)
    assert torch.allclose(step, row(1e-4, -1e-4, 0.0), atol=1e-7)
    rescaled = 1 - stepped("sgd", GRADIENTS[:1], clip_gradient=0.1, rescale_gradient=0.01)
    assert torch.allclose(rescaled, row(5e-4, -2e-3, 0.0), atol=1e-7)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_decay_pulls_weights_to_nought_and_clipping_does_not_hold_it(name: str) -> None:
    nothing = [torch.zeros(2)] * 3
    assert (stepped(name, nothing, weight_decay=0.5, clip_gradient=1e-3) < 0.9).all()


@pytest.mark.parametrize("name", OPTIMISERS)
def test_long_rows_step_as_short_ones_do(name: str) -> None:
    gradients = [torch.linspace(-1, 1, 100_001), torch.linspace(2, -1, 100_001)]
    whole = stepped(name, gradients)
    for part in (slice(0, 5), slice(70_000, 70_005)):
        assert torch.equal(whole[part], stepped(name, [gradient[part] for gradient in gradients]))


def test_steps_are_counted_and_states_begin_at_nought() -> None:
    optimiser = Sgd(torch.ones(2), 0.1)
    optimiser.step(torch.ones(2))
    assert (optimiser.steps, optimiser.states) == (1, [])
