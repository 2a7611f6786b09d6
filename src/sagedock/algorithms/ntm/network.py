"""The two networks of the neural topic model as torch trains them: documents' counts in, losses out.

`nvdm` is the built-in's: an encoder with a Gaussian posterior and a softmax decoder over the vocabulary (ntm_lda A6;
Miao et al., Neural Variational Inference for Text Processing, ICML 2016). `prodlda` is that of Srivastava and Sutton,
Autoencoding Variational Inference for Topic Models, ICLR 2017: a Dirichlet prior in Laplace approximation, batch
normalisation before the posterior and the decoder's softmax, dropout on the topics of a document.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import torch
from torch.nn import functional

from sagedock.algorithms.ntm.coherence import Coherence
from sagedock.algorithms.ntm.hyperparameters import NVDM, PRODLDA, RELU, SIGMOID, SOFTPLUS, TANH
from sagedock.algorithms.ntm.sparse import Batch, product, reconstruction

_ACTIVATIONS = {SIGMOID: torch.sigmoid, TANH: torch.tanh, RELU: torch.relu, SOFTPLUS: functional.softplus}
VARIANCE_FLOOR = 1e-5
"""What batch normalisation adds to a variance."""
_MOMENTUM = 0.1
PROJECTION_GAIN = 8.0
"""nvdm's decoder begins so many times as wide as Glorot's rule has it, whose inputs are as large as its outputs: those
of the decoder are shares of topics, 1 in all (docs/decisions/0045)."""
ENCODER_GAIN = 3.0
"""The same of nvdm's first layer and of the one that makes the mean (docs/decisions/0045)."""


@dataclass(frozen=True)
class Design:
    """What a network is made of."""

    vocabulary_size: int
    topics: int
    layers: Sequence[int]
    """Widths of the encoder's layers."""
    activation: str
    network: str = NVDM
    batch_norm: bool = False
    """Normalise every layer of the encoder."""
    dropout: float = 0.0
    """Of a document's topics in training: so great a share of them is left out (prodlda)."""
    prior: float = 1.0
    """The parameter of the symmetric Dirichlet prior (prodlda)."""


@dataclass(frozen=True)
class Losses:
    """Of each document of a batch (documents,), in nats, not divided by its length."""

    reconstruction: torch.Tensor
    divergence: torch.Tensor


class Normalisation(torch.nn.Module):  # type: ignore[misc] # torch is not followed by the type checker
    """Batch normalisation of (documents, width) with a learnt shift and no scale, which the next matrix would undo."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.shift = torch.nn.Parameter(torch.zeros(width))
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("variance", torch.ones(width))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        scale = torch.ones_like(self.shift)
        return functional.batch_norm(
            values, self.mean, self.variance, scale, self.shift, self.training, _MOMENTUM, VARIANCE_FLOOR
        )


class Layer(torch.nn.Module):  # type: ignore[misc] # torch is not followed by the type checker
    """x W + b, normalised where asked for; W is (inputs, outputs), so that the words of a document are rows of it."""

    def __init__(self, inputs: int, outputs: int, normalised: bool, gain: float = 1.0) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.nn.init.xavier_uniform_(torch.empty(inputs, outputs), gain))
        self.bias: torch.Tensor | None = None if normalised else torch.nn.Parameter(torch.zeros(outputs))
        self.normalisation = Normalisation(outputs) if normalised else None

    def forward(self, values: torch.Tensor | Batch) -> torch.Tensor:
        found = product(values, self.weight) if isinstance(values, Batch) else values @ self.weight
        return self.normalisation(found) if self.normalisation is not None else found + self.bias

    def folded(self) -> tuple[torch.Tensor, torch.Tensor]:
        """W and b of x W + b that does the same in inference, normalisation included."""
        weight = self.weight.detach()
        known = self.normalisation
        if known is None:
            return weight, cast("torch.Tensor", self.bias).detach()
        scale = torch.rsqrt(known.variance + VARIANCE_FLOOR)
        return weight * scale, known.shift.detach() - known.mean * scale


class Network(torch.nn.Module):  # type: ignore[misc] # torch is not followed by the type checker
    """An encoder from counts to a Gaussian, its mean and the logarithm of its deviation, and a decoder from topics."""

    def __init__(self, design: Design, seed: int = 0, coherence: Coherence | None = None) -> None:
        super().__init__()
        self.design = design
        self._coherence = coherence
        widths = [design.vocabulary_size, *design.layers]
        prodlda = design.network == PRODLDA
        gain, decoder_gain = (1.0, 1.0) if prodlda else (ENCODER_GAIN, PROJECTION_GAIN)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.encoder = torch.nn.ModuleList(
                Layer(inputs, outputs, design.batch_norm, 1.0 if number else gain)
                for number, (inputs, outputs) in enumerate(pairwise(widths))
            )
            self.mean = Layer(widths[-1], design.topics, prodlda, gain)
            self.deviation = Layer(widths[-1], design.topics, prodlda)
            self.projection = torch.nn.Parameter(
                torch.nn.init.xavier_uniform_(torch.empty(design.vocabulary_size, design.topics), decoder_gain)
            )
        self.projection_bias = torch.nn.Parameter(torch.zeros(design.vocabulary_size))
        if prodlda:
            self.register_buffer("topic_mean", torch.full((design.topics,), 1 / design.topics))
            self.register_buffer("topic_covariance", torch.eye(design.topics) / design.topics**2)

    def row(self) -> torch.Tensor:
        """All parameters in one row, which from now on is where they are: who changes it changes them."""
        parameters = list(self.parameters())
        with torch.no_grad():
            row = torch.cat([parameter.ravel() for parameter in parameters])
            begin = 0
            for parameter in parameters:
                parameter.data = row[begin : begin + parameter.numel()].view_as(parameter)
                begin += parameter.numel()
        return row

    def gradient(self, total: torch.Tensor) -> torch.Tensor:
        """That of a sum of losses, in the order of `row`."""
        parts = torch.autograd.grad(total, list(self.parameters()))
        return torch.cat([part.ravel() for part in parts])

    @property
    def prior_variance(self) -> float:
        """That of the Gaussian prior around 0: 1, or of the Laplace approximation of a symmetric Dirichlet."""
        if self.design.network == NVDM:
            return 1.0
        return (1 - 1 / self.design.topics) / self.design.prior

    def encode(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """The mean and the logarithm of the deviation of each document's posterior, both (documents, topics).

        What prodlda normalises is the logarithm of the variance, twice as much.
        """
        hidden: torch.Tensor | Batch = batch.logarithmic()
        for layer in self.encoder:
            hidden = _ACTIVATIONS[self.design.activation](layer(hidden))
        deviation = self.deviation(hidden)
        return self.mean(hidden), deviation if self.design.network == NVDM else 0.5 * deviation

    def forward(self, batch: Batch, noise: torch.Tensor, kept: torch.Tensor | None = None) -> torch.Tensor:
        """The sum of the losses of a batch in training.

        `noise` (documents, topics) is standard normal; `kept` of that shape is 1 for topics that dropout leaves.
        """
        return self.objective(batch, noise, kept)[0]

    def objective(
        self,
        batch: Batch,
        noise: torch.Tensor | None = None,
        kept: torch.Tensor | None = None,
        rewarded: float = 0.0,
    ) -> tuple[torch.Tensor, Losses]:
        """The sum of the losses, and the losses; without `noise` of the posterior's mean, as inference has it.

        The reward of coherent topics, so many documents' worth, is taken from the sum alone.
        """
        mean, deviation = self.encode(batch)
        hidden = mean if noise is None else torch.addcmul(mean, deviation.exp(), noise)
        topics = torch.softmax(hidden, 1)
        if kept is not None:
            topics = topics * kept / (1 - self.design.dropout)
        codes, decoder = self._decoded(topics)
        total, losses = reconstruction(batch, codes, decoder, torch.ones_like(batch.lengths))
        divergence = self._divergence(mean, deviation)
        total = total + divergence.sum()
        if self._coherence is not None and rewarded:
            total = total - rewarded * self._coherence.weight * self._coherence.reward(decoder[:, :-1])
        return total, Losses(losses, divergence.detach())

    def _divergence(self, mean: torch.Tensor, deviation: torch.Tensor) -> torch.Tensor:
        """Of each posterior from the prior, after Kullback and Leibler."""
        variance = self.prior_variance
        terms = (mean.square() + (2 * deviation).exp()) / variance - 2 * deviation
        return 0.5 * (terms.sum(1) + mean.shape[1] * (math.log(variance) - 1))

    def _decoded(self, topics: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Codes and a decoder whose products are the logits of the words.

        Batch normalisation of logits W z needs none of them: their mean and variance over the documents are W times the
        mean of z and the diagonal of W cov(z) W^T.
        """
        one = torch.ones_like(topics[:, :1])
        if self.design.network == NVDM:
            return torch.cat((topics, one), 1), torch.cat((self.projection, self.projection_bias[:, None]), 1)
        mean, covariance = self._moments(topics)
        variance = ((self.projection @ covariance) * self.projection).sum(1)
        scaled = self.projection * torch.rsqrt(variance + VARIANCE_FLOOR)[:, None]
        return torch.cat((topics - mean, one), 1), torch.cat((scaled, self.projection_bias[:, None]), 1)

    def _moments(self, topics: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and covariance of the topics of the batch, which the running ones follow; those in inference."""
        if not self.training:
            return self.topic_mean, self.topic_covariance
        mean = topics.mean(0)
        centred = topics - mean
        covariance = centred.T @ centred / len(topics)
        with torch.no_grad():
            self.topic_mean.lerp_(mean, _MOMENTUM)
            self.topic_covariance.lerp_(covariance, _MOMENTUM)
        return mean, covariance

    def folded(self) -> tuple[torch.Tensor, torch.Tensor]:
        """W (vocabulary, topics) and b of softmax(W z + b) that does in inference what the decoder does."""
        projection, bias = self.projection.detach(), self.projection_bias.detach()
        if self.design.network == NVDM:
            return projection, bias
        variance = ((projection @ self.topic_covariance) * projection).sum(1)
        scaled = projection * torch.rsqrt(variance + VARIANCE_FLOOR)[:, None]
        return scaled, bias - scaled @ self.topic_mean
