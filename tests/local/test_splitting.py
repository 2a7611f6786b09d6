"""From bytes to records to requests and back."""

from __future__ import annotations

import io
import re
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagedock.errors import UserError
from sagedock.formats import recordio
from sagedock.local.transform import splitting
from sagedock.local.transform.batching import Batcher, MiniBatch, Refused, gathered

LONGEST = 1 << 20
texts = st.lists(st.binary(max_size=12).filter(lambda line: b"\n" not in line), max_size=30).map(b"\n".join)
payloads = st.lists(st.one_of(st.binary(max_size=40), st.just(recordio.MAGIC * 3)), max_size=12)


def without_blank_end(body: bytes) -> bytes:
    """`body` without the blank lines behind its last record."""
    lines = re.findall(rb"[^\n]*\n|[^\n]+\Z", body)
    while lines and lines[-1] in {b"\n", b"\r\n"}:
        lines.pop()
    return b"".join(lines)


def split(body: bytes, longest: int = LONGEST) -> list[bytes]:
    return list(splitting.lines(io.BytesIO(body), longest))


@given(texts)
def test_lines_put_together_are_the_object(body: bytes) -> None:
    """Contract 4.3: split and joined again nothing is lost, whatever the line ends; blank lines at the end go."""
    records = split(body)
    assert b"".join(records) == without_blank_end(body)
    assert all(record.count(b"\n") <= 1 and (record.endswith(b"\n") or record is records[-1]) for record in records)


@given(texts, st.integers(1, 40), st.booleans())
def test_mini_batches_hold_every_record_once_in_order(body: bytes, limit: int, single: bool) -> None:
    """Contract 4.3: as many whole lines as fit, and no more than one with SingleRecord."""
    records = split(body)
    found: list[bytes] = []
    for batch in Batcher(limit, single).batches(records):
        assert (batch.number if isinstance(batch, Refused) else batch.first) == len(found) + 1
        if isinstance(batch, Refused):
            assert len(records[len(found)]) > limit
            found.append(records[len(found)])
            continue
        assert len(batch.body()) <= limit
        assert batch.count == 1 or not single
        found += batch.records
    assert found == records


@given(texts, st.integers(1, 40))
def test_mini_batches_are_as_large_as_they_may_be(body: bytes, limit: int) -> None:
    batches = list(Batcher(limit).batches(split(body)))
    for batch, following in pairwise(batches):
        if isinstance(batch, MiniBatch) and isinstance(following, MiniBatch):
            assert len(batch.body()) + len(following.records[0]) > limit


@given(payloads, st.booleans())
def test_framed_records_put_together_are_the_object(contents: list[bytes], cut: bool) -> None:
    """Contract 4.3: MultiRecord keeps the framing, byte for byte, a missing last padding included."""
    whole = b"".join(map(recordio.frame, contents))
    body = whole.rstrip(b"\0") if cut and contents and whole.endswith(contents[-1] + b"\0") and contents[-1] else whole
    records = list(splitting.framed(io.BytesIO(body), "object", padded=True))
    assert b"".join(records) == body
    assert len(records) == len(contents)


@given(payloads)
def test_a_single_record_loses_its_padding(contents: list[bytes]) -> None:
    """Contract 4.3: SingleRecord removes the zeros at the end of the last frame, and nothing else."""
    body = b"".join(map(recordio.frame, contents))
    for record, content in zip(splitting.framed(io.BytesIO(body), "object", padded=False), contents, strict=True):
        framed = recordio.frame(content)
        last = len(content.split(recordio.MAGIC)[-1]) if len(content) % 4 == 0 else len(content)
        assert framed.startswith(record)
        assert len(framed) - len(record) == -last % 4 or len(framed) - len(record) == -len(content) % 4
        assert [frame.payload for frame in recordio.read(io.BytesIO(record), "record")] == [content]


def test_line_ends_stay_as_they_are() -> None:
    """Contract E05: carriage returns and a missing last newline are sent as they lie."""
    assert split(b"a\r\nb\n\nc\r\n\r\n\n") == [b"a\r\n", b"b\n", b"\n", b"c\r\n"]
    assert split(b'1,"x\ny",2') == [b'1,"x\n', b'y",2']
    assert split(b"") == []
    assert split(b"\n\n") == []


def test_an_overlong_line_is_cut_and_the_next_one_found() -> None:
    assert split(b"aa\n" + b"b" * 50 + b"\ncc\n", longest=4) == [b"aa\n", b"bbbbb", b"cc\n"]
    assert split(b"bbbb\n", longest=4) == [b"bbbb\n"[:5]]
    assert split(b"b" * 50, longest=4) == [b"bbbbb"]


def test_a_damaged_recordio_object_is_named_with_its_byte() -> None:
    with pytest.raises(UserError, match=r"object\.rec, byte 12: not RecordIO"):
        list(splitting.framed(io.BytesIO(recordio.frame(b"abcd") + b"rubbish!"), "object.rec", padded=True))


@pytest.mark.parametrize(
    ("content", "longest", "records"), [(b"", 4, []), (b"abcd", 4, [b"abcd"]), (b"abcdef", 4, [b"abcde"])]
)
def test_a_whole_object(content: bytes, longest: int, records: list[bytes]) -> None:
    assert list(splitting.whole(io.BytesIO(content), longest)) == records


def test_chunks_are_worth_their_frames() -> None:
    pieces = list(gathered([b"x" * 1000] * 200))
    assert sum(map(len, pieces)) == 200_000
    assert all(len(piece) >= 64 * 1024 for piece in pieces[:-1])


def test_a_record_that_cannot_be_filtered_comes_at_its_place() -> None:
    def request(record: bytes) -> bytes:
        if record == b"bad\n":
            raise UserError("no row")
        return record

    batches: list[Any] = list(Batcher(100, request=request).batches([b"a\n", b"bad\n", b"b\n", b"c\n"]))
    assert [(type(batch).__name__, getattr(batch, "first", getattr(batch, "number", None))) for batch in batches] == [
        ("MiniBatch", 1),
        ("Refused", 2),
        ("MiniBatch", 3),
    ]
