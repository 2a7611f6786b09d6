"""What a network learns from and is judged by: a channel's pictures, or what a frozen backbone makes of them.

A pass is shared among the hosts. What is random in it goes by the seed, the epoch and the host, so that a resumed
training sees what it would have seen.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithm import Cluster
from sagedock.algorithms.image_classification import preparation as preparing
from sagedock.algorithms.image_classification.batches import batches
from sagedock.algorithms.image_classification.examples import Example, Source
from sagedock.algorithms.image_classification.frozen import Cached, cached
from sagedock.algorithms.image_classification.hyperparameters import NO_AUGMENTATION
from sagedock.algorithms.image_classification.learner import Learner
from sagedock.algorithms.image_classification.preparation import Pixels, Preparation


class Batch(Protocol):
    """Pictures (n, C, H, W) or features (n, width), their labels, and where each is from."""

    @property
    def pictures(self) -> NDArray[Any]: ...
    @property
    def labels(self) -> NDArray[Any]: ...
    @property
    def places(self) -> Sequence[str]: ...


class Feed(Protocol):
    """The batches of a channel, this host's share of them."""

    def learnt(self, epoch: int) -> Iterator[Batch]:
        """Those of an epoch of training, from 0, in an order of its own."""

    def judged(self) -> Iterator[Batch]:
        """All as they are, in the channel's order."""


@dataclass(frozen=True)
class Squashed(Preparation):
    """Pictures as an endpoint prepares them: brought to shape whatever their proportions."""

    def picture(self, encoded: bytes, place: str, random: np.random.Generator | None = None) -> Pixels:
        """(C, H, W); nothing is random."""
        return preparing.squashed(encoded, self.shape, place)


@dataclass
class Pictures:
    """A channel's pictures, prepared by so many threads; a pipe's passes are counted, since each has a FIFO."""

    source: Source
    preparation: Preparation
    size: int
    seed: int
    threads: int
    cluster: Cluster
    is_pipe: bool = False
    passes: int = field(default=0, init=False)
    kept: list[Example] = field(default_factory=list, init=False)
    """The first of a pipe, which cannot be asked again."""
    keeps: int = 0
    """How many of them are kept."""

    def learnt(self, epoch: int) -> Iterator[Batch]:
        """As `Feed` has it."""
        order = np.random.default_rng([self.seed, epoch])
        seed = [self.seed, epoch, self.cluster.rank]
        return batches(self._examples(order), self.preparation, self.size, seed, self.threads)

    def judged(self) -> Iterator[Batch]:
        """As `Feed` has it."""
        return batches(self._examples(None), self._plain, self.size, None, self.threads)

    def squashed(self, most: int | None = None) -> Iterator[Batch]:
        """As an endpoint would see them, in the channel's order: the first `most` or, of files, all of this host's.

        Of a pipe they are those that were kept of the passes so far.
        """
        chosen = islice(iter(self.kept) if self.is_pipe else self._examples(None), most)
        return batches(chosen, Squashed(self.preparation.shape), self.size, None, self.threads)

    def chosen(self, numbers: Collection[int]) -> Mapping[int, Pixels]:
        """Pictures of these places in the channel's order, over all hosts; of a pipe none."""
        if self.is_pipe:
            return {}
        examples = enumerate(self.source.epoch(self.passes, None))
        wanted = islice(examples, max(numbers, default=-1) + 1)
        return {
            number: self._plain.picture(example.encoded, example.place)
            for number, example in wanted
            if number in numbers
        }

    @property
    def _plain(self) -> Preparation:
        return replace(self.preparation, augmentation=NO_AUGMENTATION)

    def _examples(self, order: np.random.Generator | None) -> Iterator[Example]:
        number, self.passes = self.passes, self.passes + 1
        cluster = self.cluster
        for example in self.source.epoch(number, order, cluster.rank, len(cluster.hosts)):
            if self.is_pipe and len(self.kept) < self.keeps:
                self.kept.append(example)
            yield example


@dataclass(frozen=True)
class _Vectors:
    """A batch of features, which stand in the place of pictures."""

    pictures: NDArray[np.float32]
    labels: NDArray[Any]
    places: Sequence[str]


@dataclass(frozen=True)
class Features:
    """What a frozen backbone makes of this host's share of a channel, computed once."""

    content: Cached
    size: int
    seed: int
    rank: int

    @classmethod
    def of(cls, pictures: Pictures, learner: Learner) -> Features:
        """Those of a channel; each picture is looked at now, and not again."""
        found = cached(learner.features, pictures.judged())
        return cls(found, pictures.size, pictures.seed, pictures.cluster.rank)

    def learnt(self, epoch: int) -> Iterator[Batch]:
        """As `Feed` has it."""
        return self._batches(np.random.default_rng([self.seed, epoch, self.rank]))

    def judged(self) -> Iterator[Batch]:
        """As `Feed` has it."""
        return self._batches(None)

    def _batches(self, random: np.random.Generator | None) -> Iterator[Batch]:
        return (_Vectors(*parts) for parts in self.content.batches(self.size, random))
