"""From channels to texts: files, pipes, wrapped objects, and the records of an augmented manifest."""

from __future__ import annotations

import json
import logging
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from sagedock.algorithms.blazingtext import texts
from sagedock.contracts.channels import Channel
from sagedock.errors import UserError
from sagedock.formats import recordio


def channel(folder: Path, *contents: bytes, **facts: Any) -> Channel:
    """A File channel of files in the order of `contents`."""
    (folder / "train").mkdir()
    for number, content in enumerate(contents):
        (folder / "train" / f"part-{number}").write_bytes(content)
    return Channel("train", folder / "train", **facts)


def read(given: Channel) -> list[bytes]:
    return [b"".join(blocks) for blocks in texts.read(given)]


def manifest(*records: tuple[str, Any]) -> bytes:
    """What SageMaker sends of {"source", "label"}: each value in a RecordIO record of its own."""
    frames = [(source.encode(), json.dumps(label).encode()) for source, label in records]
    return b"".join(recordio.frame(part) for pair in frames for part in pair)


def test_files_in_order_and_the_log_names_them(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Spec section 3: the log tells every file that is processed, and its size."""
    given = channel(tmp_path, b"a b\n", b"c", content_type="text/plain; charset=utf-8")
    with caplog.at_level(logging.INFO):
        assert read(given) == [b"a b\n", b"c"]
    assert [record.getMessage() for record in caplog.records] == [
        f"Processing {tmp_path}/train/part-0 . File size: 3.8147e-06 MB",
        f"Processing {tmp_path}/train/part-1 . File size: 9.53674e-07 MB",
    ]
    assert texts.described(given) == f"{tmp_path}/train"
    (tmp_path / "train" / "part-1").unlink()
    assert texts.described(given) == f"{tmp_path}/train/part-0"


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_pipe(tmp_path: Path, wrapped: bool) -> None:
    given = Channel(
        "train", tmp_path / "train", "text/plain", input_mode="Pipe", record_wrapper="RecordIO" if wrapped else "None"
    )
    os.mkfifo(tmp_path / "train_0")
    sent = recordio.frame(b"a b\n") + recordio.frame(b"c") if wrapped else b"a b\nc"
    feeder = threading.Thread(target=(tmp_path / "train_0").write_bytes, args=(sent,))
    feeder.start()
    assert read(given) == ([b"a b\n", b"c"] if wrapped else [b"a b\nc"])
    feeder.join()
    assert texts.described(given) == str(tmp_path / "train")


def test_an_augmented_manifest_makes_lines(tmp_path: Path) -> None:
    """Spec section 3, blazingtext 22: label n is __label__n, of a list each one."""
    sent = manifest(
        ("linux ready , intel says", 4),
        ("two\nlines", [1, 3]),
        ("named", "Company"),
        ("already", "__label__x"),
        ("some", ["a", 2]),
        ("", -1),
    )
    [found] = read(channel(tmp_path, sent, content_type="application/x-recordio"))
    assert found.decode().splitlines() == [
        "__label__4 linux ready , intel says",
        "__label__1 __label__3 two lines",
        "__label__Company named",
        "__label__x already",
        "__label__a __label__2 some",
        "__label__-1 ",
    ]


def test_a_label_that_is_no_json_is_a_word(tmp_path: Path) -> None:
    sent = recordio.frame(b"a text") + recordio.frame(b"Company")
    assert read(channel(tmp_path, sent, content_type="application/x-recordio")) == [b"__label__Company a text\n"]


def test_a_long_manifest_comes_in_blocks(tmp_path: Path) -> None:
    sent = manifest(*[(f"text {number}", number % 3) for number in range(10_000)])
    [found] = [list(blocks) for blocks in texts.read(channel(tmp_path, sent, content_type="application/x-recordio"))]
    assert len(found) == 3
    lines = b"".join(found).splitlines()
    assert (lines[0], lines[-1], len(lines)) == (b"__label__0 text 0", b"__label__0 text 9999", 10_000)


def test_a_label_is_one_token_as_fasttext_cuts_them(tmp_path: Path) -> None:
    """No space that is none to fastText parts a label in two."""
    sent = manifest(("a text", "New\u00a0York"), ("another", "\u3000x"))
    (lines,) = read(channel(tmp_path, sent, content_type="application/x-recordio"))
    assert lines.decode() == "__label__New\u00a0York a text\n__label__\u3000x another\n"


@pytest.mark.parametrize("label", [[], [[1]], {"a": 1}, 1.5, True, None, "two words", "two\0words", ["a", None], ""])
def test_a_label_that_is_none_is_refused(tmp_path: Path, label: Any) -> None:
    sent = manifest(("fine", 1), ("a text", label))
    with pytest.raises(
        UserError, match=r"part-0, record 4: the label is .*check the order of AttributeNames"
    ) as caught:
        read(channel(tmp_path, sent, content_type="application/x-recordio"))
    assert caught.value.field == "label"


def test_a_source_without_label_is_refused(tmp_path: Path) -> None:
    sent = manifest(("fine", 1)) + recordio.frame(b"alone")
    with pytest.raises(UserError, match="part-0 ends with a source that no label follows"):
        read(channel(tmp_path, sent, content_type="application/x-recordio"))


def test_what_is_no_recordio_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"part-0, byte 0: not RecordIO"):
        read(channel(tmp_path, b"__label__1 a text\n", content_type="application/x-recordio"))
