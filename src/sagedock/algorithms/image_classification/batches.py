"""Batches of pictures, decoded by threads while the network works on those before: in their order, whatever threads do.

Decoding, resizing and the core give Python's lock back, so that no worker process is needed, and no shared memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count, islice
from threading import Event

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.image_classification.examples import Example
from sagedock.algorithms.image_classification.preparation import Preparation

AHEAD = 2
"""Batches in the making or ready, beside the one that was handed out."""

Labels = NDArray[np.int64] | NDArray[np.float32]


@dataclass(frozen=True)
class Batch:
    """Pictures (n, C, H, W), their labels (n,) or (n, classes), and where each is from."""

    pictures: NDArray[np.uint8]
    labels: Labels
    places: Sequence[str]

    def __len__(self) -> int:
        return len(self.pictures)


@dataclass(frozen=True)
class _Work:
    """A batch in the making: each of `done` is a share of its pictures."""

    batch: Batch
    done: Sequence[Future[None]]

    def result(self) -> Batch:
        """The batch; raises what went wrong first in the order of its pictures."""
        for share in self.done:
            share.result()
        return self.batch


def batches(
    examples: Iterator[Example], preparation: Preparation, size: int, seed: Sequence[int] | None, threads: int
) -> Iterator[Batch]:
    """All examples, `size` at a time and the last batch what is left, prepared by so many threads.

    What is random comes from `seed` (the job's, the epoch's, the host's) and an example's number; without a seed
    nothing is. UserError is raised in the place of the batch at fault. Closing the iterator ends the threads.
    """
    stopped = Event()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="pictures")
    waiting: deque[_Work] = deque()
    try:
        numbers = count()
        while chosen := list(islice(zip(numbers, examples, strict=False), size)):
            waiting.append(_begun(pool, chosen, preparation, seed, stopped, threads))
            if len(waiting) > AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        stopped.set()
        pool.shutdown(cancel_futures=True)


def _begun(
    pool: ThreadPoolExecutor,
    chosen: Sequence[tuple[int, Example]],
    preparation: Preparation,
    seed: Sequence[int] | None,
    stopped: Event,
    threads: int,
) -> _Work:
    pictures = np.empty((len(chosen), *preparation.shape), np.uint8)
    share = -(-len(chosen) // threads)
    begun = [
        pool.submit(_prepare, pictures[at : at + share], chosen[at : at + share], preparation, seed, stopped)
        for at in range(0, len(chosen), share)
    ]
    return _Work(Batch(pictures, _labels(chosen), [example.place for _, example in chosen]), begun)


def _prepare(
    pictures: NDArray[np.uint8],
    chosen: Sequence[tuple[int, Example]],
    preparation: Preparation,
    seed: Sequence[int] | None,
    stopped: Event,
) -> None:
    for picture, (number, example) in zip(pictures, chosen, strict=True):
        if stopped.is_set():
            return
        random = None if seed is None else np.random.default_rng([*seed, number])
        picture[...] = preparation.picture(example.encoded, example.place, random)


def _labels(chosen: Sequence[tuple[int, Example]]) -> Labels:
    labels = [example.label for _, example in chosen]
    if isinstance(labels[0], np.ndarray):
        return np.stack(labels).astype(np.float32)
    return np.array(labels, np.int64)
