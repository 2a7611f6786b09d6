"""What a network is rewarded with for topics whose words meet in documents, as Ding, Nallapati and Xiang have it
(Coherence-aware neural topic modeling, 2018), whose word vectors are here those of the training documents.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch

SHARPNESS = 2.0
"""The logits of words are multiplied by it, so that a topic's first words decide."""
OVERLAP = 0.2
"""What two topics of the same words cost, in units of a topic's coherence."""


@dataclass(frozen=True)
class Coherence:
    """The reward of topics: `vectors` (words, dimensions) are near where words meet, `weight` is a document's share."""

    vectors: torch.Tensor
    weight: float

    def reward(self, logits: torch.Tensor) -> torch.Tensor:
        """Of topics (words, topics): the mean nearness of two of their words, summed, less what they have in common.

        Words are weighted by the softmax of sharpened logits; a word is not near itself.
        """
        shares = torch.softmax(SHARPNESS * logits, 0)
        centres = self.vectors.T @ shares
        itself = self.vectors.square().sum(1) @ shares.square()
        units = shares / shares.norm(dim=0)
        alike = units.T @ units
        overlap = (alike.sum() - alike.diagonal().sum()) / 2
        return cast("torch.Tensor", centres.square().sum() - itself.sum() - OVERLAP * overlap)
