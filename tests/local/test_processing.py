"""DataProcessing byte for byte: filters, joins and assembling."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagedock.errors import UserError
from sagedock.formats.media_types import CSV, JSON, JSON_LINES
from sagedock.local.transform.filters import Filter
from sagedock.local.transform.processing import DataProcessor, cells
from tests.local.jobs import job


def processor(content_type: str = CSV, **given: Any) -> DataProcessor:
    return DataProcessor(job(ContentType=content_type, **{"Accept": content_type, **given}))


def joined(given: DataProcessor, records: list[bytes], answer: bytes) -> bytes:
    return b"".join(given.output(records, len(records), answer))


@pytest.mark.parametrize(
    ("path", "row", "sent"),
    [
        ("$[1:]", b"id,1.50,2\r\n", b"1.50,2\r\n"),
        ("$[0]", b'"a ""quoted"", cell",2\n', b'"a ""quoted"", cell"\n'),
        ("$[-1]", b'1,"2,5"', b'"2,5"'),
        ("$[0,-1]", b"a,b,c\n", b"a,c\n"),
        ("$[2,0]", b"a,b,c\n", b"c,a\n"),
        ("$[:2]", b",,c\n", b",\n"),
        ("$[-2:]", b"a,b,c\n", b"b,c\n"),
        ("$[1:3]", b"a,b,c,d\n", b"b,c\n"),
        ("$[*]", b"a,b\n", b"a,b\n"),
        ("$.*", b"a,b\n", b"a,b\n"),
    ],
)
def test_an_input_filter_of_csv(path: str, row: bytes, sent: bytes) -> None:
    """Contract 4.5: cells keep their spelling, quotes by RFC 4180, and the line its end."""
    assert processor(InputFilter=path).request(row) == sent


@pytest.mark.parametrize(
    ("path", "record", "sent"),
    [
        ("$.features", b'{"id": 7, "features": [1, 2.5, null]}\n', b"[1,2.5,null]\n"),
        ("$['a','b']", '{"b": "é", "x": 1, "a": {"c": true}}\r\n'.encode(), '{"a":{"c":true},"b":"é"}\r\n'.encode()),
        ("$.a.['b','c']", b'{"a": {"b": 1, "c": 2, "d": 3}}', b'{"b":1,"c":2}'),
        ("$.a[1:].b", b'{"a": [{"b": 1}, {"b": 2}, {"b": 3}]}', b"[2,3]"),
        ("$.a[*]['b','c']", b'{"a": [{"b": 1, "c": 2}, {"b": 3, "c": 4}]}', b'[{"b":1,"c":2},{"b":3,"c":4}]'),
        ("$[0,-1]", b"[1, 2, 3]", b"[1,3]"),
        ("$.*", b'{"a": 1, "b": [2]}', b"[1,[2]]"),
        ("$.a[-1]", b'{"a": [12345678901234567890, 0.1]}', b"0.1"),
    ],
)
def test_an_input_filter_of_json_lines(path: str, record: bytes, sent: bytes) -> None:
    """Contract 4.5: one value, an object of several names, or an array."""
    assert processor(JSON_LINES, InputFilter=path).request(record) == sent


def test_a_join_of_csv() -> None:
    """Contract 4.5: the input's cells, then ours, in one row; line ends of the input do not count."""
    given = processor(JoinSource="Input")
    assert joined(given, [b'1,"a, b"\r\n', b"2,c\n", b"3,"], b'0.5\n0.25,"[1, 2]"\n0.1\n') == (
        b'1,"a, b",0.5\n2,c,0.25,"[1, 2]"\n3,,0.1\n'
    )


def test_a_join_and_its_filters_of_csv() -> None:
    """The guide's example: the id is kept from the container and comes back beside the answer."""
    given = processor(InputFilter="$[1:]", JoinSource="Input", OutputFilter="$[0,-1]")
    assert given.request(b"id-1,5,6\n") == b"5,6\n"
    assert joined(given, [b"id-1,5,6\n", b'"id,2",7,8\n'], b"0.5\n0.25\n") == b'id-1,0.5\n"id,2",0.25\n'


def test_a_join_of_json_lines() -> None:
    """Contract 4.5: SageMakerOutput in an object; SageMakerInput and SageMakerOutput around anything else."""
    given = processor(JSON_LINES, JoinSource="Input")
    records = [b'{"id": 1, "x": [1.0, 2]}\n', b"[3, 4]\n", b"5\n"]
    assert joined(given, records, b'{"score": 0.5}\n0.25\r\n[1, 2]\n') == (
        b'{"id":1,"x":[1.0,2],"SageMakerOutput":{"score":0.5}}\n'
        b'{"SageMakerInput":[3,4],"SageMakerOutput":0.25}\n'
        b'{"SageMakerInput":5,"SageMakerOutput":[1,2]}\n'
    )


def test_a_join_and_its_filter_of_json_lines() -> None:
    given = processor(JSON_LINES, InputFilter="$.x", JoinSource="Input", OutputFilter="$['id','SageMakerOutput']")
    assert (
        joined(given, [b'{"id": 1, "x": [1]}\n'], b'{"score":0.5}\n') == b'{"id":1,"SageMakerOutput":{"score":0.5}}\n'
    )


def test_a_join_of_a_whole_json_object() -> None:
    """Without splitting the object is one record, its answer may have lines, and no newline is added."""
    given = processor(JSON, JoinSource="Input", SplitType="None", AssembleWith="None")
    assert joined(given, [b'{"instances": [[1]]}\n'], b'{\n "predictions": [0.5]\n}\n') == (
        b'{"instances":[[1]],"SageMakerOutput":{"predictions":[0.5]}}'
    )


def test_an_output_filter_without_a_join() -> None:
    assert joined(processor(OutputFilter="$[1]"), [b"1\n", b"2\n"], b"0,0.9\n1,0.8\n") == b"0.9\n0.8\n"
    lines = processor(JSON_LINES, OutputFilter="$.score", AssembleWith="None")
    assert joined(lines, [b"{}\n"], b'{"score": 0.5}\n') == b"0.5\n"


@pytest.mark.parametrize("answer", [b"0.5\n0.25", b"0.5\n0.25\n", b"0.5\n0.25\r\n"])
def test_assembling_by_line_gives_one_line_for_each_record(answer: bytes) -> None:
    """Contract 4.4: the newline at the end of a container's body is the one that Line adds."""
    assert joined(processor(), [b"1\n", b"2\n"], answer) == b"0.5\n0.25\n"


def test_assembling_by_none_leaves_bodies_alone() -> None:
    """Contract 4.4"""
    for answer in (b"0.5\n0.25", b"0.5\r\n\n", b"\x00\xff"):
        assert joined(processor(AssembleWith="None"), [b"1\n", b"2\n"], answer) == answer


def test_a_join_needs_one_answer_for_each_record() -> None:
    with pytest.raises(UserError, match="3 records were sent and 2 came back"):
        joined(processor(JoinSource="Input"), [b"1\n", b"2\n", b"3\n"], b"1\n2\n")


def test_the_reserved_name_is_refused_with_its_row() -> None:
    """Contract 4.5"""
    with pytest.raises(UserError, match="reserved name SageMakerOutput") as caught:
        joined(processor(JSON_LINES, JoinSource="Input"), [b"{}\n", b'{"SageMakerOutput": 1}\n'], b"1\n2\n")
    assert caught.value.row == 2


@pytest.mark.parametrize(
    ("given", "record", "reason"),
    [
        ({"InputFilter": "$[3]"}, b"a,b\n", r"\$\[3\]' reaches beyond the row, which has 2 columns"),
        ({"InputFilter": "$[0,5]"}, b"a,b\n", "reaches beyond the row"),
        ({"InputFilter": "$[1:]"}, b'1,"open\n', "cell 2 has a quote out of place"),
        ({"InputFilter": "$[1:]"}, b'1,a"b"\n', "cell 2 has a quote out of place"),
        ({"content_type": JSON_LINES, "InputFilter": "$.a.b"}, b'{"a": 1}\n', r"nothing is at \$\['a'\]\['b'\]"),
        ({"content_type": JSON_LINES, "InputFilter": "$['a','b']"}, b'{"a": 1}\n', r"nothing is at \$\['b'\]"),
        ({"content_type": JSON_LINES, "InputFilter": "$.a"}, b"{a: 1}\n", "the record is no JSON"),
        ({"content_type": JSON_LINES, "InputFilter": "$.a"}, b"[" * 100_000, "the record is no JSON"),
    ],
)
def test_what_a_filter_cannot_find_is_an_error(given: dict[str, str], record: bytes, reason: str) -> None:
    """Contract 4.5: an index outside the row is an error."""
    with pytest.raises(UserError, match=reason):
        processor(**given).request(record)


def test_an_open_quote_cannot_be_joined() -> None:
    with pytest.raises(UserError, match="quote out of place"):
        joined(processor(JoinSource="Input"), [b'1,"a\n'], b"0.5\n")


@pytest.mark.parametrize(
    "path",
    [
        "$..a",
        "$[?@.a]",
        "$[?(@.a>1)]",
        "$[0:4:2]",
        "$['a','b'].c",
        "$.a | $.b",
        "$[0, 1:2]",
        "$['a', 0]",
        "$.a.~",
        "$.length()",
        "$.a[",
        "$x",
        "a",
        "^a",
        "@",
        "$." + "a" * 62,
    ],
)
def test_anything_else_is_refused_by_name_before_the_job_starts(path: str) -> None:
    """Contract 4.5: the documented operators and no others, at most 63 characters."""
    with pytest.raises(UserError, match=r"DataProcessing\.OutputFilter") as caught:
        processor(JSON_LINES, OutputFilter=path)
    assert caught.value.field == "DataProcessing.OutputFilter"


@pytest.mark.parametrize("path", ["$.a", "$['a','b']", "$[0][1]", "$[0].a"])
def test_a_row_of_csv_has_positions_only(path: str) -> None:
    """Contract 4.5"""
    with pytest.raises(UserError, match="a row of CSV has positions only"):
        processor(InputFilter=path)


fields = st.text(st.characters(blacklist_characters="\n\r", blacklist_categories=("Cs",)), max_size=8)


@given(st.lists(fields, min_size=1, max_size=6))
def test_cells_put_together_are_the_row(texts: list[str]) -> None:
    """However cells are quoted, they are told apart and keep their spelling."""
    spelled = [f'"{text.replace(chr(34), chr(34) * 2)}"' if {'"', ","} & set(text) else text for text in texts]
    assert cells(",".join(spelled).encode()) == [text.encode() for text in spelled]


@given(st.lists(st.integers(0, 9), min_size=1, max_size=8), st.integers(-4, 4), st.integers(-4, 4))
def test_slices_are_those_of_the_language(values: list[int], begin: int, end: int) -> None:
    expected = values[begin:end]
    chosen = Filter(f"$[{begin}:{end}]", "InputFilter", rows=False)
    if expected:
        assert chosen.apply(values) == expected
    else:
        with pytest.raises(UserError, match="nothing is at"):
            chosen.apply(values)


@given(
    st.dictionaries(
        st.text(max_size=5),
        st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
        max_size=5,
    )
)
def test_a_joined_object_keeps_its_values(record: dict[str, Any]) -> None:
    given = processor(JSON_LINES, JoinSource="Input")
    written = joined(given, [json.dumps(record).encode() + b"\n"], b"0.5\n")
    assert json.loads(written) == {**record, "SageMakerOutput": 0.5}


def test_half_a_surrogate_is_written_as_an_escape() -> None:
    """What is written is UTF-8, which cannot hold it."""
    given = processor(JSON_LINES, JoinSource="Input")
    row = joined(given, [b'{"name":"\\ud800","text":"\xc3\xa9"}\n'], b'{"score":1}\n')
    assert row == b'{"name":"\\ud800","text":"\\u00e9","SageMakerOutput":{"score":1}}\n'


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (b'{"a":NaN}\n', "the record is no JSON: NaN is no value of JSON"),
        (b'{"a":-Infinity}\n', "the record is no JSON: -Infinity is no value of JSON"),
        (b'{"a":1e999}\n', "a number is too large for a double"),
    ],
)
def test_what_json_cannot_say_is_not_written(record: bytes, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        joined(processor(JSON_LINES, JoinSource="Input"), [record], b'{"score":1}\n')
