"""Products and losses of sparse counts, beside the same of dense ones with torch's own gradients."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")

import torch

from sagedock.algorithms.ntm import sparse
from sagedock.algorithms.ntm.sparse import Batch, product, reconstruction
from tests.algorithms.ntm import documents

DOCUMENTS = documents.of_counts([2, 0, 1, 0, 3], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1], [0, 0, 0, 9, 0])
DENSE = torch.from_numpy(documents.dense(DOCUMENTS))


def numbers(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape))).requires_grad_()


def test_a_product_and_its_gradient_are_those_of_dense_counts(torch_device: str) -> None:
    matrix, weights = numbers(5, 3), numbers(4, 3).detach()
    expected = DENSE @ matrix
    ours = matrix.detach().to(torch_device).requires_grad_()
    found = product(Batch.of(DOCUMENTS, torch_device), ours)
    assert torch.allclose(found.cpu(), expected, atol=1e-5)
    (expected_gradient,) = torch.autograd.grad((expected * weights).sum(), [matrix])
    (gradient,) = torch.autograd.grad((found * weights.to(torch_device)).sum(), [ours])
    assert torch.allclose(gradient.cpu(), expected_gradient, atol=1e-5)


@pytest.mark.parametrize(("at_once", "in_cache"), [(1, 1 << 17), (11, 1 << 17), (1 << 22, 1 << 17), (1 << 22, 11)])
def test_the_loss_and_its_gradients_are_those_of_dense_counts(
    torch_device: str, monkeypatch: pytest.MonkeyPatch, at_once: int, in_cache: int
) -> None:
    """However many documents are gone through at a time, also one without words."""
    monkeypatch.setattr(sparse, "LOGITS_AT_ONCE", at_once)
    monkeypatch.setattr(sparse, "LOGITS_IN_CACHE", in_cache)
    monkeypatch.setattr(sparse, "DOCUMENTS_AT_ONCE", 1)
    codes, decoder, weights = numbers(4, 3), numbers(5, 3), torch.tensor([1.0, 2.0, 0.5, 1.0])
    expected = -(DENSE * torch.log_softmax(codes @ decoder.T, 1)).sum(1)
    expected_gradients = torch.autograd.grad(3 * (weights * expected).sum(), [codes, decoder])
    ours = [each.detach().to(torch_device).requires_grad_() for each in (codes, decoder)]
    total, losses = reconstruction(Batch.of(DOCUMENTS, torch_device), *ours, weights.to(torch_device))
    assert torch.allclose(losses.cpu(), expected, atol=1e-5)
    assert total.item() == pytest.approx((weights * expected).sum().item(), rel=1e-6)
    for gradient, wanted in zip(torch.autograd.grad(3 * total, ours), expected_gradients, strict=True):
        assert torch.allclose(gradient.cpu(), wanted, atol=1e-5)


def test_parts_of_documents_make_batches() -> None:
    batch = Batch.of(DOCUMENTS.part(2, 4))
    assert batch.documents == 2
    assert np.array_equal(batch.lengths.numpy(), [5, 9])
    assert torch.equal(batch.times(torch.eye(5)), DENSE[2:])
    assert torch.equal(batch.logarithmic().times(torch.eye(5)), DENSE[2:].log1p())
