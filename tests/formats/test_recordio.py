"""RecordIO framing: recordio 8.4 to 8.8, golden bytes of section 3."""

import io
import os
import re
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagedock.contracts.channels import Source
from sagedock.errors import UserError
from sagedock.formats import recordio

MAGIC = bytes.fromhex("0a23d7ce")
PAYLOAD = b"ABCD" + MAGIC + b"EFG"
IN_PARTS = bytes.fromhex("0a23d7ce 04000020 41424344 0a23d7ce 03000060 454647 00")
AS_THE_SDK = bytes.fromhex("0a23d7ce 0b000000 41424344 0a23d7ce 454647 00")


def payloads(data):
    return [frame.payload for frame in recordio.read(io.BytesIO(data), "f")]


def test_both_writers_are_read():
    """Recordio 8.4 and 8.6 (the second part has flag 3 and length 3)."""
    assert payloads(IN_PARTS) == payloads(AS_THE_SDK) == [PAYLOAD]


def test_the_writer_splits_as_dmlc_does():
    """Recordio 8.5."""
    assert recordio.frame(PAYLOAD) == IN_PARTS


@pytest.mark.parametrize("length", range(10))
def test_frames_are_multiples_of_four(length):
    """Recordio 8.7."""
    framed = recordio.frame(bytes(length))
    assert len(framed) == 8 + (length + 3) // 4 * 4
    assert payloads(framed) == [bytes(length)]


def test_an_empty_file_has_no_records():
    """Recordio 8.8."""
    assert payloads(b"") == []


@pytest.mark.parametrize("kept", range(1, 8))
def test_a_cut_header_is_named_by_its_offset(kept):
    """Recordio 8.8."""
    with pytest.raises(UserError, match=rf"^f, byte 12: .*header has {kept} of 8"):
        payloads(recordio.frame(b"ABCD") + recordio.frame(b"x")[:kept])


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (recordio.frame(b"ABCD") + MAGIC + b"\x09\0\0\0ab", "byte 12: .*payload has 2 of 9 bytes"),
        (recordio.frame(b"ABCD") + b"notmagic", "byte 12: .*found 6e6f746d where 0a23d7ce"),
        (IN_PARTS[:12], "byte 12: .*last part"),
        (IN_PARTS[12:], "byte 0: .*flag 3 is out of place"),
        (IN_PARTS[:12] + recordio.frame(b""), "byte 12: .*flag 0 is out of place"),
        (MAGIC + b"\0\0\0\x80", "byte 0: .*flag 4 does not exist"),
    ],
)
def test_damage_is_named_by_its_offset(data, text):
    """Recordio 8.8."""
    with pytest.raises(UserError, match=text):
        payloads(data)


def test_the_last_padding_may_be_missing():
    assert payloads(recordio.frame(b"abcde").rstrip(b"\0")) == [b"abcde"]


@given(st.lists(st.lists(st.sampled_from([b"a", b"bcd", b"\0\0\0\0", MAGIC, MAGIC[:2], MAGIC[2:]])).map(b"".join)))
def test_what_is_written_is_read(records):
    framed = b"".join(map(recordio.frame, records))
    assert payloads(framed) == records
    for found in re.finditer(re.escape(MAGIC), framed):
        if found.start() % 4 == 0:
            assert framed[found.start() + 7] >> 5 <= 3  # every aligned magic word begins a frame


def test_wrapped_objects_are_unwrapped_from_a_pipe(tmp_path):
    fifo = tmp_path / "train_0"
    os.mkfifo(fifo)
    objects = [b"1,2\n3,4\n", b"5,6\n"]
    writer = threading.Thread(target=lambda: fifo.write_bytes(b"".join(map(recordio.frame, objects))))
    writer.start()
    found = list(recordio.unwrapped([Source(str(fifo), lambda: fifo.open("rb"))]))
    writer.join()
    assert [source.open().read() for source in found] == objects
    assert found[1].name == f"{fifo} (object 2)"
