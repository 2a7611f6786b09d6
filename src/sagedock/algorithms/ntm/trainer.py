"""Training a network epoch by epoch, on one host or, by the sum of all hosts' gradients, on several."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sagedock.algorithm import Cluster
from sagedock.algorithms.ntm.artefact import Decoder
from sagedock.algorithms.ntm.co_occurrence import vectors
from sagedock.algorithms.ntm.coherence import Coherence
from sagedock.algorithms.ntm.encoder import Encoder
from sagedock.algorithms.ntm.network import Design, Losses, Network
from sagedock.algorithms.ntm.optimisers import Optimiser
from sagedock.algorithms.ntm.sparse import Batch
from sagedock.topics.documents import Documents

Arrays = Mapping[str, NDArray[Any]]
STEPS_A_REWARD = 4
"""Topics are looked at in one step of so many, whose reward counts for all: they change little meanwhile."""
_ROW, _STATE, _STEPS = "weights", "state", "steps"


@dataclass(frozen=True)
class Settings:
    """How documents are gone through; the names are those of the hyperparameters."""

    mini_batch_size: int
    sub_sample: float = 1.0
    seed: int = 0
    coherence: float = 0.0
    """What coherent topics are worth, in nats a document and topic."""


@dataclass(frozen=True)
class Loss:
    """Means over documents, each divided by its words: what an epoch or a scoring came to."""

    divergence: float
    reconstruction: float
    documents: int = 0
    """Of this host."""
    batches: int = 0

    @property
    def total(self) -> float:
        """Both together."""
        return self.divergence + self.reconstruction


class Trainer:
    """A network on its way. Random numbers depend on the seed, the epoch and the host alone, so that a resumed training
    goes on as it would have.
    """

    def __init__(
        self,
        design: Design,
        settings: Settings,
        optimiser: Callable[[torch.Tensor], Optimiser],
        documents: Documents,
        cluster: Cluster,
        device: str = "cpu",
    ) -> None:
        self._settings, self._documents, self._cluster, self._device = settings, documents, cluster, device
        self.network = Network(design, settings.seed, self._coherence()).to(device)
        self._row = self.network.row()
        self._optimiser = optimiser(self._row)
        self._taken = max(1, round(settings.sub_sample * documents.rows)) if documents.rows else 0
        batches = -(-self._taken // settings.mini_batch_size)
        self._steps = int(self._together(max, float(batches)))

    def epoch(self, number: int, is_late: Callable[[], bool] = lambda: False) -> Loss | None:
        """Train epoch `number`, counted from 1; None when it was broken off, which any host's `is_late` does."""
        chance = np.random.default_rng([self._settings.seed, number, self._cluster.rank])
        order = chance.permutation(self._documents.rows)[: self._taken]
        sums = np.zeros(2)
        for step in range(self._steps):
            if self._cluster.anyone(is_late()):
                return None
            begin = step * self._settings.mini_batch_size
            rewarded = 0 if step % STEPS_A_REWARD else STEPS_A_REWARD
            sums += self._step(order[begin : begin + self._settings.mini_batch_size], chance, rewarded)
        self._share_statistics()
        return self._loss(sums, self._taken, -(-self._taken // self._settings.mini_batch_size))

    def score(self, documents: Documents) -> Loss:
        """The losses of documents by the posterior's mean, without noise. A last batch that is not full is left out, as
        the built-in does, unless it is the only one.
        """
        size = self._settings.mini_batch_size
        scored = documents.rows // size * size or documents.rows
        self.network.eval()
        sums = np.zeros(2)
        with torch.no_grad():
            for begin in range(0, scored, size):
                batch = Batch.of(documents.part(begin, min(begin + size, scored)), self._device)
                sums += _summed(self.network.objective(batch)[1], batch)
        divergence, reconstruction = (sums / max(scored, 1)).tolist()
        return Loss(divergence, reconstruction, scored, -(-scored // size))

    def is_finite(self) -> bool:
        """Whether all weights are numbers."""
        return bool(torch.isfinite(self._row).all())

    def weights(self) -> dict[str, NDArray[Any]]:
        """Copies of the weights and of the statistics of normalisations."""
        buffers = {name: buffer.cpu().numpy().copy() for name, buffer in self.network.named_buffers()}
        return {_ROW: self._row.cpu().numpy().copy(), **buffers}

    def put_weights(self, arrays: Arrays) -> None:
        """Go on with those that `weights` gave. Raises KeyError and ValueError where they are others'."""
        _put(self._row, arrays[_ROW])
        for name, buffer in self.network.named_buffers():
            _put(buffer, arrays[name])

    def state(self) -> dict[str, NDArray[Any]]:
        """Copies of all that the next epochs depend on."""
        states = {f"{_STATE}.{i}": each.cpu().numpy().copy() for i, each in enumerate(self._optimiser.states)}
        return {**self.weights(), **states, _STEPS: np.array([self._optimiser.steps], np.int64)}

    def put_state(self, arrays: Arrays) -> None:
        """Go on from what `state` gave. Raises KeyError and ValueError where it is another's."""
        for number, each in enumerate(self._optimiser.states):
            _put(each, arrays[f"{_STATE}.{number}"])
        self._optimiser.steps = int(arrays[_STEPS][0])
        self.put_weights(arrays)

    def take_over(self) -> None:
        """On several hosts, go on from the state of the first."""
        if len(self._cluster.hosts) > 1:
            mine = self.state()
            received = {
                name: np.frombuffer(self._cluster.broadcast(array.tobytes()), array.dtype).reshape(array.shape)
                for name, array in mine.items()
            }
            self.put_state(received)

    def encoder(self) -> Encoder:
        """The encoder as it is served."""
        layers = [layer.folded() for layer in (*self.network.encoder, self.network.mean)]
        weights, biases = zip(*((weight.cpu().numpy(), bias.cpu().numpy()) for weight, bias in layers), strict=True)
        return Encoder(weights, biases, self.network.design.activation)

    def decoder(self) -> Decoder:
        """The decoder as it is kept."""
        projection, bias = self.network.folded()
        return Decoder(projection.cpu().numpy(), bias.cpu().numpy())

    def _coherence(self) -> Coherence | None:
        """By the vectors of words in the first host's documents."""
        if not self._settings.coherence:
            return None
        found = vectors(self._documents)
        if len(self._cluster.hosts) > 1:
            shape = found.shape[0], -1
            found = np.frombuffer(self._cluster.broadcast(found.tobytes()), np.float32).reshape(shape).copy()
        return Coherence(self._tensor(found), self._settings.coherence)

    def _step(self, chosen: NDArray[np.int64], chance: np.random.Generator, rewarded: int) -> NDArray[np.float64]:
        """Learn some documents, all hosts theirs, and return the sums of their losses.

        Coherent topics are rewarded as if there were `rewarded` times as many documents.
        """
        if not len(chosen):
            self._advance(torch.zeros_like(self._row))
            return np.zeros(2)
        batch = Batch.of(self._documents.take(chosen), self._device)
        design = self.network.design
        noise = chance.standard_normal((len(chosen), design.topics), np.float32)
        kept = None
        if design.dropout:
            kept = self._tensor((chance.random(noise.shape, np.float32) >= design.dropout).astype(np.float32))
        self.network.train(len(chosen) > 1)  # of a single document there are no statistics
        total, losses = self.network.objective(batch, self._tensor(noise), kept, rewarded * len(chosen))
        self._advance(self.network.gradient(total))
        return _summed(losses, batch)

    def _tensor(self, array: NDArray[np.float32]) -> torch.Tensor:
        return torch.from_numpy(array).to(self._device)

    def _advance(self, gradient: torch.Tensor) -> None:
        """Step down the sum of all hosts' gradients."""
        hosts = len(self._cluster.hosts)
        if hosts > 1:
            shared = gradient.cpu().numpy()
            self._cluster.mean([shared])
            gradient = self._tensor(shared * np.float32(hosts))
        self._optimiser.step(gradient)

    def _share_statistics(self) -> None:
        """On several hosts, the mean of what normalisations know of the documents."""
        buffers = [buffer for _, buffer in self.network.named_buffers()]
        if len(self._cluster.hosts) > 1 and buffers:
            shared = [np.ascontiguousarray(buffer.cpu().numpy()) for buffer in buffers]
            self._cluster.mean(shared, float(self._documents.rows))
            for buffer, array in zip(buffers, shared, strict=True):
                _put(buffer, array)

    def _loss(self, sums: NDArray[np.float64], documents: int, batches: int) -> Loss:
        """That of all hosts' documents."""
        everywhere = [self._together(sum, float(number)) for number in (*sums, documents)]
        return Loss(everywhere[0] / everywhere[2], everywhere[1] / everywhere[2], documents, batches)

    def _together(self, what: Callable[[Iterable[float]], Any], number: float) -> float:
        """What all hosts' numbers come to."""
        parts = self._cluster.gather(np.float64(number).tobytes())
        found = what([float(np.frombuffer(part)[0]) for part in parts]) if parts else 0.0
        return float(np.frombuffer(self._cluster.broadcast(np.float64(found).tobytes()))[0])


def _summed(losses: Losses, batch: Batch) -> NDArray[np.float64]:
    """Divergence and reconstruction a word, summed over documents."""
    words = batch.lengths.clamp(min=1)
    parts: Iterator[torch.Tensor] = iter((losses.divergence, losses.reconstruction))
    return np.array([float((part / words).sum()) for part in parts])


def _put(tensor: torch.Tensor, array: NDArray[Any]) -> None:
    if tuple(tensor.shape) != array.shape:
        raise ValueError(f"{array.shape} numbers for {tuple(tensor.shape)}")
    with torch.no_grad():
        tensor.copy_(torch.from_numpy(array.copy()))
