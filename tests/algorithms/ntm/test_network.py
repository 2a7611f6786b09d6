"""The two networks, beside what their papers' formulas give for dense counts."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("torch", reason="torch is not installed")

import torch
from torch.distributions import Normal, kl_divergence

from sagedock.algorithms.ntm.network import NVDM, PRODLDA, SIGMOID, SOFTPLUS, Design, Network
from sagedock.algorithms.ntm.optimisers import OPTIMISERS
from sagedock.algorithms.ntm.sparse import Batch
from tests.algorithms.ntm import documents

DOCUMENTS = documents.some(documents=60)
WORDS = DOCUMENTS.vocabulary_size
DESIGN = Design(WORDS, topics=4, layers=(12, 8), activation=SIGMOID)
DESIGNS = {
    NVDM: DESIGN,
    "nvdm normalised": replace(DESIGN, batch_norm=True),
    PRODLDA: replace(DESIGN, network=PRODLDA, activation=SOFTPLUS, dropout=0.5),
}
torch.set_num_threads(1)


def noise(count: int, topics: int = 4) -> torch.Tensor:
    return torch.randn(count, topics, generator=torch.Generator().manual_seed(3))


def dense_total(network: Network, counts: torch.Tensor, noise: torch.Tensor, kept: torch.Tensor | None) -> torch.Tensor:
    """The loss by plain torch, its batch normalisation included."""
    design, hidden = network.design, counts.log1p()
    activate = torch.sigmoid if design.activation == SIGMOID else torch.nn.functional.softplus

    def linear(layer: torch.nn.Module, values: torch.Tensor) -> torch.Tensor:
        found = values @ layer.weight
        if layer.normalisation is None:
            return found + layer.bias
        normalised = torch.nn.functional.batch_norm(found, None, None, training=True)
        return normalised + layer.normalisation.shift

    for layer in network.encoder:
        hidden = activate(linear(layer, hidden))
    half = 0.5 if design.network == PRODLDA else 1.0
    mean, deviation = linear(network.mean, hidden), (half * linear(network.deviation, hidden)).exp()
    topics = torch.softmax(mean + deviation * noise, 1)
    if kept is not None:
        topics = topics * kept / (1 - design.dropout)
    logits = topics @ network.projection.T
    if design.network == PRODLDA:
        logits = torch.nn.functional.batch_norm(logits, None, None, training=True)
    logarithms = torch.log_softmax(logits + network.projection_bias, 1)
    prior = Normal(0.0, network.prior_variance**0.5)
    return kl_divergence(Normal(mean, deviation), prior).sum() - (counts * logarithms).sum()


@pytest.mark.parametrize("name", DESIGNS)
def test_the_loss_and_its_gradient_are_those_of_the_formulas(name: str) -> None:
    """ntm_lda A6, and batch normalisation of logits that are never normalised one by one."""
    network = Network(DESIGNS[name], seed=1).train()
    row = network.row()
    row += 0.3 * torch.randn(len(row), generator=torch.Generator().manual_seed(2))
    kept = (noise(60) > -0.5).float() if name == PRODLDA else None
    ours = network(Batch.of(DOCUMENTS), noise(60), kept)
    theirs = dense_total(network, torch.from_numpy(DOCUMENTS.dense()), noise(60), kept)
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-4)
    gradient, expected = network.gradient(ours), network.gradient(theirs)
    assert torch.allclose(gradient, expected, rtol=1e-3, atol=1e-3 * expected.abs().max().item())


@pytest.mark.parametrize("name", DESIGNS)
def test_inference_does_not_depend_on_neighbours(name: str) -> None:
    network = Network(DESIGNS[name], seed=1)
    network(Batch.of(DOCUMENTS), noise(60))
    network.eval()
    whole = network.encode(Batch.of(DOCUMENTS))[0]
    alone = network.encode(Batch.of(DOCUMENTS.part(7, 8)))[0]
    assert torch.allclose(whole[7:8], alone, atol=1e-5)


def test_a_document_without_words_has_a_loss_and_a_gradient() -> None:
    """ntm_lda N21"""
    empty = documents.of_counts([0] * WORDS, [1] * WORDS)
    for design in DESIGNS.values():
        network = Network(design, seed=1)
        network.row()
        total, losses = network.objective(Batch.of(empty), noise(2))
        assert losses.reconstruction[0] == 0
        assert torch.isfinite(network.gradient(total)).all()


def test_the_layers_of_the_encoder_are_as_wide_as_asked() -> None:
    """ntm_lda N2"""
    shapes = [tuple(layer.weight.shape) for layer in Network(DESIGN).encoder]
    assert shapes == [(WORDS, 12), (12, 8)]


def test_a_seed_decides_where_training_begins_and_nothing_else_of_torch() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first, second, other = Network(DESIGN, 1).row(), Network(DESIGN, 1).row(), Network(DESIGN, 2).row()
    assert torch.equal(torch.rand(1), expected)
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("name", DESIGNS)
def test_devices_agree(torch_device: str, name: str) -> None:
    """From the same weights, after steps on each. ntm_lda N20"""
    means = []
    for device in ("cpu", torch_device):
        network = Network(DESIGNS[name], seed=1).to(device).train()
        optimiser = OPTIMISERS["adadelta"](network.row(), 0.01)
        batch = Batch.of(DOCUMENTS, device)
        for _ in range(5):
            optimiser.step(network.gradient(network(batch, noise(60).to(device))))
        with torch.no_grad():
            means.append(torch.softmax(network.eval().encode(batch)[0], 1).cpu())
    assert torch.allclose(*means, atol=1e-4)
