"""Losses of one class a picture and of many, and what positives of rare classes count for."""

from __future__ import annotations

import logging

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")

import torch

from sagedock.algorithms.image_classification import losses

LOGITS = torch.tensor([[1.0, -2.0, 0.5], [0.0, 3.0, -1.0]])


def test_one_class_a_picture_costs_its_surprise() -> None:
    found = losses.build(multi_label=False)(LOGITS, torch.tensor([0, 2]))
    shares = torch.softmax(LOGITS, 1)
    assert found.item() == pytest.approx(-(shares[0, 0].log() + shares[1, 2].log()).item() / 2, rel=1e-6)
    assert torch.equal(losses.probabilities(LOGITS, multi_label=False), shares)


def test_a_positive_counts_for_its_weight_and_a_negative_for_one() -> None:
    """Section 12 of the specification, 8: the weight of a class is its negatives divided by its positives."""
    labels = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    weights = np.array([1.0, 5.0, 0.25], np.float32)
    found = losses.build(multi_label=True, positive_weights=weights)(LOGITS, labels)
    chance = torch.sigmoid(LOGITS)
    costs = -(torch.from_numpy(weights) * labels * chance.log() + (1 - labels) * (1 - chance).log())
    assert found.item() == pytest.approx(costs.mean().item(), rel=1e-5)
    assert torch.equal(losses.probabilities(LOGITS, multi_label=True), chance)


def test_weights_are_negatives_divided_by_positives(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert losses.positive_weights(np.array([25, 50, 99]), 100).tolist() == pytest.approx([3, 1, 1 / 99])
    assert not caplog.records


def test_a_class_that_none_or_all_have_is_warned_of_and_counts_one(caplog: pytest.LogCaptureFixture) -> None:
    """Section 12, 8: a class without positives has weight 1 and a warning."""
    with caplog.at_level(logging.WARNING):
        found = losses.positive_weights(np.array([0, 10, 100]), 100, ["ant", "bee", "cat"])
    assert found.tolist() == [1, 9, 1]
    assert [("ant" in record.message, "cat" in record.message) for record in caplog.records] == [
        (True, False),
        (False, True),
    ]
