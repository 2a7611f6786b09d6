"""Batches by threads: their order, their randomness, their errors and their end (issue 8 item 4)."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from sagedock.algorithms.image_classification.batches import AHEAD, Batch, batches
from sagedock.algorithms.image_classification.examples import Example
from sagedock.algorithms.image_classification.preparation import Preparation
from sagedock.errors import Stopped, UserError
from tests.algorithms.image_classification.pictures import encoded, photograph

CROPPED = Preparation((3, 16, 16), resize=20, augmentation="crop_color")


EXAMPLES = [Example(f"record {n}", encoded(photograph(24, 32, seed=n), "JPEG"), n) for n in range(22)]


def threads_now() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("pictures")]


def every(batch_list: Iterator[Batch]) -> tuple[np.ndarray, list[str]]:
    found = list(batch_list)
    return np.concatenate([batch.pictures for batch in found]), [place for batch in found for place in batch.places]


def test_threads_change_neither_order_nor_pictures() -> None:
    """The same (seed, epoch, number) gives the same picture, whatever the threads and the size of a batch."""
    first, places = every(batches(iter(EXAMPLES), CROPPED, 4, (7, 0), 1))
    assert places == [example.place for example in EXAMPLES]
    for threads, size in ((2, 4), (3, 5), (4, 22)):
        again, same = every(batches(iter(EXAMPLES), CROPPED, size, (7, 0), threads))
        assert np.array_equal(first, again)
        assert places == same
    assert not np.array_equal(first, every(batches(iter(EXAMPLES), CROPPED, 4, (7, 1), 2))[0])
    assert not np.array_equal(first, every(batches(iter(EXAMPLES), CROPPED, 4, (8, 0), 2))[0])


def test_batches_are_of_one_size_and_the_last_is_what_is_left() -> None:
    found = list(batches(iter(EXAMPLES), CROPPED, 8, None, 2))
    assert [len(batch) for batch in found] == [8, 8, 6]
    assert [batch.labels.tolist() for batch in found] == [[*range(8)], [*range(8, 16)], [*range(16, 22)]]
    assert found[0].labels.dtype == np.int64
    assert found[0].pictures.dtype == np.uint8
    assert not list(batches(iter([]), CROPPED, 8, None, 2))


def test_labels_of_several_classes_are_rows() -> None:
    several = [Example("x", EXAMPLES[0].encoded, np.array([n, 1, 0], np.float32)) for n in range(3)]
    (batch,) = batches(iter(several), CROPPED, 4, None, 2)
    assert batch.labels.dtype == np.float32
    assert batch.labels.tolist() == [[0, 1, 0], [1, 1, 0], [2, 1, 0]]


def test_without_a_seed_nothing_is_random() -> None:
    one, other = (every(batches(iter(EXAMPLES), CROPPED, 4, None, 2))[0] for _ in range(2))
    assert np.array_equal(one, other)


@pytest.mark.parametrize("at", [0, 5, 21])
def test_an_error_is_raised_in_its_place(at: int) -> None:
    """Whatever comes before the batch at fault is handed out; of two errors it is the first."""
    damaged = [*EXAMPLES]
    for number in (at, 21):
        damaged[number] = Example(f"record {number}", b"none", 0)
    found = []
    with pytest.raises(UserError, match=f"record {at}: no picture"):
        found.extend(batches(iter(damaged), CROPPED, 4, (0, 0), 3))
    assert not threads_now()


def test_errors_come_after_the_batches_before_them() -> None:
    damaged = [*EXAMPLES[:9], Example("record 9", b"none", 0), *EXAMPLES[10:]]
    handed = batches(iter(damaged), CROPPED, 4, (0, 0), 3)
    assert [next(handed).places[0] for _ in range(2)] == ["record 0", "record 4"]
    with pytest.raises(UserError, match="record 9"):
        next(handed)


def test_few_batches_are_in_memory() -> None:
    """The source is read no further ahead than AHEAD batches and the one handed out."""
    read = []

    def source() -> Iterator[Example]:
        for example in EXAMPLES:
            read.append(example.place)
            yield example

    for number, _ in enumerate(batches(source(), CROPPED, 2, (0, 0), 2)):
        assert len(read) <= 2 * (number + 1 + AHEAD)


def test_closing_ends_the_threads() -> None:
    handed = batches(iter(EXAMPLES * 20), CROPPED, 4, (0, 0), 3)
    next(handed)
    assert threads_now()
    handed.close()
    assert not threads_now()


def test_a_stop_while_a_source_is_read_ends_the_threads() -> None:
    """SIGTERM raises Stopped in the main thread, which may be waiting for a pipe."""

    def source() -> Iterator[Example]:
        yield from EXAMPLES[:6]
        raise Stopped

    with pytest.raises(Stopped):
        list(batches(source(), CROPPED, 4, (0, 0), 3))
    assert not threads_now()
