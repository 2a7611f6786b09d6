"""Products with sparse counts, and the loss of sparse counts, for torch: no dense matrix of counts is ever made."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import torch

from sagedock.topics.documents import Documents

LOGITS_AT_ONCE = 1 << 22
"""So many numbers of (documents, words) are in memory at a time, 16 MiB."""
LOGITS_IN_CACHE = 1 << 17
"""So many are made at a time on CPUs, which a core's own cache holds with their softmax."""
DOCUMENTS_AT_ONCE = 32
"""Of no fewer documents on CPUs, since all of the decoder is read each time."""


@dataclass(frozen=True)
class Batch:
    """The counts X of a mini-batch of documents as compressed sparse rows, on one device."""

    starts: torch.Tensor
    """(documents + 1,), int64: document d has the places starts[d] to starts[d + 1]."""
    words: torch.Tensor
    """(places,), int64."""
    counts: torch.Tensor
    """(places,), float32."""
    lengths: torch.Tensor
    """(documents,), float32: the sum of a document's counts."""
    vocabulary_size: int

    @classmethod
    def of(cls, documents: Documents, device: str = "cpu") -> Batch:
        """Those of some documents."""
        arrays = (documents.starts, documents.words.astype(np.int64), documents.counts, documents.lengths)
        starts, words, counts, lengths = (torch.from_numpy(array).to(device) for array in arrays)
        return cls(starts, words, counts, lengths, documents.vocabulary_size)

    def logarithmic(self) -> Batch:
        """The same documents with log(1 + x) for x."""
        return replace(self, counts=self.counts.log1p())

    @property
    def documents(self) -> int:
        """How many there are."""
        return len(self.lengths)

    def times(self, matrix: torch.Tensor) -> torch.Tensor:
        """X M, (documents, columns), of a matrix (vocabulary_size, columns)."""
        return torch.nn.functional.embedding_bag(
            self.words,
            matrix,
            self.starts,
            mode="sum",
            per_sample_weights=self.counts,
            include_last_offset=True,
        )

    def transposed_times(self, matrix: torch.Tensor) -> torch.Tensor:
        """X^T M, (vocabulary_size, columns), of a matrix (documents, columns)."""
        if matrix.device.type == "cpu":
            return torch.from_numpy(self._transpose @ matrix.detach().numpy())
        rows = torch.repeat_interleave(torch.arange(self.documents, device=matrix.device), torch.diff(self.starts))
        places = torch.stack((self.words, rows))
        counts = torch.sparse_coo_tensor(places, self.counts, (self.vocabulary_size, self.documents))
        return torch.sparse.mm(counts, matrix)

    @property
    def _transpose(self) -> Any:
        from scipy.sparse import csc_matrix

        shape = (self.vocabulary_size, self.documents)
        return csc_matrix((self.counts.numpy(), self.words.numpy(), self.starts.numpy()), shape=shape)


class _Product(torch.autograd.Function):  # type: ignore[misc] # torch is not followed by the type checker
    """X M with its gradient."""

    @staticmethod
    def forward(ctx: Any, matrix: torch.Tensor, batch: Batch) -> torch.Tensor:
        ctx.batch = batch
        return batch.times(matrix)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return ctx.batch.transposed_times(gradient), None


class _Reconstruction(torch.autograd.Function):  # type: ignore[misc] # torch is not followed by the type checker
    """-sum_i x_i log softmax(D a)_i of each document, and the gradients of its weighted sum, made on the way.

    With s = log sum exp(D a) a document's loss is length * s - a . (X D): only non-zero counts are touched, and the
    logits of a few documents at a time.
    """

    @staticmethod
    def forward(
        ctx: Any, codes: torch.Tensor, decoder: torch.Tensor, batch: Batch, weights: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        seen = batch.times(decoder)
        losses = torch.empty_like(batch.lengths)
        trains = ctx.needs_input_grad[0] or ctx.needs_input_grad[1]
        if trains:
            code_gradient, decoder_gradient = torch.empty_like(codes), torch.zeros_like(decoder)
        rows = _documents_at_once(batch.vocabulary_size, decoder.device.type)
        for begin in range(0, batch.documents, rows):
            part = slice(begin, begin + rows)
            logits = codes[part] @ decoder.T
            shares = torch.softmax(logits, 1)
            logarithms = logits.amax(1) - shares.amax(1).log()
            losses[part] = batch.lengths[part] * logarithms - (codes[part] * seen[part]).sum(1)
            if trains:
                scales = (weights[part] * batch.lengths[part])[:, None]
                code_gradient[part] = scales * (shares @ decoder) - weights[part, None] * seen[part]
                decoder_gradient.addmm_(shares.T, scales * codes[part])
        if trains:
            decoder_gradient -= batch.transposed_times(weights[:, None] * codes)
            ctx.save_for_backward(code_gradient, decoder_gradient)
        ctx.mark_non_differentiable(losses)
        return (weights * losses).sum(), losses

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor, _: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None, None]:
        code_gradient, decoder_gradient = ctx.saved_tensors
        return code_gradient * gradient, decoder_gradient * gradient, None, None


def _documents_at_once(vocabulary_size: int, device: str) -> int:
    most = max(1, LOGITS_AT_ONCE // vocabulary_size)
    return min(most, max(DOCUMENTS_AT_ONCE, LOGITS_IN_CACHE // vocabulary_size)) if device == "cpu" else most


def product(batch: Batch, matrix: torch.Tensor) -> torch.Tensor:
    """X M, (documents, columns), differentiable by the matrix (vocabulary_size, columns)."""
    return cast("torch.Tensor", _Product.apply(matrix, batch))


def reconstruction(
    batch: Batch, codes: torch.Tensor, decoder: torch.Tensor, weights: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The sum of -sum_i x_i log softmax(D a)_i weighted by document, differentiable, and (documents,) without weights.

    `codes` is (documents, columns), `decoder` (vocabulary_size, columns), `weights` (documents,).
    """
    return cast("tuple[torch.Tensor, torch.Tensor]", _Reconstruction.apply(codes, decoder, batch, weights))
