"""Request bodies: recordio 8.17 to 8.19, contract D13, E05 and E06, xgboost 7.2 with the decisions at its head."""

import io
import random
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from sagedock.contracts.channels import Source
from sagedock.errors import UnsupportedMediaType, UserError
from sagedock.formats import csv
from sagedock.formats.media_types import MediaType, parse_media_type
from sagedock.formats.requests import REQUEST_TYPES, decode, decode_fixed
from sagedock.formats.table import Table
from sagedock.formats.training import encode_table, read_table

NAN = float("nan")


def read(body, media_type="text/csv"):
    return decode(body, parse_media_type(media_type))


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


@pytest.mark.parametrize(
    "body", [b"1,2\n3,4", b"1,2\n3,4\n", b"1,2\r\n3,4\r\n", b"1,2\n3,4\n\n", b"1;2\n3;4\n", b"1 2\n3 4"]
)
def test_line_ends_do_not_change_the_records(body):
    """Contract E05."""
    assert same(read(body), [[1, 2], [3, 4]])


def test_a_single_line_is_one_record():
    """Contract E06."""
    assert same(read(b"1,2"), [[1, 2]])
    assert same(read(b"5"), [[5]])


def test_label_size_drops_the_label():
    """Recordio 8.17; the decision against xgboost 44."""
    assert same(read(b"9,1,2\n", "text/csv; label_size=1"), [[1, 2]])
    assert same(read(b"9,1,2\n", "TEXT/CSV;LABEL_SIZE=0"), [[9, 1, 2]])
    with pytest.raises(UserError, match="label_size is 'x': use 0 or 1"):
        read(b"1,2", "text/csv;label_size=x")


def test_missing_cells():
    """Xgboost 25."""
    assert same(read(b',0,nan\n"",NaN,"1"\n'), [[NAN, 0, NAN], [NAN, NAN, 1]])


@pytest.mark.parametrize(
    ("body", "text", "row"),
    [
        (b"1,2\n3,x\n", "row 2, column 2: 'x' is not a number", 2),
        (b"1,2\n3\n", "row 2: expected 2 columns as in row 1, got 1", 2),
        (b"age,2\n", "row 1, column 1: 'age' is not a number; if this is a header row, remove it", 1),
        (b"1,2\n\n3,4\n", "row 2 is blank", 2),
        (b"1,1e39\n", "row 1, column 2: '1e39' does not fit", 1),
        (b"1,2\n1,1e39\n", "row 2, column 2: '1e39' does not fit", 2),
        (b"1,inf\n", "row 1, column 2: 'inf' is infinite", 1),
        (b"1,1_0\n", "row 1, column 2: '1_0' is not a number", 1),
        (b"1,true\n", "row 1, column 2: 'true' is not a number", 1),
        (b"1,[2]\n", "row 1, column 2", 1),
        ("1,٣\n".encode(), "row 1, column 2", 1),
        (b"1 0:2\n", "row 1, column 2: .*LIBSVM: send it as text/libsvm", 1),
        (b'1,"2\n', "row 1 .*close the quote", 1),
        (b"", "no records", None),
        (b"\n", "no records", None),
    ],
)
def test_bad_csv_is_named_by_its_row(body, text, row):
    with pytest.raises(UserError, match=text) as caught:
        read(body)
    assert caught.value.row == row


def test_libsvm_requests():
    """Xgboost 7.2: a label is ignored, indices are as written, a record without features keeps its row."""
    assert same(
        read(b"1 1:2 3:0\n0:5\n7\n", "text/x-libsvm"),
        [[NAN, 2, NAN, 0], [5, NAN, NAN, NAN], [NAN] * 4],
    )
    assert read(b"1 0:1\n0\n", "libsvm").rows == 2


@pytest.mark.parametrize(
    "body", [b"1,2,3\n", b"1 2 3\n", b"0:1 x\n", b"0:1 0:2\n", b"0:1 -1:2\n", b"0:1 1:inf\n", b"x 0:1\n", b"0:\n"]
)
def test_bad_libsvm_is_named_by_its_row(body):
    with pytest.raises(UserError, match="row 2") as caught:
        read(b"0:1\n" + body, "libsvm")
    assert caught.value.row == 2


def test_the_json_forms_are_the_same_record():
    """Recordio 8.18."""
    forms = [
        '{"features": [1.5, 16.0]}',
        '{"data": {"features": {"values": [1.5, 16.0]}}}',
        '{"data": {"features": [1.5, 16.0]}, "configuration": {"x": 1}}',
        "[1.5, 16]",
    ]
    for form in forms:
        assert same(read(f'{{"instances": [{form}]}}'.encode(), "application/json"), [[1.5, 16]])
        assert same(read(form.encode(), "application/jsonlines"), [[1.5, 16]])
    sparse = read(b'{"data": {"features": {"keys": [1, 3], "shape": [5], "values": [2, 0]}}}', "application/jsonlines")
    assert sparse.features.toarray().tolist() == [[0, 2, 0, 0, 0]]
    assert sparse.features.nnz == 2


def test_dense_and_sparse_lines_may_be_mixed():
    """Recordio 8.19."""
    body = (
        b'{"features": [1, null, 0]}\n{"data": {"features": {"keys": [2], "shape": [3], "values": [7]}}}\r\n[4, 5, 6]\n'
    )
    table = read(body, "application/jsonlines")
    assert same(table, [[1, NAN, 0], [NAN, NAN, 7], [4, 5, 6]])
    with pytest.raises(UserError, match="expected 4 feature columns, got 3"):
        table.fitted_to(4)


@pytest.mark.parametrize("media_type", ["text/csv", "application/json", "application/jsonlines"])
@pytest.mark.parametrize("missing", [False, True])
def test_the_mark_of_utf_8_does_not_count(media_type, missing):
    row = "1,NaN" if missing else "1,2"
    text = {"text/csv": row, "application/json": f'{{"instances": [[{row}]]}}', "application/jsonlines": f"[{row}]"}
    assert same(read(b"\xef\xbb\xbf" + text[media_type].encode(), media_type), [[1, NAN if missing else 2]])


def test_null_and_nan_are_missing_in_json():
    assert same(read(b'{"instances": [[1, null, NaN]]}', "application/json"), [[1, NAN, NAN]])


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"instances": [[1], ["2"]]}', r"row 2: features\[0\] is '2', not a number"),
        (b'{"instances": [[1], [true]]}', r"row 2: features\[0\] is true or false"),
        (b'{"instances": [[1], [[2]]]}', r"row 2: features\[0\] is a list"),
        (b'{"instances": [[1], [1, 2]]}', r"row 2: expected 1 feature columns .* got 2"),
        (b'{"instances": [[1], {}]}', "row 2 has no features"),
        (b'{"instances": [[1], 5]}', "row 2: features is a number, not a list"),
        (b'{"instances": [[1], [1e39]]}', "row 2: .*infinite as a 32-bit float"),
        (b'{"instances": [[1], [%s]]}' % (b"9" * 400), "row 2: .*does not fit"),
        (b'{"instances": [[1], {"features": {"keys": [0], "values": [1]}}]}', "row 2: .*need a shape"),
        (b'{"instances": [[1], {"features": {"keys": [3], "shape": [3], "values": [1]}}]}', "row 2: "),
        (b'{"instances": [[1], {"features": {"keys": [0.5], "shape": [3], "values": [1]}}]}', "row 2: keys"),
        (b'{"instances": []}', "no records"),
        (b'{"instances": 5}', "without a list named instances"),
        (b"[1, 2]", "expected an object .* got a list"),
        (b'{"instances": [[Infinity]]}', "Infinity is infinite"),
        (b"{", "the body is not JSON"),
        (b"[" * 100_000, "the body is not JSON"),
        (b"", "the body is not JSON"),
        (b'{"instances": [[1}', r"the body is not JSON \(.* at character 18\)"),
        (b'{"instances":\n [[1}', r"the body is not JSON \(.*line 2 column 5 "),
    ],
)
def test_bad_json_says_what_is_wrong(body, text):
    with pytest.raises(UserError, match=text):
        read(body, "application/json")


def test_a_bad_line_is_named():
    with pytest.raises(UserError, match="row 2 is not JSON") as caught:
        read(b"[1]\n[2\n[3]\n", "application/jsonlines")
    assert caught.value.row == 2


@pytest.mark.parametrize("media_type", ["image/png", "text/plain", "text/csv; charset=utf-16"])
def test_other_types_are_not_read(media_type):
    """Contract D13."""
    with pytest.raises(UnsupportedMediaType):
        read(b"1,2", media_type)


numbers = st.one_of(st.floats(width=32, allow_infinity=False), st.integers(-1000, 1000).map(float))
tables = st.tuples(st.integers(1, 5), st.integers(1, 5)).flatmap(
    lambda shape: st.lists(
        st.lists(numbers, min_size=shape[1], max_size=shape[1]), min_size=shape[0], max_size=shape[0]
    )
)


@given(rows=tables, media_type=st.sampled_from(REQUEST_TYPES))
def test_the_same_records_are_the_same_numbers_in_every_format(rows, media_type):
    features = np.array(rows, dtype=np.float32)
    features[0, -1] = 1  # libsvm knows its width by the last column that is present
    if features.shape[1] == 1:
        features = np.nan_to_num(features)  # a blank line is no record
    found = decode(encode_table(Table(features), media_type), parse_media_type(media_type))
    assert np.array_equal(dense(found), features, equal_nan=True)
    assert dense(found).dtype == np.float32


@given(st.from_regex(r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,25})?([eE]-?[0-3]?[0-9])?", fullmatch=True))
@example("16777217.0000000001")
@example("1.00000017881393432617187499")
def test_text_becomes_the_nearest_double_and_then_a_float(text):
    with np.errstate(over="ignore"):
        expected = np.float32(float(text))
    assume(np.isfinite(expected))
    for body, media_type in [
        (text, "text/csv"),
        (f"0:{text}", "text/libsvm"),
        (f"[{text}]", "application/jsonlines"),
        (f'{{"instances": [[{text}]]}}', "application/json"),
    ]:
        assert dense(read(body.encode(), media_type))[0, 0] == expected
    train = read_table([Source("f", lambda: io.BytesIO(f"0,{text}".encode()))], parse_media_type("csv"))
    assert train.features[0, 0] == expected


cells = st.sampled_from(
    [
        "1",
        "-2.5",
        "1e3",
        "1E-3",
        "01",
        ".5",
        "5.",
        "+1",
        "-",
        "",
        "1e39",
        "1e400",
        "9" * 50,
        "-0",
        "1-2",
        "1e",
        "nan",
        "x",
    ]
)


@given(st.lists(st.lists(cells, min_size=1, max_size=3), min_size=1, max_size=3), st.sampled_from(["\n", "\r\n"]))
@settings(max_examples=500)
def test_the_plain_reader_agrees_with_the_careful_one(rows, end):
    """Whatever the plain reader takes, the careful one reads to the same numbers."""
    body = end.join(map(",".join, rows)).encode()
    plain = csv.read_plainly(body)
    if plain is not None:
        careful = csv.read_carefully(body)
        assert plain.dtype == careful.dtype == np.float32
        assert np.array_equal(plain, careful)


def test_the_plain_reader_takes_what_clients_send():
    assert csv.read_plainly(b"1,2.5\n-3e-2,0\n") is not None
    assert csv.read_plainly(b"0.5,7") is not None
    assert csv.read_plainly(b"1,,2") is None


def test_a_body_of_many_blocks_is_one_matrix():
    """Plain rows are read a block at a time: none is lost or moved, and the last block is checked like the first."""
    rows = 60_000
    body = "".join(f"{row},0.5,-7e2\n" for row in range(rows)).encode()
    matrix = csv.read_plainly(body)
    assert matrix.shape == (rows, 3)
    assert np.array_equal(matrix[:, 0], np.arange(rows))
    assert csv.read_plainly(body + b"1,2\n") is None
    with pytest.raises(UserError, match=f"row {rows + 1}: expected 3 columns as in row 1, got 2"):
        read(body + b"1,2\n")


def test_only_text_may_be_a_header():
    with pytest.raises(UserError, match="if this is a header row"):
        read(b"age,1\n2,3\n")
    with pytest.raises(UserError, match=r"leave the cell empty$"):
        read(b"1e39,1\n2,3\n")


VALID = Table(np.array([[1.5, 2, 3], [4, 5e-7, -6]], dtype=np.float32), labels=np.ones(2, dtype=np.float32))


def survives(body, media_type):
    try:
        table = decode(body, MediaType(media_type))
    except UserError:
        return
    assert table.rows > 0
    values = table.features.data if table.is_sparse else table.features
    assert not np.isinf(np.asarray(values)).any()


@given(st.binary(max_size=60), st.sampled_from(REQUEST_TYPES))
def test_no_bytes_raise_anything_but_a_users_error(body, media_type):
    survives(body, media_type)


@given(st.text(alphabet='0123456789.,-+eE:# \t\r\n"[]{}nNaAxqid;|', max_size=40), st.sampled_from(REQUEST_TYPES[:4]))
@settings(max_examples=500)
def test_no_text_raises_anything_but_a_users_error(text, media_type):
    survives(text.encode(), media_type)


@pytest.mark.parametrize("media_type", REQUEST_TYPES)
def test_no_damaged_body_raises_anything_but_a_users_error(media_type):
    body = encode_table(VALID, media_type)
    chance = random.Random(0)
    for _ in range(300):
        damaged = bytearray(body)
        for _ in range(chance.choice([1, 1, 2, 6])):
            position = chance.randrange(len(damaged))
            if chance.random() < 0.6:
                damaged[position] = chance.randrange(256)
            else:
                del damaged[position : position + chance.randrange(1, 9)]
            if not damaged:
                break
        survives(bytes(damaged), media_type)


def test_only_a_parquet_request_imports_its_library():
    code = (
        "import sys\n"
        "from sagedock.formats import requests, responses\n"
        "from sagedock.formats.media_types import MediaType\n"
        "requests.decode(b'1,,2', MediaType('text/csv'))\n"
        "requests.decode(b'1:2', MediaType('text/libsvm'))\n"
        "print([name for name in ('pyarrow', 'pandas', 'google.protobuf') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


SPARSE = b'{"instances": [{"data": {"features": {"keys": [2], "shape": [3], "values": [7]}}}, [1, 2, 3]]}'


def test_rows_of_a_fixed_width_have_zeros_where_sparse_ones_have_nothing():
    """Random Cut Forest's force_dense: dense and sparse mixed, in one array."""
    json_type, lines_type = parse_media_type("json"), parse_media_type("jsonlines")
    assert decode_fixed(SPARSE, json_type, 3).dense.tolist() == [[0, 0, 7], [1, 2, 3]]
    lines = b'{"features": [1, 2, 3]}\n{"data": {"features": {"keys": [], "shape": [3], "values": []}}}\n'
    assert decode_fixed(lines, lines_type, 3).dense.tolist() == [[1, 2, 3], [0, 0, 0]]
    assert decode_fixed(b"1,2\n", parse_media_type("csv"), 2).dense.tolist() == [[1, 2]]


@pytest.mark.parametrize(
    ("body", "media_type", "text"),
    [
        (SPARSE, "json", r"row 1: expected 2 feature columns, got 3"),
        (b'{"instances": [[1, 2, 3]]}', "json", r"row 1: expected 2 feature columns, got 3"),
        (b'{"instances": [[1, null]]}', "json", r"row 1, column 2: the value is missing"),
        (b'{"instances": [[1, 2], {"features": [NaN, 2]}]}', "json", r"row 2, column 1: the value is missing"),
        (b'{"instances": []}', "json", r"no records"),
        (
            b'{"data": {"features": {"keys": [1, 1], "shape": [2], "values": [1, 2]}}}',
            "jsonlines",
            r"row 1: column 1 is given twice",
        ),
        (b'{"data": {"features": {"keys": [2], "shape": [2], "values": [1]}}}', "jsonlines", r"row 1: key 2 is not"),
        (b'{"data": {"features": {"keys": [], "shape": [2000000000], "values": []}}}', "jsonlines", r"got 2000000000"),
        (b"1,\n", "csv", r"row 1, column 2: the value is missing"),
        (b"1,2\nnan,2\n", "csv", r"row 2, column 1: the value is missing"),
        (b"1,2,3\n", "csv", r"expected 2 feature columns, got 3"),
    ],
)
def test_rows_of_a_fixed_width_are_refused_when_they_are_not(body, media_type, text):
    """Every row has every value: no memory is made for a width that a request claims."""
    with pytest.raises(UserError, match=text):
        decode_fixed(body, parse_media_type(media_type), 2)
