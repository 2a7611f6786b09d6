"""Pictures that .lst files list: what a line says, and what is refused with file and line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagedock.algorithms.image_classification import channels, listed
from sagedock.algorithms.image_classification.examples import Source
from sagedock.contracts.channels import Channel
from sagedock.errors import UserError
from tests.algorithms.image_classification.channel_data import list_channel, pictures, record_channel, several
from tests.algorithms.image_classification.test_channels import DEFAULTS, labels


def opened(top: Path, **hyperparameters: Any) -> tuple[Source, Source]:
    found = {path.name: Channel(path.name, path, "application/x-image") for path in top.iterdir()}
    return channels.sources(found, DEFAULTS | {"resize": 20} | hyperparameters)


def with_lists(top: Path, count: int = 5) -> Path:
    """All four channels; the train list is returned."""
    list_channel(top / "validation", top / "validation_lst", pictures(count))
    return list_channel(top / "train", top / "train_lst", pictures(count))


def test_listed_pictures_are_read(tmp_path: Path) -> None:
    some = pictures(5)
    with_lists(tmp_path)
    train, validation = opened(tmp_path)
    examples = list(train.epoch(0, None))
    assert [one.encoded for one in examples] == [one.encoded for one in some]
    assert [one.label for one in examples] == [0, 1, 0, 1, 0]
    assert examples[1].place == "line 2 of train_lst/train.lst, images/00001.png"
    assert (train.rows, validation.rows, train.names) == (5, 5, None)
    assert train.counts().tolist() == [3, 2]


def test_numbers_may_be_written_in_every_way(tmp_path: Path) -> None:
    """Image 19; CRLF, blank lines, a mark of the byte order, spaces and any order of the numbers besides."""
    file = with_lists(tmp_path)
    file.write_bytes(
        b"\xef\xbb\xbf7\t1\timages/00000.png\r\n"
        b"\r\n"
        b"3\t1.000000\timages/00001.png\n"
        b" 5 \t 1e0\timages/00002.png \n"
        b"\n\n9\t+1.\t./images/00003.png"
    )
    train, _ = opened(tmp_path)
    assert labels(train) == [1, 1, 1, 1]
    assert [one.place.partition(" of ")[0] for one in train.epoch(0, None)] == ["line 1", "line 3", "line 4", "line 7"]


def test_columns_of_labels(tmp_path: Path) -> None:
    some = several(6)
    for name in ("train", "validation"):
        list_channel(tmp_path / name, tmp_path / f"{name}_lst", some)
    train, _ = opened(tmp_path, num_classes=3, multi_label=1)
    assert labels(train) == [list(one.labels) for one in some]
    assert train.counts().tolist() == np.sum([one.labels for one in some], axis=0).tolist()


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("1\t0", "line 2: has 2 fields, and number, label and path are needed"),
        ("1 0 images/00001.png", "line 2: has 1 fields"),
        ("1\tcat\timages/00001.png", "line 2: 'cat' is no number"),
        ("index\t0\timages/00001.png", "line 2: 'index' is no number"),
        ("1\tnan\timages/00001.png", "line 2: 'nan' is no number"),
        ("1\t1_0\timages/00001.png", "line 2: '1_0' is no number"),
        ("1\t\timages/00001.png", "line 2: '' is no number"),
        ("1\t0.5\timages/00001.png", r"line 2: the label is 0\.5, and classes are whole numbers from 0 to 1"),
        ("1\t2\timages/00001.png", "line 2: the label is 2, and"),
        ("1\t-1\timages/00001.png", "line 2: the label is -1, and"),
        ("1\t1e999\timages/00001.png", "line 2: the label is inf, and"),
        ("1\t1\t0\timages/00001.png", "line 2: 2 labels where one class number is expected"),
        ("1\t1\t", "line 2: '' is no path"),
        ("1\t1\t/etc/passwd", "line 2: '/etc/passwd' is no path"),
        ("1\t1\t../train_lst/train.lst", "line 2: .* is no path"),
        ("1\t1\timages", "line 2: images: is no file"),
        ("1\t1\t" + "x" * 300, "line 2: x+: cannot read the picture: File name too long"),
    ],
)
def test_what_is_wrong_is_named_by_file_and_line(tmp_path: Path, line: str, text: str) -> None:
    """Image 24, and section 2.1: the built-in's words, file, line and value."""
    file = with_lists(tmp_path)
    lines = file.read_text(encoding="utf-8").splitlines()
    file.write_text("\n".join([lines[0], line, *lines[2:]]), encoding="utf-8")
    with pytest.raises(UserError, match=rf"^Invalid lst file in the train channel: {file}, {text}"):
        opened(tmp_path)


def test_a_missing_or_empty_picture_is_named(tmp_path: Path) -> None:
    """Image 20."""
    file = with_lists(tmp_path)
    missing = tmp_path / "train" / "images" / "00003.png"
    missing.write_bytes(b"")
    with pytest.raises(UserError, match=rf"{file}, line 4: images/00003.png: has 0 bytes"):
        opened(tmp_path)
    missing.unlink()
    with pytest.raises(UserError, match=rf"{file}, line 4: images/00003.png: cannot read .*No such file"):
        opened(tmp_path)


def test_a_picture_that_goes_away_is_named(tmp_path: Path) -> None:
    with_lists(tmp_path)
    train, _ = opened(tmp_path)
    (tmp_path / "train" / "images" / "00003.png").unlink()
    with pytest.raises(UserError, match=r"^line 4 of train_lst/train.lst, images/00003.png: cannot read"):
        list(train.epoch(0, None))


def test_fewer_columns_than_classes(tmp_path: Path) -> None:
    """Image 21: three columns of labels for five classes."""
    for name in ("train", "validation"):
        list_channel(tmp_path / name, tmp_path / f"{name}_lst", several(4))
    with pytest.raises(
        UserError,
        match=r"train.lst, line 1: Mismatch between number of labels in the multi-label data \(3\) and the "
        r"num_classes parameter \(5\)",
    ):
        opened(tmp_path, num_classes=5, multi_label=1)


@pytest.mark.parametrize("given", ["train_lst", "validation_lst"])
def test_lists_come_in_twos(tmp_path: Path, given: str) -> None:
    """Image 13: train_lst without validation_lst."""
    with_lists(tmp_path)
    other = ({"train_lst", "validation_lst"} - {given}).pop()
    (tmp_path / other).rename(tmp_path / "unknown")
    with pytest.raises(UserError, match=f"the channel {given} is given and {other} is not"):
        opened(tmp_path)


@pytest.mark.parametrize("names", [(), ("a.lst", "b.lst")])
def test_one_list_a_channel(tmp_path: Path, names: tuple[str, ...]) -> None:
    file = with_lists(tmp_path)
    for name in names:
        (file.parent / name).write_bytes(file.read_bytes())
    file.unlink()
    with pytest.raises(UserError, match=r"the channel 'train_lst' must hold exactly one \.lst file"):
        opened(tmp_path)


def test_a_list_of_nothing_is_refused(tmp_path: Path) -> None:
    with_lists(tmp_path).write_text("\n\n", encoding="ascii")
    with pytest.raises(UserError, match=r"^Invalid lst file in the train channel: .* lists no picture"):
        opened(tmp_path)


def test_a_list_beside_the_pictures_is_not_overlooked(tmp_path: Path) -> None:
    file = with_lists(tmp_path)
    file.rename(tmp_path / "train" / "train.lst")
    for name in ("train_lst", "validation_lst"):
        (tmp_path / name).rename(tmp_path / f"no_{name}")
    with pytest.raises(UserError, match=r"train.lst lies beside the pictures, where it is not read"):
        opened(tmp_path)


def test_recordio_comes_before_lists(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Section 2: the built-in searches for .rec first."""
    with_lists(tmp_path)
    record_channel(tmp_path / "train", pictures(3))
    train, _ = opened(tmp_path)
    assert train.rows == 3
    assert "the channel train_lst is not" in caplog.text


def test_names_of_listed_classes(tmp_path: Path) -> None:
    file = with_lists(tmp_path)
    (file.parent / "classes.txt").write_text("ants\nbees\n", encoding="utf-8")
    train, _ = opened(tmp_path)
    assert train.names == ("ants", "bees")


@given(
    numbers=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=5),
    path=st.text(st.characters(blacklist_characters="\t\r\n\0", blacklist_categories=["Cs"]), min_size=1),
    end=st.sampled_from(["", "\n", "\r\n"]),
)
def test_what_is_written_is_read(numbers: list[float], path: str, end: str) -> None:
    named = f"images/x{path}x.jpg".replace("..", "")
    text = "\t".join(["7", *map(repr, numbers), named]) + end
    assert listed.parsed(text.encode(), "here") == listed.Line(tuple(numbers), named)


@given(text=st.binary(max_size=40))
def test_any_other_line_is_refused_by_its_place(text: bytes) -> None:
    try:
        line = listed.parsed(text, "here")
    except UserError as error:
        assert str(error).startswith("here: ")  # noqa: PT017 # hypothesis finds lines of both kinds
    else:
        assert line.labels
        assert line.path
