"""What is fuzzed of pictures' channels: RecordIO files, streams of manifests and records, and lines of lists."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from sagedock.algorithms.image_classification import listed, records
from sagedock.algorithms.image_classification.labels import Labels
from sagedock.algorithms.image_classification.manifest import CLASS_ID, MULTI_HOT, PipeSource
from sagedock.contracts.channels import Channel
from sagedock.errors import UserError
from sagedock.formats import image_record, recordio
from sagedock.formats.record_file import RecordFile

CLASSES = 3
_PICTURE = b"\xff\xd8\xffpicture"


def read_file(folder: Callable[[], Path]) -> Callable[[bytes], object]:
    """An index finds the records that a stream has, or finds fault as well; labels that are read twice are the same."""

    def read(content: bytes) -> None:
        file = folder() / "data.rec"
        file.write_bytes(content)
        try:
            streamed = [frame.payload for frame in recordio.read(BytesIO(content), str(file))]
        except UserError as error:
            with pytest.raises(UserError, match=re.escape(str(error).partition(":")[0])):
                RecordFile.indexed(file)
            return
        indexed = RecordFile.indexed(file)
        assert [indexed.read(number) for number in range(len(indexed))] == streamed
        assert list(indexed.heads(30)) == [payload[:30] for payload in streamed]
        for several in (False, True):
            with suppress(UserError):
                found = records.source([file], Labels(CLASSES, several), None, file.parent)
                assert found.counts().sum() == sum(np.sum(one.label) if several else 1 for one in found.epoch(0, None))

    return read


def read_stream(content: bytes) -> None:
    """Whatever comes through a pipe, labels are those of the job."""
    for paired, label_format, several in ((True, CLASS_ID, True), (True, MULTI_HOT, True), (False, MULTI_HOT, False)):
        source = PipeSource(Channel("train", Path("train")), Labels(CLASSES, several), label_format, paired)
        with suppress(UserError):
            for example in source.examples(lambda: BytesIO(content), "train_0"):
                if isinstance(example.label, int):
                    assert 0 <= example.label < CLASSES
                else:
                    assert example.label.shape == (CLASSES,)
                    assert np.isin(example.label, (0, 1)).all()


def read_line(text: bytes) -> None:
    """A line that is read has finite or infinite labels, never nan, and a path that stays in its folder."""
    line = listed.parsed(text, "train.lst, line 1")
    assert all(label == label for label in line.labels)  # noqa: PLR0124 # only nan differs from itself
    assert line.labels
    assert not line.path.startswith("/")
    assert ".." not in line.path.split("/")


def _records(*labels: tuple[float, ...]) -> bytes:
    return b"".join(recordio.frame(image_record.packed(one, _PICTURE + recordio.MAGIC)) for one in labels)


def _pairs(*labels: bytes) -> bytes:
    return b"".join(recordio.frame(_PICTURE) + recordio.frame(label) for label in labels)


FILE_SEEDS = (_records((0,), (2,)), _records((1, 0, 1), (0, 0, 0)), recordio.frame(recordio.MAGIC * 3) + _records((1,)))
STREAM_SEEDS = (_pairs(b"[1, 0, 1]", b'"[0, 0, 0]"'), _pairs(b"[0, 2]", b"[]"), _pairs(b"1", b'"2"'), FILE_SEEDS[0])
LINE_SEEDS = (b"0\t1\timages/a.jpg\n", b"17\t1.000000\t0.000000\t1e0\timages/b c.png\r\n", b" 5 \t 1 \t./a")
RECORD_TOKENS = (recordio.MAGIC, bytes(4), b"\0\0\0\x20", b"\0\0\0\x60", b"\0\0\x80\x3f", b"\x18\0\0\0", _PICTURE)
STREAM_TOKENS = (*RECORD_TOKENS, b"[", b"]", b'"', b",", b"1e9", b"null")
LINE_TOKENS = (b"\t", b"\n", b"\0", b"../", b"/", b"nan", b"e", b"-", b".", b"_", b"\xff")
