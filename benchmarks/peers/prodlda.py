"""ProdLDA as one writes it in plain torch, with dense counts (Srivastava and Sutton, 2017): the peer of ntm."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from sagedock.topics.documents import Documents

HIDDEN, BATCH, RATE, DROPOUT = 100, 200, 0.002, 0.6


class ProdLDA(nn.Module):
    """From counts (documents, words) to the losses of a batch, summed."""

    def __init__(self, words: int, topics: int) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(words, HIDDEN), nn.Softplus(), nn.Linear(HIDDEN, HIDDEN), nn.Softplus())
        self.mean = nn.Sequential(nn.Linear(HIDDEN, topics), nn.BatchNorm1d(topics, affine=False))
        self.variance = nn.Sequential(nn.Linear(HIDDEN, topics), nn.BatchNorm1d(topics, affine=False))
        self.dropout = nn.Dropout(DROPOUT)
        self.decoder = nn.Linear(topics, words, bias=False)
        self.normalisation = nn.BatchNorm1d(words, affine=False)
        self.prior = 1 - 1 / topics

    def forward(self, counts: torch.Tensor) -> torch.Tensor:
        hidden = self.encoder(counts)
        mean, logarithm = self.mean(hidden), self.variance(hidden)
        topics = self.dropout(torch.softmax(mean + (0.5 * logarithm).exp() * torch.randn_like(mean), 1))
        shares = torch.log_softmax(self.normalisation(self.decoder(topics)), 1)
        terms = (logarithm.exp() + mean.square()) / self.prior - 1 - logarithm + float(np.log(self.prior))
        return 0.5 * terms.sum() - (counts * shares).sum()


def learn(documents: Documents, topics: int, epochs: int, seed: int) -> NDArray[np.float32]:
    """The decoder's weights (topics, words) after so many epochs, on one thread."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    counts = torch.from_numpy(documents.dense())
    model = ProdLDA(documents.vocabulary_size, topics)
    optimiser = torch.optim.Adam(model.parameters(), lr=RATE, betas=(0.99, 0.999))
    for _ in range(epochs):
        order = torch.randperm(len(counts))
        for begin in range(0, len(counts) - 1, BATCH):
            optimiser.zero_grad()
            model(counts[order[begin : begin + BATCH]]).backward()
            optimiser.step()
    return np.asarray(model.decoder.weight.detach().numpy().T)
