"""The trainer beside itself: what a seed decides, what a state holds, what the served encoder answers."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")

import torch

from sagedock.algorithms.ntm.network import Design
from sagedock.algorithms.ntm.optimisers import OPTIMISERS
from sagedock.algorithms.ntm.sparse import Batch
from sagedock.algorithms.ntm.trainer import Settings, Trainer
from sagedock.topics.documents import Documents
from sagedock.training.cluster import Alone
from tests.algorithms.ntm import documents
from tests.without_core import without_core

DOCUMENTS = documents.some(documents=100)
NVDM = Design(DOCUMENTS.vocabulary_size, 4, (12, 8), "sigmoid")
PRODLDA = Design(DOCUMENTS.vocabulary_size, 4, (10, 10), "softplus", "prodlda", dropout=0.5)
NORMALISED = Design(DOCUMENTS.vocabulary_size, 4, (12, 8), "relu", batch_norm=True)
torch.set_num_threads(1)


def trainer(design: Design, optimiser: str = "adam", train: Documents = DOCUMENTS, **settings: float) -> Trainer:
    wanted = Settings(**{"mini_batch_size": 32, **settings})  # type: ignore[arg-type] # numbers of both kinds
    made = partial(OPTIMISERS[optimiser], learning_rate=0.01)
    return Trainer(design, wanted, made, train, Alone("algo-1"))


@pytest.mark.parametrize("design", [NVDM, PRODLDA, NORMALISED], ids=["nvdm", "prodlda", "normalised"])
def test_the_served_encoder_answers_as_the_network_does(design: Design) -> None:
    """With normalisation folded in, by compiled code and by NumPy alike."""
    one = trainer(design)
    for number in range(1, 4):
        assert one.epoch(number) is not None
    with torch.no_grad():
        expected = torch.softmax(one.network.eval().encode(Batch.of(DOCUMENTS))[0], 1).numpy()
    compiled = one.encoder().mixtures(DOCUMENTS)
    with without_core():
        plain = one.encoder().mixtures(DOCUMENTS)
    assert np.array_equal(compiled, plain)
    assert compiled == pytest.approx(expected, abs=1e-5)
    for row in (0, 31):
        assert np.array_equal(one.encoder().mixtures(DOCUMENTS.part(row, row + 1))[0], compiled[row])


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu", "softplus"])
def test_every_activation_is_served(activation: str) -> None:
    one = trainer(Design(DOCUMENTS.vocabulary_size, 4, (6, 7, 5), activation))
    with torch.no_grad():
        expected = torch.softmax(one.network.encode(Batch.of(DOCUMENTS))[0], 1).numpy()
    compiled = one.encoder().mixtures(DOCUMENTS)
    with without_core():
        assert np.array_equal(one.encoder().mixtures(DOCUMENTS), compiled)
    assert compiled == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_a_state_goes_on_as_if_nothing_had_happened(optimiser: str) -> None:
    """Issue 6 item 6: bit for bit, losses too."""
    whole, first = trainer(PRODLDA, optimiser), trainer(PRODLDA, optimiser)
    losses = [whole.epoch(number) for number in range(1, 5)]
    assert [first.epoch(number) for number in range(1, 3)] == losses[:2]
    second = trainer(PRODLDA, optimiser)
    second.put_state(first.state())
    assert [second.epoch(number) for number in range(3, 5)] == losses[2:]
    for name, array in whole.state().items():
        assert np.array_equal(array, second.state()[name]), name


def test_an_epoch_takes_other_documents_than_the_one_before() -> None:
    """ntm_lda N18: of documents with a word each, the ones that were learnt have moved their word's row."""
    single = Documents.of_dense(np.eye(50, dtype=np.float32))
    one = trainer(Design(50, 2, (4,), "tanh"), "sgd", single, sub_sample=0.2)
    moved = []
    for number in (1, 2):
        before = one.network.encoder[0].weight.detach().clone()
        loss = one.epoch(number)
        assert loss is not None
        assert loss.documents == 10
        moved.append({int(row) for row in (one.network.encoder[0].weight != before).any(1).nonzero()})
    assert [len(rows) for rows in moved] == [10, 10]
    assert moved[0] != moved[1]


def test_a_decoder_makes_the_words_that_the_network_makes() -> None:
    one = trainer(PRODLDA)
    one.epoch(1)
    decoder, topics = one.decoder(), torch.softmax(torch.randn(6, 4, generator=torch.Generator().manual_seed(4)), 1)
    codes, matrix = one.network.eval()._decoded(topics)
    expected = torch.log_softmax(codes @ matrix.T, 1).detach().numpy()
    found = torch.log_softmax(topics @ torch.from_numpy(decoder.projection).T + torch.from_numpy(decoder.bias), 1)
    assert found.numpy() == pytest.approx(expected, abs=1e-4)


def test_a_batch_of_one_document_is_learnt_with_normalisation_too() -> None:
    one = trainer(NORMALISED, train=DOCUMENTS.part(0, 33))
    loss = one.epoch(1)
    assert loss is not None
    assert np.isfinite(loss.total)


def test_an_epoch_is_broken_off_when_it_is_late() -> None:
    assert trainer(NVDM).epoch(1, lambda: True) is None
