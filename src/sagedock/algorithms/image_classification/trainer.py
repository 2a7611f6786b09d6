"""A network on its way: epochs of steps, and how it judges the validation channel, over all hosts."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sagedock.algorithm import Cluster
from sagedock.algorithms.image_classification.feeds import Batch, Feed
from sagedock.algorithms.image_classification.journal import Journal
from sagedock.algorithms.image_classification.judgement import HALF, Judgement
from sagedock.algorithms.image_classification.learner import Learner
from sagedock.algorithms.image_classification.schedule import Schedule
from sagedock.algorithms.image_classification.tally import Tally

Arrays = Mapping[str, NDArray[Any]]


@dataclass
class Trainer:
    """Trains `learner` on `train`, and judges it by `validation`. `names` are those of the classes."""

    learner: Learner
    train: Feed
    validation: Feed
    schedule: Schedule
    cluster: Cluster
    top_k: int | None = None
    names: tuple[str, ...] = ()

    def epoch(self, number: int, journal: Journal, is_late: Callable[[], bool]) -> Tally | None:
        """Train epoch `number`, from 0: the figures of all hosts' pictures. None when a host's `is_late` broke it off.

        Hosts whose pictures are used up go on without any until all are.
        """
        rate, seen, place = self.schedule.at(number), Tally(), 0
        feed = self.train.learnt(number)
        try:
            while True:
                if self.cluster.anyone(is_late()):
                    return None
                batch = next(feed, None)
                if not self.cluster.anyone(batch is not None):
                    break
                seen += self._step(batch, rate)
                if batch is not None:
                    journal.batch(number, place, seen)
                place += 1
        finally:
            _close(feed)
        self.learner.end_epoch()
        return seen.over(self.cluster)

    def _step(self, batch: Batch | None, rate: float) -> Tally:
        pictures, labels = (None, None) if batch is None else (batch.pictures, batch.labels)
        step = self.learner.step(pictures, labels, rate)
        if step is None or labels is None:
            return Tally()
        return Tally.of(step.logits, labels, top_k=self.top_k, loss=step.loss)

    def judged(self) -> Judgement:
        """How the network judges the validation channel now; on the first host every host's share."""
        own = judged(self.learner, self.validation.judged(), self.names)
        if len(self.cluster.hosts) == 1:
            return own
        parts = self.cluster.gather(_packed(own))
        return _interleaved([_unpacked(part, self.names) for part in parts]) if parts else own

    def accuracy(self, judgement: Judgement) -> float:
        """The first host's `judgement` as a share of right decisions, on every host."""
        found = self.cluster.broadcast(np.float64(accuracy(judgement)).tobytes())
        return float(np.frombuffer(found)[0])

    def weights(self) -> dict[str, NDArray[Any]]:
        """Copies of all that is learnt."""
        return {name: tensor.cpu().numpy().copy() for name, tensor in self.learner.network.tensors().items()}

    def put_weights(self, arrays: Arrays) -> None:
        """Go back to them."""
        self.learner.put(arrays)

    def is_finite(self) -> bool:
        """Whether all that is learnt still are numbers."""
        return all(bool(torch.isfinite(tensor).all()) for tensor in self.learner.network.tensors().values())


def judged(learner: Learner, batches: Iterator[Batch], names: tuple[str, ...]) -> Judgement:
    """How a network judges pictures, or features of them."""
    probabilities, labels, places = [], [], list[str]()
    try:
        for batch in batches:
            probabilities.append(learner.probabilities(batch.pictures))
            labels.append(batch.labels)
            places += batch.places
    finally:
        _close(batches)
    if not labels:
        return Judgement(np.zeros((0, learner.network.num_classes), np.float32), np.zeros(0, np.int64), (), names)
    return Judgement(np.concatenate(probabilities), np.concatenate(labels), places, names)


def accuracy(judgement: Judgement) -> float:
    """Share of right decisions: one a picture or, when multi-label, one a class at a half; each picture counts once."""
    scores = judgement.probabilities - np.float32(HALF) if judgement.multi_label else judgement.probabilities
    return Tally.of(scores, judgement.labels).accuracy


def arrays(judgement: Judgement) -> dict[str, NDArray[Any]]:
    """A judgement without the names, as arrays."""
    places = np.frombuffer("\n".join(judgement.places).encode(), np.uint8)
    labels = judgement.labels.astype(np.float32 if judgement.multi_label else np.int64)
    return {"probabilities": judgement.probabilities, "labels": labels, "places": places}


def of_arrays(found: Arrays, names: tuple[str, ...]) -> Judgement:
    """What `arrays` made arrays of."""
    probabilities = np.array(found["probabilities"])
    places = found["places"].tobytes().decode().split("\n") if len(probabilities) else []
    return Judgement(probabilities, np.array(found["labels"]), places, names)


def _packed(judgement: Judgement) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=False, **arrays(judgement))
    return stream.getvalue()


def _unpacked(part: bytes, names: tuple[str, ...]) -> Judgement:
    with np.load(io.BytesIO(part), allow_pickle=False) as found:
        return of_arrays(dict(found), names)


def _interleaved(parts: list[Judgement]) -> Judgement:
    """All hosts' shares in the channel's order, of which each host has every so manieth picture."""
    counts = [len(part.labels) for part in parts]
    filled = [part for part in parts if len(part.labels)]
    if not filled:
        return parts[0]
    places = [number * len(parts) + host for host, count in enumerate(counts) for number in range(count)]
    order = np.argsort(places)
    texts = [place for part in filled for place in part.places]
    return Judgement(
        np.concatenate([part.probabilities for part in filled])[order],
        np.concatenate([part.labels for part in filled])[order],
        [texts[number] for number in order.tolist()],
        parts[0].names,
    )


def _close(batches: Iterator[Batch]) -> None:
    """End the threads behind batches that are not all wanted."""
    close = getattr(batches, "close", None)
    if close is not None:
        close()
