"""Examples through a pipe: pairs of an augmented manifest and records, a pipe for each pass, and shuffling."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagedock.algorithms.image_classification import channels, manifest
from sagedock.algorithms.image_classification.examples import Example, Source
from sagedock.contracts.channels import Channel
from sagedock.errors import UserError
from sagedock.formats import recordio
from tests.algorithms.image_classification.channel_data import (
    Picture,
    manifest_stream,
    pictures,
    record_bytes,
    several,
)
from tests.algorithms.image_classification.test_channels import DEFAULTS, labels

RECORDIO = "application/x-recordio"
HOT = f"{RECORDIO}; label-format=multi-hot"
IDS = f"{RECORDIO};label-format=class-id"


@contextmanager
def fed(top: Path, *streams: bytes, name: str = "train") -> Iterator[None]:
    """Pipes name_0, name_1 and so on, each there when the one before was read to its end."""

    def feed() -> None:
        for number, stream in enumerate(streams):
            os.mkfifo(top / f"{name}_{number}")
            (top / f"{name}_{number}").write_bytes(stream)

    feeder = threading.Thread(target=feed)
    feeder.start()
    yield
    feeder.join()


def opened(top: Path, content_type: str | None = RECORDIO, *, wrapped: bool = True, **hyperparameters: Any) -> Source:
    """The train channel in Pipe mode."""
    found = {
        name: Channel(name, top / name, content_type, "Pipe", "RecordIO" if wrapped else "None")
        for name in ("train", "validation")
    }
    return channels.sources(found, DEFAULTS | hyperparameters)[0]


def pairs(*labels: Any) -> bytes:
    """A manifest's stream of pictures that are the letter P."""
    return b"".join(recordio.frame(b"P") + recordio.frame(json.dumps(label).encode()) for label in labels)


def test_each_pass_has_a_pipe_of_its_own(tmp_path: Path) -> None:
    """Image 60: the second epoch reads train_1, which appears when the first one has ended."""
    some = pictures(5)
    train = opened(tmp_path)
    assert train.rows is None
    with fed(tmp_path, manifest_stream(some), manifest_stream(some[:4])):
        first = list(train.epoch(0, None))
        assert train.rows == 5
        second = list(train.epoch(1, None))
    assert [one.encoded for one in first] == [one.encoded for one in some]
    assert [one.label for one in first] == [0, 1, 0, 1, 0]
    assert (first[2].place, second[3].place) == ("pair 3 of train_0", "pair 4 of train_1")


def test_a_job_that_resumes_begins_with_the_first_pipe(tmp_path: Path) -> None:
    train = opened(tmp_path)
    with fed(tmp_path, manifest_stream(pictures(5))):
        assert len(list(train.epoch(7, None))) == 5


def test_hot_labels_and_class_ids_say_the_same(tmp_path: Path) -> None:
    """Image 22: as an array, and as a text that holds one."""
    (tmp_path / "ids").mkdir()
    wanted = [[1, 0, 1], [0, 0, 0], [1, 0, 1]]
    with fed(tmp_path, pairs([1, 0, 1], "[0, 0, 0]", "[1, 0, 1]")):
        assert labels(opened(tmp_path, HOT, num_classes=3, multi_label=1)) == wanted
    with fed(tmp_path / "ids", pairs([0, 2], [], "[2, 0]")):
        assert labels(opened(tmp_path / "ids", IDS, num_classes=3, multi_label=1)) == wanted


def test_both_forms_of_the_same_pictures_count_alike(tmp_path: Path) -> None:
    some = several(6)
    (tmp_path / "ids").mkdir()
    hot = opened(tmp_path, RECORDIO, num_classes=3, multi_label=1)
    ids = opened(tmp_path / "ids", IDS, num_classes=3, multi_label=1)
    with fed(tmp_path, manifest_stream(some)), fed(tmp_path / "ids", manifest_stream(some, class_ids=True)):
        assert hot.counts().tolist() == ids.counts().tolist() == np.sum([one.labels for one in some], axis=0).tolist()


def test_counting_takes_a_pipe_unless_a_pass_has_ended(tmp_path: Path) -> None:
    """Issue item 1, weighted loss: a pass of its own through the data, once."""
    train = opened(tmp_path)
    with fed(tmp_path, manifest_stream(pictures(5)), manifest_stream(pictures(5))):
        assert train.counts().tolist() == [3, 2]
        assert train.rows == 5
        assert {one.place.partition(" of ")[2] for one in train.epoch(0, None)} == {"train_1"}
    assert train.counts().tolist() == [3, 2]


@pytest.mark.parametrize("label", [1, "1", 1.0, "1.000000", [1], '["1"]'])
def test_one_label_in_any_spelling(tmp_path: Path, label: Any) -> None:
    with fed(tmp_path, pairs(label)):
        assert labels(opened(tmp_path)) == [1]


@pytest.mark.parametrize(
    ("content_type", "wrapped"),
    [(RECORDIO, True), (None, True), (HOT, False), ("application/x-image", False), ("image/png", False)],
)
def test_content_types_of_manifests(tmp_path: Path, content_type: str | None, wrapped: bool) -> None:
    """Section 2: all four types; the pairs of the letter P are told from records by what was declared."""
    with fed(tmp_path, pairs(1, 0)):
        assert labels(opened(tmp_path, content_type, wrapped=wrapped, resize=20)) == [1, 0]


@pytest.mark.parametrize("make", [record_bytes, manifest_stream])
def test_what_is_not_declared_is_told_by_the_first_record(
    tmp_path: Path, make: Callable[[list[Picture]], bytes]
) -> None:
    """RecordIO files through a pipe, application/x-recordio, FullyReplicated."""
    some = pictures(5)
    with fed(tmp_path, make(some)):
        examples = list(opened(tmp_path, wrapped=False).epoch(0, None))
    assert [one.encoded for one in examples] == [one.encoded for one in some]
    assert [one.label for one in examples] == [0, 1, 0, 1, 0]


def test_pictures_through_a_pipe_need_a_size(tmp_path: Path) -> None:
    """Image 10."""
    with pytest.raises(UserError, match="resize is required for image/jpeg"):
        opened(tmp_path, "image/jpeg")


@pytest.mark.parametrize(
    ("content_type", "hyperparameters", "label", "text"),
    [
        (RECORDIO, {"multi_label": 1, "num_classes": 5}, [0, 2], r"multi-label data \(2\) and .* \(5\).*class-id"),
        (IDS, {"multi_label": 1, "num_classes": 5}, [0, 5], "the label is 5, and classes are whole numbers from 0"),
        (HOT, {"multi_label": 1, "num_classes": 2}, [0, 2], "one of the labels is 2, and each is 0 or 1"),
        (RECORDIO, {}, [0, 1], "2 labels where one class number is expected"),
        (RECORDIO, {}, 2, "the label is 2, and classes are whole numbers from 0 to 1"),
        (RECORDIO, {}, "ant", "the label is '\"ant\"', and a label is a number"),
        (RECORDIO, {}, None, "the label is 'null', and a label is a number"),
        (RECORDIO, {}, True, "the label is 'true', and a label is a number"),
        (RECORDIO, {}, {"a": 1}, "AttributeNames must name the picture and then its label"),
    ],
)
def test_labels_that_are_wrong_are_named_by_their_pair(
    tmp_path: Path, content_type: str, hyperparameters: dict[str, Any], label: Any, text: str
) -> None:
    """Image 23 and image 24."""
    with fed(tmp_path, pairs(label)), pytest.raises(UserError, match=rf"^pair 1 of train_0: .*{text}"):
        labels(opened(tmp_path, content_type, **hyperparameters))


def test_attributes_in_the_wrong_order(tmp_path: Path) -> None:
    stream = recordio.frame(b"1") + recordio.frame(pictures(1)[0].encoded)
    with fed(tmp_path, stream), pytest.raises(UserError, match="AttributeNames must name the picture and then"):
        labels(opened(tmp_path))


def test_a_stream_of_nothing(tmp_path: Path) -> None:
    with fed(tmp_path, b""), pytest.raises(UserError, match=r"^Got empty batch from pipe train_0: .*AttributeNames"):
        labels(opened(tmp_path))


def test_a_picture_without_a_label(tmp_path: Path) -> None:
    stream = pairs(0) + recordio.frame(b"P")
    with fed(tmp_path, stream), pytest.raises(UserError, match=r"^pair 2 of train_0: the stream ends with a picture"):
        labels(opened(tmp_path))


def test_a_stream_that_breaks_off(tmp_path: Path) -> None:
    """Image 18, through a pipe."""
    with fed(tmp_path, pairs(0, 1)[:-6]), pytest.raises(UserError, match=r"^train_0, byte \d+: .*truncated"):
        labels(opened(tmp_path))


def test_an_unknown_format_of_labels(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="says label-format=one-hot, and it is multi-hot or class-id"):
        opened(tmp_path, f"{RECORDIO}; label-format=one-hot")


def test_fewer_pictures_than_fill_a_batch_are_refused_after_the_first_pass(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Image 51, through a pipe; and another number than was said is a warning."""
    with fed(tmp_path, pairs(0, 1)), pytest.raises(UserError, match=r"^The number of input images must be bigger"):
        labels(opened(tmp_path, mini_batch_size=3))
    (tmp_path / "train_0").unlink()
    with caplog.at_level(logging.WARNING), fed(tmp_path, pairs(0, 1)):
        labels(opened(tmp_path, mini_batch_size=2))
    assert "the train channel has 2 images, and num_training_samples is 5" in caplog.text


def test_hosts_share_a_stream(tmp_path: Path) -> None:
    shares = []
    for host in range(3):
        (tmp_path / str(host)).mkdir()
        with fed(tmp_path / str(host), manifest_stream(pictures(7))):
            shares.append([one.place for one in opened(tmp_path / str(host)).epoch(0, None, host, 3)])
    assert [shares[number % 3][number // 3] for number in range(7)] == [f"pair {n} of train_0" for n in range(1, 8)]


def test_an_epoch_is_shuffled_by_its_generator(tmp_path: Path) -> None:
    orders = []
    for number in range(3):
        (tmp_path / str(number)).mkdir()
        with fed(tmp_path / str(number), manifest_stream(pictures(30))):
            examples = opened(tmp_path / str(number)).epoch(0, np.random.default_rng(number // 2))
            orders.append([one.place for one in examples])
    assert orders[0] == orders[1]
    assert orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(orders[2])


@given(sizes=st.lists(st.integers(0, 30), max_size=60), seed=st.integers(0, 9))
def test_the_buffer_is_bounded_and_loses_nothing(sizes: list[int], seed: int) -> None:
    """Section 2.2: the stream keeps the manifest's order, so that the trainer has to shuffle by itself."""
    taken = 0

    def stream() -> Iterator[Example]:
        nonlocal taken
        for number, size in enumerate(sizes):
            taken += 1
            yield Example(str(number), bytes(size), 0)

    with pytest.MonkeyPatch.context() as limits:
        limits.setattr(manifest, "MOST_SHUFFLED", 10)
        limits.setattr(manifest, "MOST_SHUFFLED_BYTES", 90)
        given_out: list[Example] = []
        for example in manifest.shuffled(stream(), np.random.default_rng(seed)):
            given_out.append(example)
            assert taken - len(given_out) <= 10
            assert sum(sizes[:taken]) - sum(len(one.encoded) for one in given_out) <= 90 + max(sizes)
    assert sorted(int(one.place) for one in given_out) == list(range(len(sizes)))
