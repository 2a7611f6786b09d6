"""RecordIO files read at will, and the records of pictures in them."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagedock.errors import UserError
from sagedock.formats import image_record, recordio
from sagedock.formats.record_file import RecordFile

PIECES = st.sampled_from([b"a", b"bcd", bytes(4), recordio.MAGIC, recordio.MAGIC[:2], recordio.MAGIC[2:]])
PAYLOADS = st.lists(st.lists(PIECES, max_size=6).map(b"".join), min_size=1, max_size=6)


def written(folder: Path, content: bytes) -> Path:
    file = folder / "train.rec"
    file.write_bytes(content)
    return file


def test_a_magic_word_at_a_multiple_of_four_divides_a_record(tmp_path: Path) -> None:
    """Image 14: parts of length 0 and 4, 20 bytes in all, read back as the 8 bytes."""
    payload = recordio.MAGIC + b"abcd"
    framed = recordio.frame(payload)
    assert framed == bytes.fromhex("0a23d7ce 00000020 0a23d7ce 04000060") + b"abcd"
    assert len(framed) == 20
    file = RecordFile.indexed(written(tmp_path, framed))
    assert [file.read(0), *file.heads(100), *file.heads(6)] == [payload, payload, payload[:6]]


def test_a_magic_word_elsewhere_divides_nothing() -> None:
    """Image 15."""
    payload = b"ab" + recordio.MAGIC + b"cd"
    assert recordio.frame(payload) == recordio.MAGIC + struct.pack("<I", len(payload)) + payload


@given(records=PAYLOADS, cut=st.booleans())
def test_every_record_is_found_again_in_any_order(
    tmp_path_factory: pytest.TempPathFactory, records: list[bytes], cut: bool
) -> None:
    content = b"".join(map(recordio.frame, records))
    padding = -len(records[-1]) % 4 if cut else 0
    file = RecordFile.indexed(written(tmp_path_factory.mktemp("records"), content[: len(content) - padding]))
    assert len(file) == len(records)
    assert [file.read(number) for number in reversed(range(len(file)))] == records[::-1]
    assert list(file.heads(5)) == [record[:5] for record in records]


@given(records=PAYLOADS, data=st.data())
def test_a_file_that_ends_early_is_refused_or_lacks_whole_records(
    tmp_path_factory: pytest.TempPathFactory, records: list[bytes], data: st.DataObject
) -> None:
    """Image 18: at whatever byte it is cut."""
    content = b"".join(map(recordio.frame, records))
    kept = data.draw(st.integers(1, len(content)))
    path = written(tmp_path_factory.mktemp("records"), content[:kept])
    ends = np.cumsum([len(recordio.frame(record)) for record in records]).tolist()
    whole = {
        end - missing: number
        for number, (end, record) in enumerate(zip(ends, records, strict=True), start=1)
        for missing in range(-len(record) % 4 + 1)  # padding
    }
    if kept not in whole:
        with pytest.raises(UserError, match=r"byte \d+: .*truncated"):
            RecordFile.indexed(path)
        return
    file = RecordFile.indexed(path)
    assert [file.read(number) for number in range(len(file))] == records[: whole[kept]]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"\x89PNG\r\n\x1a\n" * 9, r"byte 0: .*The Record IO header does not start with the magic number"),
        (recordio.frame(b"abcd") + b"PNG!" * 3, r"byte 12: .*does not start with the magic number"),
        (recordio.MAGIC + struct.pack("<I", (1 << 29) - 1), r"byte 0: .*has 0 of 536870911 bytes"),
        (recordio.frame(b"abcd") + recordio.MAGIC, r"byte 12: .*the header has 4 of 8 bytes"),
        (recordio.MAGIC + struct.pack("<I", 3 << 29), r"byte 0: .*part flag 3 is out of place"),
        (recordio.MAGIC + struct.pack("<I", 1 << 29), r"byte 8: .*the last part of a record is missing"),
        (recordio.MAGIC + struct.pack("<I", 4 << 29), r"byte 0: .*part flag 4 does not exist"),
    ],
)
def test_damage_is_named_by_file_and_byte(tmp_path: Path, content: bytes, text: str) -> None:
    """Image 17 and 18: no byte is taken for a payload that the file has not."""
    with pytest.raises(UserError, match=text):
        RecordFile.indexed(written(tmp_path, content))


def test_a_file_that_shrinks_is_told(tmp_path: Path) -> None:
    path = written(tmp_path, recordio.frame(b"abcd") + recordio.frame(b"efgh"))
    file = RecordFile.indexed(path)
    path.write_bytes(recordio.frame(b"abcd"))
    with pytest.raises(UserError, match="became shorter"):
        file.read(1)
    path.unlink()
    with pytest.raises(UserError, match="cannot read"):
        file.read(0)


def test_labels_stand_in_the_header_or_behind_it() -> None:
    """Image 16: flag 0 and flag 3; flag 1 with one label means the same as flag 0."""
    one = struct.pack("<IfQQ", 0, 7, 1, 0) + b"picture"
    three = struct.pack("<IfQQ3f", 3, 0, 1, 0, 1, 0, 1) + b"picture"
    vector = struct.pack("<IfQQf", 1, 0, 1, 0, 7) + b"picture"
    assert [image_record.labels(record, "r").tolist() for record in (one, three, vector)] == [[7], [1, 0, 1], [7]]
    assert {image_record.picture(record, "r") for record in (one, three, vector)} == {b"picture"}
    assert image_record.packed([7], b"picture", 1) == one
    assert image_record.packed([1, 0, 1], b"picture", 1) == three


@given(labels=st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=9), encoded=st.binary(min_size=1))
def test_what_is_packed_is_read(labels: list[float], encoded: bytes) -> None:
    record = image_record.packed(labels, encoded)
    assert np.array_equal(image_record.labels(record, "r"), np.array(labels, np.float32))
    assert image_record.picture(record, "r") == encoded


@pytest.mark.parametrize(
    ("record", "text"),
    [
        (b"", "r: Unable to parse record: it has 0 bytes"),
        (bytes(23), "r: Unable to parse record: it has 23 bytes"),
        (struct.pack("<IfQQ", 2, 0, 0, 0) + bytes(7), "r: Unable to parse record: its header says that 2 labels"),
        (struct.pack("<IfQQ", 0xFFFFFFFF, 0, 0, 0) + bytes(70), "its header says that 4294967295 labels"),
    ],
)
def test_what_is_no_record_of_a_picture_is_refused(record: bytes, text: str) -> None:
    for read in (image_record.labels, image_record.picture):
        with pytest.raises(UserError, match=text):
            read(record, "r")


def test_a_record_without_a_picture_is_refused() -> None:
    with pytest.raises(UserError, match="r: there is no picture behind the labels"):
        image_record.picture(bytes(24), "r")
