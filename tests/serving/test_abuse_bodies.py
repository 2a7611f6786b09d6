"""Issue 3 item 5: bodies that lie or explode. A client's mistake is a 4xx that names it, and costs little."""

from __future__ import annotations

import gzip
import io
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from sagedock.formats.record_pb2 import Record
from sagedock.formats.recordio import MAGIC, frame
from tests.serving.models import COLUMNS
from tests.serving.process import Server
from tests.serving.wire import GOOD, assert_well

MEBIBYTE = 1 << 20
CSV, LIBSVM, JSON, LINES = "text/csv", "text/libsvm", "application/json", "application/jsonlines"
PARQUET, RECORDIO = "application/x-parquet", "application/x-recordio-protobuf"
MOST_MEMORY = 400 * MEBIBYTE
"""What a worker may ever have taken at once while it reads the bodies of this page."""


@pytest.fixture(autouse=True)
def unharmed(served: Server) -> Iterator[None]:
    """After each case the server is well, its worker the same, and its log without 5xx and tracebacks."""
    workers, told = served.workers, len(served.output)
    yield
    assert_well(served)
    assert served.workers == workers
    written = served.output[told:]
    assert "Traceback" not in written
    assert '"status": 5' not in written
    assert peak_bytes(workers[0]) < MOST_MEMORY


def peak_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/status").read_text().split("VmHWM:")[1].split()[0]) * 1024


def instances(row: bytes) -> bytes:
    return b'{"instances": [{"features": ' + row + b"}]}"


def record(values: list[float], keys: list[int] | None = None, shape: int | None = None) -> bytes:
    message = Record()
    tensor = message.features["values"].float32_tensor
    tensor.values.extend(values)
    tensor.keys.extend(keys or [])
    if shape is not None:
        tensor.shape.append(shape)
    return frame(message.SerializeToString())


def word(flag: int, length: int) -> bytes:
    return MAGIC + struct.pack("<I", flag << 29 | length)


def table(**columns: object) -> bytes:
    sink = io.BytesIO()
    parquet.write_table(pyarrow.table(columns), sink, compression="zstd")
    return sink.getvalue()


def bomb() -> bytes:
    """A hundred million cells of zeros in a few kilobytes."""
    sink = io.BytesIO()
    schema = pyarrow.schema([(f"f{number}", pyarrow.int8()) for number in range(COLUMNS)])
    column = pyarrow.array(np.zeros(4_000_000, np.int8))
    batch = pyarrow.table([column] * COLUMNS, schema=schema)
    with parquet.ParquetWriter(sink, schema, compression="zstd") as writer:
        for _ in range(5):
            writer.write_table(batch)
    return sink.getvalue()


LARGE = {
    "2^31": b"2147483648",
    "2^32": b"4294967296",
    "2^63": b"9223372036854775808",
    "2^64": b"18446744073709551616",
    "of 5,000 digits": b"9" * 5000,
}

CASES = {
    "JSON arrays 100,000 deep": (JSON, b"[" * 100_000),
    "JSON arrays 100,000 deep, closed": (JSON, b"[" * 100_000 + b"]" * 100_000),
    "JSON objects 100,000 deep": (JSON, b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    "JSON deep inside a record": (JSON, instances(b"[" * 100_000 + b"]" * 100_000)),
    "JSON Lines deep": (LINES, b'{"features": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n"),
    "JSON Infinity": (JSON, instances(b"[Infinity, 1, 2, 3, 4]")),
    "JSON -Infinity": (LINES, b'{"features": [-Infinity, 1, 2, 3, 4]}\n'),
    "JSON number of 100,000 digits": (JSON, instances(b"[" + b"9" * 100_000 + b", 1, 2, 3, 4]")),
    "JSON exponent of 100,000 digits": (JSON, instances(b"[1e" + b"9" * 100_000 + b", 1, 2, 3, 4]")),
    "JSON number too large": (JSON, instances(b"[1e400, 1, 2, 3, 4]")),
    "JSON text": (JSON, b'"' + b"a" * MEBIBYTE + b'"'),
    "JSON cut": (JSON, instances(b"[1, 2, 3, 4, 5]")[:-3]),
    "JSON and more": (JSON, instances(b"[1, 2, 3, 4, 5]") + b"{}"),
    "JSON half a surrogate": (JSON, b'{"instances": [{"\\ud800": [1, 2, 3, 4, 5]}]}'),
    "JSON not UTF-8": (JSON, b'{"instances": [{"features": [1, 2, 3, 4, 5], "\xff": 1}]}'),
    "JSON of a million empty arrays": (JSON, b'{"instances": [' + b"[]," * 1_000_000 + b"[]]}"),
    "JSON of a million keys": (JSON, b"{" + b",".join(b'"%d":0' % number for number in range(1_000_000)) + b"}"),
    "CSV row of a million columns": (CSV, b",".join([b"1"] * 1_000_000) + b"\n"),
    "CSV of a million empty columns": (CSV, b"," * 1_000_000 + b"\n"),
    "CSV number too large": (CSV, b"1e39,1,2,3,4\n"),
    "CSV number of 100,000 digits": (CSV, b"9" * 100_000 + b",1,2,3,4\n"),
    "CSV cell of 10 MB": (CSV, b"a" * (10 * MEBIBYTE) + b",1,2,3,4\n"),
    "CSV quote that never ends": (CSV, b'"' + b"1,2,3,4,5\n" * 100_000),
    "CSV of quotes": (CSV, b'"' * MEBIBYTE),
    "CSV of NULs": (CSV, bytes(MEBIBYTE)),
    "CSV not UTF-8": (CSV, b"1,2,3,4,\xff\xfe\n"),
    "CSV UTF-16": (CSV, "1,2,3,4,5\n".encode("utf-16")),
    "CSV other digits": (CSV, "١,2,3,4,5\n".encode()),
    "CSV underscores": (CSV, b"1_0,2,3,4,5\n"),
    "CSV hexadecimal": (CSV, b"0x10,2,3,4,5\n"),
    "CSV infinity": (CSV, b"inf,2,3,4,5\n"),
    "CSV of a million line ends": (CSV, b"\n" * 1_000_000),
    "libsvm row of a million features": (LIBSVM, b" ".join(b"%d:1" % number for number in range(1_000_000)) + b"\n"),
    "libsvm negative index": (LIBSVM, b"-1:1\n"),
    "libsvm index twice": (LIBSVM, b"0:1 0:2\n"),
    "libsvm index that is no number": (LIBSVM, b"a:1\n"),
    "libsvm number of 100,000 digits": (LIBSVM, b"0:" + b"9" * 100_000 + b"\n"),
    "libsvm millions of digits and a letter": (LIBSVM, b"1" * (2 * MEBIBYTE) + b"x\n"),
    "CSV millions of digits and a letter": (CSV, b"1" * (2 * MEBIBYTE) + b"x,2,3,4,5\n"),
    "libsvm infinity": (LIBSVM, b"0:inf\n"),
    "libsvm colons": (LIBSVM, b":" * MEBIBYTE),
    "libsvm not UTF-8": (LIBSVM, b"0:1 1:\xff\n"),
    **{f"libsvm index {name}": (LIBSVM, index + b":1\n") for name, index in LARGE.items()},
    "recordio longer than it is": (RECORDIO, word(0, (1 << 29) - 1) + b"abc"),
    "recordio second record longer than it is": (RECORDIO, record([1.0] * 5) + word(0, 1 << 28)),
    "recordio shorter than it is": (RECORDIO, word(0, 4) + record([1.0] * 5)[8:]),
    "recordio of nothing": (RECORDIO, word(0, 0) * 100_000),
    "recordio parts without end": (RECORDIO, word(1, 0) + word(2, 0) * 100_000),
    "recordio part out of place": (RECORDIO, word(3, 0)),
    "recordio wrong magic": (RECORDIO, b"abcd" + record([1.0] * 5)[4:]),
    "recordio lying message": (RECORDIO, frame(b"\x0a\xff\xff\xff\xff\x0f")),
    "recordio deep message": (RECORDIO, frame(b"\x0b" * 100_000)),
    "recordio of noise": (RECORDIO, frame(bytes(range(256)) * 100)),
    "recordio key of 2^63": (RECORDIO, record([1.0], [1 << 63], COLUMNS)),
    "recordio key of 2^31": (RECORDIO, record([1.0], [1 << 31], 1 << 33)),
    "recordio shape of 2^63": (RECORDIO, record([1.0], [0], 1 << 63)),
    "recordio more keys than values": (RECORDIO, record([1.0], [0, 1, 2], COLUMNS)),
    "recordio NaN": (RECORDIO, record([float("inf")] * COLUMNS)),
    "recordio of a million columns": (RECORDIO, record([1.0] * 1_000_000)),
    "parquet bomb": (PARQUET, bomb),
    "parquet of a million columns' names": (PARQUET, lambda: table(**{f"c{n}": [0] for n in range(3000)})),
    "parquet of text": (PARQUET, lambda: table(**{f"c{n}": ["a"] for n in range(COLUMNS)})),
    "parquet nested": (PARQUET, lambda: table(a=[[[[1.0]]]], b=[{"c": 1}], c=[1], d=[1], e=[1])),
    "parquet without rows": (PARQUET, lambda: table(**{f"c{n}": pyarrow.array([], "float32") for n in range(COLUMNS)})),
    "parquet cut": (PARQUET, lambda: table(a=[1.0], b=[1.0], c=[1.0], d=[1.0], e=[1.0])[:-20]),
    "parquet footer of 4 GB": (PARQUET, b"PAR1" + bytes(100) + b"\xff\xff\xff\xff" + b"PAR1"),
    "parquet footer of zeros": (PARQUET, b"PAR1" + bytes(100) + b"\x20\x00\x00\x00" + b"PAR1"),
    "parquet encrypted": (PARQUET, b"PARE" + bytes(100) + b"\x20\x00\x00\x00" + b"PARE"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_body_that_is_wrong_is_refused_with_its_reason(served: Server, case: str) -> None:
    content_type, body = CASES[case]
    reply = served.invoke(body() if callable(body) else body, content_type)
    assert reply.status in {400, 413}, reply
    assert 10 < len(reply.error["message"]) < 1000
    assert "Traceback" not in reply.body.decode()


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (JSON, b'{"instances": [{"features": [9, 9, 9, 9, 9], "features": [1, 2, 3, 4, 5]}]}'),
        (JSON, b'{"instances": [], "instances": [{"features": [1, 2, 3, 4, 5]}]}'),
        (LINES, b'{"features": [9], "features": [1, 2, 3, 4, 5]}\n'),
    ],
)
def test_duplicate_keys_are_the_last_or_refused(served: Server, content_type: str, body: bytes) -> None:
    """RFC 8259 section 4: readers that take one take the last; never a mixture."""
    reply = served.invoke(body, content_type)
    assert reply.status in {200, 400}
    if reply.status == 200:
        assert reply.body == served.invoke(b"1,2,3,4,5\n").body


def test_nan_is_a_missing_value(served: Server) -> None:
    """As an empty cell is (Python's own JSON writer says NaN)."""
    reply = served.invoke(instances(b"[NaN, 1, 2, 3, 4]"), JSON, CSV)
    assert reply.status == 200
    assert reply.body == served.invoke(b",1,2,3,4\n").body


@pytest.mark.parametrize("zipped", [1, 2])
def test_gzip_bombs_are_413(served: Server, zipped: int) -> None:
    """A hundred megabytes of zeros, and those gzipped once more."""
    body = gzip.compress(bytes(100 * MEBIBYTE), 9)
    if zipped == 2:
        body = gzip.compress(body)
    reply = served.invoke(body, CSV, Content_Encoding="gzip")
    assert reply.status == (413 if zipped == 1 else 400)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (gzip.compress(GOOD)[:-1], 400),
        (gzip.compress(GOOD)[:-8] + bytes(8), 400),
        (gzip.compress(GOOD) + b"more", 400),
        (gzip.compress(GOOD)[:10], 400),
        (b"\x1f\x8b" + bytes(100), 400),
        (GOOD, 400),
    ],
)
def test_gzip_that_is_none(served: Server, body: bytes, status: int) -> None:
    assert served.invoke(body, CSV, Content_Encoding="gzip").status == status


@pytest.mark.parametrize(
    "content_type",
    [
        "text/csv; " + "a=b; " * 1000,
        "text/csv; charset=utf-16",
        "text/csv; label_size=" + "9" * 1000,
        "text/csv; label_size=-1",
        'text/csv; charset="' + "\\" * 1000,
        "text/csv" * 500,
        "text/",
        "/csv",
        ";",
        "\xff\xfe",
        "text/csv; header=\x7f",
        "multipart/form-data",
    ],
)
def test_media_types_that_are_none(served: Server, content_type: str) -> None:
    reply = served.invoke(GOOD, content_type)
    assert reply.status in {400, 415, 431} or (reply.status == 200 and "a=b" in content_type), reply
    assert len(reply.body) < 2000


@pytest.mark.parametrize(
    "accept", ["*/*;q=" + "9" * 1000, "a/b," * 1000, "\xff", ";;;", "text/csv;q=nan", "*/csv", ","]
)
def test_accepts_that_are_none(served: Server, accept: str) -> None:
    assert served.invoke(GOOD, CSV, accept).status in {200, 400, 406, 431}
