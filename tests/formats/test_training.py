"""Training data: xgboost 19, 23 to 27 and 63, 8.12; issue 2, "what bad input gets"."""

import gzip
import io
import os
import subprocess
import sys
import threading

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pyarrow import parquet

from sagedock.contracts.channels import Channel, Source
from sagedock.errors import UnsupportedMediaType, UserError
from sagedock.formats import blocks, csv_files, libsvm_files
from sagedock.formats.media_types import parse_media_type
from sagedock.formats.table import Table
from sagedock.formats.training import TRAINING_TYPES, encode_table, read_table


def source(content, name="train.csv"):
    return Source(name, lambda: io.BytesIO(content))


def read(content, media_type="text/csv", **options):
    return read_table([source(content)], parse_media_type(media_type), **options)


def dense(table):
    """The features of `table` with NaN for what is absent."""
    if not table.is_sparse:
        return table.features
    entries = table.features.tocoo()
    full = np.full(entries.shape, np.nan, dtype=np.float32)
    full[entries.row, entries.col] = entries.data
    return full


def same(table, rows):
    return np.array_equal(dense(table), np.array(rows, dtype=np.float32), equal_nan=True)


NAN = float("nan")


def test_the_label_stands_first():
    table = read(b"1,2,3\n0,4,5\n")
    assert same(table, [[2, 3], [4, 5]])
    assert table.labels.tolist() == [1, 0]
    assert table.weights is None


def test_csv_weights_take_column_one():
    """Xgboost 24."""
    table = read(b"1,0.5,3\n0,2,5\n", weights=True)
    assert same(table, [[3], [5]])
    assert (table.labels.tolist(), table.weights.tolist()) == ([1, 0], [0.5, 2])


def test_empty_and_nan_are_missing_and_zero_is_a_value():
    """Xgboost 25."""
    assert same(read(b'0,,0\n0,nan,NaN\n0,NAN,""\n0, nan, \n'), [[NAN, 0]] + [[NAN, NAN]] * 3)


@pytest.mark.parametrize("delimiter", ["\t", ";", " ", "|", ","])
def test_other_delimiters_read_the_same(delimiter):
    """Xgboost 27."""
    assert same(read(b"1,2.5,-3e2\n0,,5\n".replace(b",", delimiter.encode())), [[2.5, -300], [NAN, 5]])


def test_numbers_may_be_written_in_many_ways():
    """Xgboost 8.12: a quoted number is its number."""
    assert same(read(b'1,"2",+3,.5,5.,1E-3,-0, 7\n'), [[2, 3, 0.5, 5, 1e-3, 0, 7]])


@pytest.mark.parametrize("content", [b"1,2\r\n3,4\r\n", b"1,2\n3,4", b"1,2\n3,4\n\n\r\n", b"\xef\xbb\xbf1,2\n3,4\n"])
def test_line_ends_and_marks_do_not_matter(content):
    assert same(read(content), [[2], [4]])


def test_label_size_zero_leaves_the_first_column_a_feature():
    table = read(b"1,2\n", "text/csv; label_size=0")
    assert same(table, [[1, 2]])
    assert table.labels is None
    with pytest.raises(UserError, match="label_size is '2': use 0 or 1"):
        read(b"1,2\n", "text/csv; label_size=2")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"1,2\n3,x4\n", r"train.csv, line 2, column 2: 'x4' is not a number"),
        (b"1,2\n3,inf\n", r"line 2, column 2: 'inf' is infinite"),
        (b"1,2\n3,1e39\n", r"line 2, column 2: '1e39' does not fit"),
        (b"1,2\n3,1_0\n", r"line 2, column 2: '1_0' is not a number"),
        (b"1,2\n3,-nan\n", r"line 2, column 2: '-nan' is not a number"),
        (b"1,2\n3,nan(1)\n", r"line 2, column 2"),
        (b"1,2\n3\n", r"line 2: expected 2 columns .* got 1"),
        (b"1,2\n3,4,5\n", r"line 2: expected 2 columns .* got 3"),
        (b"1,2\n\n3,4\n", r"line 2: the line is blank"),
        (b'1,2\n3,"4\n5,6\n', r"line 2: .*close the quote"),
        (b"1,2\n3,\xff\n", r"line 2, column 2"),
        (b"1,2\r3,4\n", r"line 1, column 2"),
        (b"1,2\n,4\n", r"line 2, column 1: the label is missing"),
        (b"1\n0\n", r"leave no feature columns"),
        (b"label,age\n1,2\n", r"line 1, column 1: 'label' .*header row; remove it"),
        (b"1,age,3\n1,2,3\n", r"line 1, column 2: 'age' .*header row; remove it"),
        (b"label,age\n", r"header row"),
        (b"1,CA,3\n1,NY,3\n", r"line 1, column 2: 'CA' is not a number; encode text columns"),
        (b"1 0:2 3:4\n", r"looks like LIBSVM"),
        (b"1 qid:2 3:4\n", r"looks like LIBSVM"),
        (b"\n\n", r"no records in train.csv"),
    ],
)
def test_bad_csv_is_named_by_its_place(content, text):
    """Xgboost 63, 8.12 and "what bad input gets"."""
    with pytest.raises(UserError, match=text):
        read(content)


def test_a_fault_far_down_is_named_by_its_physical_line():
    rows = [b"1,2.5,3"] * 400_000
    rows[399_998] = b"1,2.5,oops"
    with pytest.raises(UserError, match=r"line 399999, column 3: 'oops'"):
        read(b"\n".join(rows))
    rows[399_998] = b"1,2.5"
    with pytest.raises(UserError, match=r"line 399999: expected 3 columns"):
        read(b"\r\n".join(rows))


def test_files_are_joined_and_must_agree():
    csv = parse_media_type("csv")
    table = read_table([source(b"1,2\n"), source(b"0;3\n")], csv)
    assert same(table, [[2], [3]])
    with pytest.raises(UserError, match=r"b.csv, line 1: expected 2 columns .* got 3"):
        read_table([source(b"1,2\n"), source(b"0,3,4\n", "b.csv")], csv)


def test_libsvm_weights_groups_and_absence():
    """Xgboost 26 and 19's format; recordio and xgboost 7.2: indices as written."""
    table = read(b"1:0.5 qid:3 1:0 3:2.5\n0:2 qid:4\n", "text/x-libsvm")
    assert same(table, [[NAN, 0, NAN, 2.5], [NAN] * 4])
    assert table.labels.tolist() == [1, 0]
    assert table.weights.tolist() == [0.5, 2]
    assert table.groups.tolist() == [3, 4]


@pytest.mark.parametrize(
    "content",
    [
        b"1 0:1 2:nan\n-1 1:-2\n",
        b"1 2:nan 0:1 \r\n-1\t1:-2",
        b"1  0:1 2:nan # note\n-1 1:-2\n\n",
        b"+1 0:+1 2:NaN\n-1 1:-2\n",
    ],
)
def test_libsvm_may_be_written_in_many_ways(content):
    table = read(content, "libsvm")
    assert same(table, [[1, NAN, NAN], [NAN, -2, NAN]])
    assert table.labels.tolist() == [1, -1]
    assert table.weights is table.groups is None


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"1,2,3\n0,3,4\n", r"train.csv, line 1: '1,2,3' is not a number; .*'LIBSVM' format"),
        (b"1 2 3\n", r"line 1: '2' is not index:value; .*LIBSVM"),
        (b"1 0:1\n0 1:x\n", r"line 2: 'x' is not a number"),
        (b"1 0:1\n0 -1:2\n", r"line 2: '-1:2'"),
        (b"1 0:1\n0 -2:2\n", r"line 2: '-2:2'"),
        (b"1 0:1\n0 1.5:2\n", r"line 2: '1.5:2'"),
        (b"1 0:1\n0 1:\n", r"line 2: '1:' is not index:value"),
        (b"1 0:1\n0 1:inf\n", r"line 2: 'inf' is infinite"),
        (b"1 0:1\n0 1:2 1:3\n", r"line 2: index 1 is given twice"),
        (b"1 0:1\n\n0 1:2\n", r"line 2: the line is blank"),
        (b"1 0:1\n1:0.5 1:2\n", r"weight"),
        (b"1 qid:1 0:1\n1 1:2\n", r"some records have a qid"),
        (b"nan 0:1\n", r"line 1: the label is missing"),
        (b"1 0:1 99999999999:2\n", r"index 99999999999 is above"),
        (b"1 0:1 \xff:2\n", r"line 1"),
    ],
)
def test_bad_libsvm_is_named_by_its_place(content, text):
    """Xgboost 23."""
    with pytest.raises(UserError, match=text):
        read(content, "text/libsvm")


def parquet_bytes(columns):
    sink = io.BytesIO()
    parquet.write_table(pa.table(columns), sink)
    return sink.getvalue()


def test_parquet_columns_of_every_numeric_kind():
    """Xgboost 3.3."""
    columns = {
        "label": pa.array([1, 0], pa.int8()),
        "a": pa.array([1.5, None], pa.float64()),
        "b": pa.array([True, None]),
        "c": pa.array([None, None], pa.null()),
        "d": pa.array([2**40, 3], pa.int64()),
    }
    table = read(parquet_bytes(columns), "application/x-parquet")
    assert same(table, [[1.5, 1, NAN, 2**40], [NAN, NAN, NAN, 3]])
    assert table.labels.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        ({"y": [1], "name": ["x"]}, "column 'name' is string, not numeric"),
        ({"y": [1.0, None], "a": [1, 2]}, "train.csv, row 2: column 'y' is missing"),
        ({"y": [1.0, 2], "a": [1, 1e300]}, "train.csv, row 2: column 'a' is infinite"),
        ({"y": [1.0]}, "leave no feature columns"),
        ({"y": pa.array([], pa.float32()), "a": pa.array([], pa.float32())}, "no records in train.csv"),
    ],
)
def test_bad_parquet_is_named_by_its_place(columns, text):
    with pytest.raises(UserError, match=text):
        read(parquet_bytes(columns), "parquet")


def test_a_truncated_parquet_file_is_named(tmp_path):
    path = tmp_path / "part.parquet"
    path.write_bytes(parquet_bytes({"y": [1], "a": [2]})[:-20])
    with pytest.raises(UserError, match=r"part.parquet: not a parquet file, or damaged"):
        read_table([Source(str(path), lambda: path.open("rb"), path)], parse_media_type("parquet"))


def test_parquet_files_must_have_the_same_columns():
    files = [source(parquet_bytes({"y": [1], "a": [2]})), source(parquet_bytes({"y": [1], "b": [2]}), "b.parquet")]
    with pytest.raises(UserError, match=r"b\.parquet: expected column 'a' as in the first file, got 'b'"):
        read_table(files, parse_media_type("parquet"))


def test_json_records_carry_their_label():
    table = read(
        b'{"instances": [{"features": [1, null], "label": 1}, {"features": [2, 3], "label": 0}]}', "application/json"
    )
    assert same(table, [[1, NAN], [2, 3]])
    assert table.labels.tolist() == [1, 0]
    with pytest.raises(UserError, match=r"train\.csv, record 2: no label"):
        read(b'{"features": [1], "label": 1}\n{"features": [1]}\n', "application/jsonlines")


def test_an_unknown_type_is_refused_by_name():
    with pytest.raises(UnsupportedMediaType, match="'image/png' are not read: declare one of text/csv"):
        read(b"1", "image/png")
    with pytest.raises(UserError, match="csv_weights goes with text/csv only"):
        read(b"1 0:1\n", "libsvm", weights=True)


numbers = st.floats(width=32, allow_infinity=False)
tables = st.tuples(st.integers(1, 6), st.integers(1, 4)).flatmap(
    lambda shape: st.lists(
        st.lists(numbers, min_size=shape[1], max_size=shape[1]), min_size=shape[0], max_size=shape[0]
    )
)


@given(rows=tables, media_type=st.sampled_from(TRAINING_TYPES))
def test_what_is_written_is_read(rows, media_type):
    features = np.array(rows, dtype=np.float32)
    features[0, -1] = 1  # libsvm knows its width by the last column that is present
    labels = np.arange(len(rows), dtype=np.float32)
    table = read(encode_table(Table(features, labels), media_type), media_type)
    assert same(table, features)
    assert np.array_equal(table.labels, labels)


@given(
    st.lists(
        st.lists(
            st.sampled_from(["1", "2.5", "-3e2", "", "nan", " nan", '"4"', "x", "inf", "+1", "0:1", "1e999"]),
            min_size=2,
            max_size=3,
        ),
        min_size=1,
        max_size=4,
    )
)
def test_the_engine_and_the_careful_look_agree(cells):
    """What the engine reads is what the careful path reads, and it refuses whatever that one refuses."""
    block = blocks.Block(b"".join(",".join(row).encode() + b"\n" for row in cells), 1)
    parsed = csv_files._parse(block, ",", None)
    if parsed is not None:
        assert np.array_equal(parsed, csv_files._read_carefully("f", block, ",", None), equal_nan=True)


@example([("1:2", ["qid:7", "qid:7"]), ("1:2", [])])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["1", "-1", "0.5", "1:2", "nan", "x"]),
            st.lists(
                st.sampled_from(
                    [
                        "0:1",
                        "1:-2",
                        "2:nan",
                        "qid:7",
                        "3:",
                        "4:inf",
                        "x:1",
                        "-1:1",
                        "-3:1",
                        "-2:1",
                        "+2:1",
                        "5",
                        "6:+1",
                        "",
                        "qid:1.5",
                    ]
                ),
                max_size=4,
            ),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_the_libsvm_engine_and_the_careful_look_agree(records):
    block = blocks.Block(b"".join(" ".join([label, *rest]).encode() + b"\n" for label, rest in records), 1)
    parsed = libsvm_files._parse(block)
    if parsed is not None:
        careful = libsvm_files._read_carefully("f", block)
        for name in ("labels", "weights", "groups", "values", "keys", "lengths"):
            assert np.array_equal(getattr(parsed, name), getattr(careful, name), equal_nan=True), name


@given(st.lists(st.sampled_from([b"1,2", b"", b"3,4\r", b"5"]), max_size=12), st.integers(1, 9))
def test_blocks_are_the_lines_of_the_stream(lines, size):
    content = b"\n".join(lines)
    found = [blocks.Block(block.text, block.line) for block in blocks.blocks(io.BytesIO(content), "f", size)]
    assert b"".join(block.text for block in found).rstrip(b"\r\n") == content.rstrip(b"\r\n")
    assert all(block.text.endswith(b"\n") for block in found)
    assert [block.line for block in found] == [
        1 + sum(other.text.count(b"\n") for other in found[:position]) for position in range(len(found))
    ]


@pytest.mark.parametrize("media_type", TRAINING_TYPES)
def test_every_type_is_read_from_a_pipe(tmp_path, media_type):
    fifo = tmp_path / "train_0"
    os.mkfifo(fifo)
    table = Table(np.array([[1, 2], [3, 4]], dtype=np.float32), labels=np.array([0, 1], dtype=np.float32))
    content = encode_table(table, media_type)
    if media_type == "application/x-parquet":
        content *= 2  # Pipe mode joins the objects of a prefix
    writer = threading.Thread(target=lambda: fifo.write_bytes(content))
    writer.start()
    found = read_table([Source(str(fifo), lambda: fifo.open("rb"))], parse_media_type(media_type))
    writer.join()
    assert found.rows == (4 if media_type == "application/x-parquet" else 2)
    assert same(found, [[1, 2], [3, 4]] * (found.rows // 2))


MEASURE = """
import sys
from pathlib import Path
import pyarrow.csv
from sagedock.contracts.channels import Channel, Source
from sagedock.formats.media_types import parse_media_type
from sagedock.formats.training import read_table
from tests.memory import kilobytes

def read(path):
    return read_table([Source(str(path), lambda: path.open("rb"), path)], parse_media_type("csv"))

path = Path(sys.argv[1])
first_lines = path.with_suffix(".head")
first_lines.write_bytes(b"".join(path.open("rb").readlines(1 << 21)))
read(first_lines)  # the libraries' own pages, which come from disk when their code first runs, are in use before
before = kilobytes("VmRSS")
table = read(path)
print((kilobytes("VmHWM") - before) * 1024 / (table.features.nbytes + table.labels.nbytes))
"""


def test_reading_csv_takes_less_than_two_and_a_half_times_the_matrix(tmp_path):
    """Issue 2, item 4: peak memory above what was in use before, over the float32 matrix."""
    path = tmp_path / "train.csv"
    rows = np.random.default_rng(0).normal(size=(1000, 29)).astype(np.float32).tolist()
    path.write_bytes("".join(",".join(map(repr, row)) + "\n" for row in rows).encode() * 400)
    done = subprocess.run([sys.executable, "-c", MEASURE, path], capture_output=True, text=True, check=True)
    assert 0.9 < float(done.stdout) < 2.5  # pages of libraries may go meanwhile, where memory is short


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (gzip.compress(b"1,2\n0,3\n"), "no text in UTF-8: decompress the file"),
        ("1,2\n0,3\n".encode("utf-16"), "save it again as CSV in UTF-8"),
        (b"0;1,5;2,5\n1;2,5;3,5\n", "write decimals with a point"),
        (b"1,2\r0,3\r", "not with CR alone"),
        (b"1,2\n0,inf\n", "leave it out if it is missing$"),
        (b"1,2\n0,abc\n", "'abc' is not a number; encode text columns as numbers"),
    ],
    ids=["gzip", "UTF-16", "decimal comma", "CR", "infinite", "text"],
)
def test_the_remedy_fits_the_mistake(content, words):
    """Issue 2, "what bad input gets": what is no header is not called one, and one remedy is given."""
    with pytest.raises(UserError, match=words) as raised:
        read(content)
    assert "header" not in str(raised.value)


@pytest.mark.parametrize("media_type", ["text/csv", "text/libsvm", "application/x-parquet"])
def test_a_file_that_cannot_be_opened_is_named(tmp_path, media_type):
    """Issue 2: the file and the remedy, not the operating system's words alone."""
    file = tmp_path / "train" / "part"
    file.parent.mkdir()
    file.write_bytes(b"1,2\n")
    sources = Channel("train", tmp_path / "train").sources()
    file.unlink()
    with pytest.raises(UserError, match=r"cannot read .*part: No such file or directory: let this user read"):
        read_table(sources, parse_media_type(media_type))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list every folder")
def test_a_folder_that_cannot_be_listed_is_named(tmp_path):
    """Contract B15: its files would be missed without a word."""
    closed = tmp_path / "train" / "closed"
    closed.mkdir(parents=True)
    (tmp_path / "train" / "part").write_bytes(b"1,2\n")
    closed.chmod(0)
    with pytest.raises(UserError, match=r"cannot read .*closed: Permission denied"):
        Channel("train", tmp_path / "train").sources()
