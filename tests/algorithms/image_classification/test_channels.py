"""From channels to examples: RecordIO files and folders, their classes and counts, and what is refused."""

from __future__ import annotations

import logging
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sagedock.algorithms.image_classification import channels
from sagedock.algorithms.image_classification.examples import Source
from sagedock.contracts.channels import Channel
from sagedock.errors import UserError
from sagedock.formats import image_record, recordio
from tests.algorithms.image_classification.channel_data import (
    Picture,
    folder_channel,
    pictures,
    record_channel,
    several,
)

DEFAULTS = {"num_classes": 2, "multi_label": 0, "resize": None, "mini_batch_size": 1, "num_training_samples": 5}


def opened(top: Path, content_type: str | None = None, **hyperparameters: Any) -> tuple[Source, Source]:
    """The sources of whatever channels there are below `top`."""
    found = {path.name: Channel(path.name, path, content_type) for path in top.iterdir()}
    return channels.sources(found, DEFAULTS | hyperparameters)


def labels(source: Source) -> list[Any]:
    return [np.asarray(example.label).tolist() for example in source.epoch(0, None)]


def with_records(top: Path, train: list[Picture], validation: list[Picture] | None = None) -> Path:
    record_channel(top / "train", train)
    record_channel(top / "validation", validation or train)
    return top


def test_recordio_without_resize_is_read(tmp_path: Path) -> None:
    """Image 11: the pictures are as they were stored, with file and record."""
    some = pictures(5)
    train, validation = opened(with_records(tmp_path, some, some[:3]))
    examples = list(train.epoch(0, None))
    assert [example.encoded for example in examples] == [one.encoded for one in some]
    assert [example.label for example in examples] == [0, 1, 0, 1, 0]
    assert examples[1].place == "record 2 of train/data.rec"
    assert (train.rows, validation.rows) == (5, 3)
    assert (train.classes, train.names) == (2, None)
    assert train.counts().tolist() == [3, 2]


def test_several_files_are_one_after_the_other_and_an_index_beside_them_is_ignored(tmp_path: Path) -> None:
    some = pictures(5)
    record_channel(tmp_path / "train", some[:3], "a.rec")
    record_channel(tmp_path / "train", some[3:], "b.rec")
    (tmp_path / "train" / "a.idx").write_text("0\t0\n", encoding="ascii")
    record_channel(tmp_path / "validation", some, "part-0")
    train, validation = opened(tmp_path, "application/x-recordio")
    assert [one.encoded for one in train.epoch(0, None)] == [one.encoded for one in validation.epoch(0, None)]
    assert [one.place for one in train.epoch(0, None)][2:4] == ["record 3 of train/a.rec", "record 1 of train/b.rec"]


def test_labels_of_several_classes(tmp_path: Path) -> None:
    """Image 16: one label for each class behind the header."""
    some = several(6)
    train, _ = opened(with_records(tmp_path, some), num_classes=3, multi_label=1)
    assert labels(train) == [list(one.labels) for one in some]
    assert train.counts().tolist() == np.sum([one.labels for one in some], axis=0).tolist()


def test_an_epoch_is_a_permutation_and_hosts_share_it(tmp_path: Path) -> None:
    train, _ = opened(with_records(tmp_path, pictures(7)))
    places = [one.place for one in train.epoch(0, None)]
    shuffled = [one.place for one in train.epoch(1, np.random.default_rng(1))]
    assert shuffled != places
    assert sorted(shuffled) == sorted(places)
    shares = [[one.place for one in train.epoch(1, np.random.default_rng(1), host, 3)] for host in range(3)]
    assert [len(share) for share in shares] == [3, 2, 2]
    assert [shares[place % 3][place // 3] for place in range(7)] == shuffled


def test_the_order_is_drawn_when_the_epoch_is_asked_for(tmp_path: Path) -> None:
    train, _ = opened(with_records(tmp_path, pictures(7)))
    used, drawn = np.random.default_rng(1), np.random.default_rng(1)
    train.epoch(0, used)
    drawn.permutation(7)
    assert used.bit_generator.state == drawn.bit_generator.state


@pytest.mark.parametrize("number", [2.0, -1.0, 0.5, float("nan"), float("inf")])
def test_what_is_no_class_is_refused(tmp_path: Path, number: float) -> None:
    """Image 24: num_classes and more, and whatever else is no number of a class."""
    with_records(tmp_path, [*pictures(3), Picture(b"x", (number,))])
    with pytest.raises(UserError, match=r"record 4 of train/data.rec: the label is .*from 0 to 1"):
        opened(tmp_path)


@pytest.mark.parametrize(
    ("values", "hyperparameters", "text"),
    [
        ((1, 0, 1), {"num_classes": 5, "multi_label": 1}, r"labels in the multi-label data \(3\) and .* \(5\)"),
        ((1,) * 7, {"num_classes": 5, "multi_label": 1}, r"labels in the multi-label data \(7\) and .* \(5\)"),
        ((1, 0, 2), {"num_classes": 3, "multi_label": 1}, "one of the labels is 2, and each is 0 or 1"),
        ((1, 0, 1), {"num_classes": 3}, "3 labels where one class number is expected"),
    ],
)
def test_labels_that_are_not_those_of_the_job(
    tmp_path: Path, values: tuple[float, ...], hyperparameters: dict[str, Any], text: str
) -> None:
    with_records(tmp_path, [Picture(b"x", values)])
    with pytest.raises(UserError, match=f"record 1 of train/data.rec: .*{text}"):
        opened(tmp_path, **hyperparameters)


def test_pictures_that_are_declared_as_recordio(tmp_path: Path) -> None:
    """Image 17, by the content type alone."""
    folder_channel(tmp_path / "train", pictures(5), ["a", "b"])
    folder_channel(tmp_path / "validation", pictures(5), ["a", "b"])
    with pytest.raises(UserError, match=r"a/00000.png, byte 0: .*does not start with the magic number"):
        opened(tmp_path, "application/x-recordio")


def test_an_empty_file_is_told_in_the_words_of_the_built_in(tmp_path: Path) -> None:
    with_records(tmp_path, pictures(5))
    (tmp_path / "train" / "data.rec").write_bytes(b"")
    with pytest.raises(UserError, match=r"^Unable to start training\. Empty \.rec file in train channel\."):
        opened(tmp_path)


def test_a_record_that_is_no_picture_is_named(tmp_path: Path) -> None:
    record_channel(tmp_path / "validation", pictures(5))
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "x.rec").write_bytes(recordio.frame(b"short"))
    with pytest.raises(UserError, match=r"record 1 of train/x.rec: Unable to parse record"):
        opened(tmp_path)
    (tmp_path / "train" / "x.rec").write_bytes(recordio.frame(struct.pack("<IfQQ", 0, 1, 0, 0)))
    with pytest.raises(UserError, match=r"record 1 of train/x.rec: there is no picture"):
        opened(tmp_path)


def test_a_header_that_a_magic_word_divides(tmp_path: Path) -> None:
    """The number of a picture may be the magic word itself."""
    for name in ("train", "validation"):
        (tmp_path / name).mkdir()
        number = int.from_bytes(recordio.MAGIC, "little")
        record = image_record.packed([1], b"abcd" + recordio.MAGIC + b"efgh", number)
        (tmp_path / name / "data.rec").write_bytes(recordio.frame(record))
    train, _ = opened(tmp_path)
    [example] = train.epoch(0, None)
    assert (example.label, example.encoded) == (1, b"abcd" + recordio.MAGIC + b"efgh")


def with_folders(top: Path, names: tuple[str, ...] = ("bees", "ants"), validation: tuple[str, ...] = ()) -> Path:
    folder_channel(top / "train", pictures(5, len(names)), names)
    folder_channel(top / "validation", pictures(4, len(validation or names)), validation or names)
    return top


def test_folders_name_the_classes(tmp_path: Path) -> None:
    """Issue item 1: a folder per class with no list; sorted names are numbered."""
    train, validation = opened(with_folders(tmp_path), resize=16)
    assert train.names == validation.names == ("ants", "bees")
    assert [one.place for one in train.epoch(0, None)][:3] == [
        "train/ants/00001.png",
        "train/ants/00003.png",
        "train/bees/00000.png",
    ]
    assert labels(train) == [0, 0, 1, 1, 1]
    assert train.counts().tolist() == [2, 3]


def test_a_file_of_names_puts_folders_into_another_order(tmp_path: Path) -> None:
    with_folders(tmp_path)
    (tmp_path / "train" / "classes.txt").write_text("bees\nants\n", encoding="utf-8")
    train, validation = opened(tmp_path, resize=16)
    assert train.names == validation.names == ("bees", "ants")
    assert labels(train) == [1, 1, 0, 0, 0]
    (tmp_path / "train" / "classes.txt").write_text("bees\nwasps\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"classes.txt names 'wasps', and there is no folder"):
        opened(tmp_path, resize=16)


def test_a_folder_whose_name_is_no_utf_8(tmp_path: Path) -> None:
    """It would be a name that no answer can carry."""
    name = os.fsdecode(b"b\xff")
    with_folders(tmp_path, ("ants", name), ("ants", name))
    with pytest.raises(UserError, match=r"no UTF-8.*rename it"):
        opened(tmp_path, resize=16)


def test_both_channels_have_the_same_folders(tmp_path: Path) -> None:
    with_folders(tmp_path, ("ants", "bees"), ("ants", "wasps"))
    with pytest.raises(UserError, match="has no folder of 'bees' and has folders of unknown classes, 'wasps'"):
        opened(tmp_path, resize=16)


def test_as_many_folders_as_classes(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"2 folders of pictures \(ants, bees\), and num_classes is 3"):
        opened(with_folders(tmp_path), resize=16, num_classes=3)


@pytest.mark.parametrize(
    ("name", "text"),
    [("train/x.jpg", "is in no folder of a class"), ("train/ants/Thumbs.db", "is no picture by its name")],
)
def test_files_that_do_not_belong_are_named(tmp_path: Path, name: str, text: str) -> None:
    (with_folders(tmp_path) / name).write_bytes(b"x")
    with pytest.raises(UserError, match=f"{name}: .*{text}"):
        opened(tmp_path, resize=16)


def test_one_form_for_both_channels(tmp_path: Path) -> None:
    folder_channel(tmp_path / "train", pictures(5), ["a", "b"])
    record_channel(tmp_path / "validation", pictures(5))
    with pytest.raises(UserError, match=r"one of the channels .* has a folder for each class"):
        opened(tmp_path, resize=16)


def test_folders_have_one_label(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="gives a picture one label, and multi_label is 1"):
        opened(with_folders(tmp_path), resize=16, multi_label=1)


@pytest.mark.parametrize("content_type", ["application/x-image", "image/jpeg", "image/png; a=b", None])
def test_pictures_need_a_size(tmp_path: Path, content_type: str | None) -> None:
    """Image 10."""
    with pytest.raises(UserError, match="the hyperparameter resize is required for"):
        opened(with_folders(tmp_path), content_type)


def test_recordio_that_is_declared_as_pictures_needs_a_size(tmp_path: Path) -> None:
    """Image 10, by the content type alone."""
    with pytest.raises(UserError, match="resize is required for application/x-image"):
        opened(with_records(tmp_path, pictures(5)), "application/x-image")


def test_an_empty_channel_is_told(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    with pytest.raises(UserError, match="No data in train channel"):
        opened(tmp_path, resize=16)


def test_fewer_pictures_than_fill_a_batch(tmp_path: Path) -> None:
    """Image 51: as many as there are."""
    with pytest.raises(
        UserError, match=r"^The number of input images must be bigger or equal to the mini_batch_size: .* 5 images"
    ):
        opened(with_records(tmp_path, pictures(5)), mini_batch_size=6)


def test_another_number_of_pictures_than_said_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    opened(with_records(tmp_path, pictures(5)), num_training_samples=6)
    assert "the train channel has 5 images, and num_training_samples is 6" in caplog.text
    caplog.clear()
    opened(tmp_path, num_training_samples=5)
    assert [each for each in caplog.records if each.levelno >= logging.WARNING] == []


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("a\nb\nc\n", r"classes.txt has 3 names, and num_classes is 2"),
        ("a\n\nb\n", r"classes.txt, line 2: is blank"),
        ("a\na\n", r"classes.txt, line 2: 'a' is the name of line 1 too"),
        ("\xff", r"classes.txt, byte 0: is no UTF-8"),
        ("a\n" + "b" * 1001, r"classes.txt, line 2: has 1001 characters"),
    ],
)
def test_a_file_of_names_that_is_wrong(tmp_path: Path, text: str, error: str) -> None:
    with_records(tmp_path, pictures(5))
    (tmp_path / "train" / "classes.txt").write_text(text, encoding="latin-1")
    with pytest.raises(UserError, match=error):
        opened(tmp_path)


def test_names_of_numbered_classes(tmp_path: Path) -> None:
    with_records(tmp_path, pictures(5))
    (tmp_path / "train" / "classes.txt").write_bytes("\ufeffAmeise\r\nBienen, süß\r\n\n".encode())
    train, validation = opened(tmp_path)
    assert (train.names, validation.names) == (("Ameise", "Bienen, süß"), None)
