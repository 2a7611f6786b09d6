"""Channels of series: which files are read, and what of them."""

from __future__ import annotations

import io
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from sagedock.algorithms.deepar.channel import read
from sagedock.algorithms.deepar.frequency import Frequency
from sagedock.errors import UserError
from tests.algorithms.deepar.toys import START, channel, gzipped, lines, of_records, record, values

HOURS = Frequency.parse("H")


def table(codec: str = "snappy", **columns: Any) -> bytes:
    sink = io.BytesIO()
    parquet.write_table(pyarrow.table(columns), sink, compression=codec)
    return sink.getvalue()


def test_files_of_every_kind_are_read_and_hidden_ones_are_not(tmp_path: Path) -> None:
    """deepar 5."""
    found = read(
        channel(
            tmp_path,
            {
                "data.json": lines([record([1, 2])]),
                "sub/more.json.gz": gzipped(lines([record([3.5])])),
                "x.parquet": table("gzip", start=[START], target=[[4.0, 5.0, 6.0]]),
                ".hidden": b"{",
                "sub/_SUCCESS": b"{",
                "empty.json": b"",
            },
        ),
        values(),
    )
    assert [each.target.tolist() for each in found.series] == [[1, 2], [3.5], [4, 5, 6]]
    assert [Path(file).name for file in found.files] == ["data.json", "more.json.gz", "x.parquet"]
    assert found.place(1).endswith("sub/more.json.gz, line 1")
    assert {each.start for each in found.series} == {HOURS.ordinal(datetime(2024, 1, 1))}


@pytest.mark.parametrize(
    ("name", "content_type", "content"),
    [
        ("part-0", "application/jsonlines", lines([record([1, 2])])),
        ("part-0", "json", lines([record([1, 2])])),
        ("part-0", "json.gz", gzipped(lines([record([1, 2])]))),
        ("part-0", "parquet", table(start=[START], target=[[1, 2]])),
        ("part-0", None, lines([record([1, 2])])),
        ("part-0", None, gzipped(lines([record([1, 2])]))),
        ("part-0", None, table(start=[START], target=[[1, 2]])),
        ("data.json.gz", "json", gzipped(lines([record([1, 2])]))),
    ],
)
def test_a_files_kind_follows_from_name_type_or_content(
    tmp_path: Path, name: str, content_type: str | None, content: bytes
) -> None:
    found = read(channel(tmp_path, {name: content}, content_type), values())
    assert found.series[0].target.tolist() == [1, 2]


def test_what_is_missing_is_spelled_in_several_ways(tmp_path: Path) -> None:
    """deepar 6."""
    text = b'{"start": "2024-01-01", "target": [1, null, "NaN", "nan", NaN, 2.5]}\n'
    found = read(
        channel(
            tmp_path,
            {"a.json": text, "b.parquet": table(start=[START], target=[[1.0, None, float("nan"), 2.5]])},
        ),
        values(),
    )
    nan = float("nan")
    np.testing.assert_array_equal(found.series[0].target, [1, nan, nan, nan, nan, 2.5])
    np.testing.assert_array_equal(found.series[1].target, [1, nan, nan, 2.5])


def test_all_fields_are_read_and_others_ignored(tmp_path: Path) -> None:
    """deepar 8."""
    records = [
        record([1, 2], cat=[2, 0], dynamic_feat=[[1, 2], [3, 4]], zip="x"),
        record([3], cat=[0, 1], dynamic_feat=[[5], [6]]),
    ]
    found = read(of_records(tmp_path, records), values())
    assert found.layout.cardinality == (3, 2)
    assert found.layout.features == 2
    assert found.series[0].cat.tolist() == [2, 0]
    assert found.series[0].dynamic_feat.tolist() == [[1, 2], [3, 4]]
    assert found.series[1].dynamic_feat.tolist() == [[5], [6]]


@pytest.mark.parametrize("ignored", ["ignore", ""])
def test_cat_and_features_can_be_ignored_whatever_they_hold(tmp_path: Path, ignored: str) -> None:
    """deepar 8."""
    records = [record([1, 2], cat=["a"], dynamic_feat=[[None]]), record([3], cat=7)]
    found = read(of_records(tmp_path, records), values(cardinality=ignored, num_dynamic_feat=ignored))
    assert found.layout.categories is None
    assert found.series[1].cat.shape == (0,)
    assert found.series[1].dynamic_feat.shape == (0, 1)


def test_a_bare_category_is_a_list_of_one(tmp_path: Path) -> None:
    records = [record([1], cat=1), record([2], cat=[0]), record([2], cat=2.0)]
    found = read(of_records(tmp_path, records), values())
    assert found.layout.cardinality == (3,)
    assert [each.cat.tolist() for each in found.series] == [[1], [0], [2]]


def test_features_that_reach_into_the_future_are_cut_in_training(tmp_path: Path) -> None:
    records = [record([1, 2], dynamic_feat=[[1, 2, *range(6)]]), record([3], dynamic_feat=[[5]])]
    found = read(of_records(tmp_path, records), values())
    assert found.series[0].dynamic_feat.tolist() == [[1, 2]]


def test_the_test_channel_is_read_by_what_the_train_channel_showed(tmp_path: Path) -> None:
    trained = read(of_records(tmp_path, [record([1], cat=[0, 1]), record([1], cat=[1, 0])]), values())
    good = read(of_records(tmp_path, [record([1], cat=[1, 1])], "test"), values(), trained.layout)
    assert good.layout == trained.layout
    with pytest.raises(
        UserError, match=r"line 1: cat\[1\] is 2: expected 0 to 1, as in the train channel; give series"
    ):
        read(of_records(tmp_path, [record([1], cat=[1, 2])], "test"), values(), trained.layout)


def test_parquet_holds_what_json_holds(tmp_path: Path) -> None:
    records = [
        record([1.5, None], cat=[1, 0], dynamic_feat=[[1.0, 2.0], [3.0, 4.0]]),
        record([], cat=[0, 2], dynamic_feat=[[], []]),
        record([7.0], cat=[0, 1], dynamic_feat=[[5.0], [6.0]]),
    ]
    names = ("start", "target", "cat", "dynamic_feat")
    columns = {name: [each[name] for each in records] for name in names}
    moments = [datetime(2024, 1, 1)] * 3
    kinds = {
        "text": table(**columns),
        "timestamps": table(**{**columns, "start": moments}),
        "dates": table(**{**columns, "start": [moment.date() for moment in moments]}),
        "wide": table(**{**columns, "target": pyarrow.array(columns["target"], pyarrow.large_list(pyarrow.float32()))}),
    }
    expected = read(of_records(tmp_path, records), values())
    for kind, content in kinds.items():
        found = read(channel(tmp_path / kind, {"x.parquet": content}), values())
        for name in ("starts", "ends", "target", "cat", "dynamic_feat"):
            np.testing.assert_array_equal(getattr(found.series, name), getattr(expected.series, name))
        assert found.layout == expected.layout


numbers = st.one_of(st.none(), st.just("NaN"), st.integers(-(10**6), 10**6), st.floats(-1e6, 1e6, width=32))


@given(st.lists(st.lists(numbers, max_size=12), min_size=1, max_size=6))
def test_whatever_json_holds_is_read_as_it_is(tmp_path_factory: pytest.TempPathFactory, targets: list[Any]) -> None:
    folder = tmp_path_factory.mktemp("series")
    found = read(of_records(folder, [record(target) for target in targets]), values())
    for series, target in zip(found.series, targets, strict=True):
        wanted = [np.nan if value in (None, "NaN") else value for value in target]
        np.testing.assert_array_equal(series.target, np.array(wanted, np.float32))


def test_starts_are_floored_to_their_periods(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Timestamps that do not fit the frequency; issue 7, bad input."""
    records = [record([1]), *({"start": f"2024-01-01 0{hour}:59:59", "target": [1]} for hour in (0, 1))]
    found = read(of_records(tmp_path, records), values())
    assert [HOURS.text(each.start) for each in found.series] == [
        "2024-01-01 00:00:00",
        "2024-01-01 00:00:00",
        "2024-01-01 01:00:00",
    ]
    assert "2 series start within a period of H, the first in" in caplog.text
    assert "data.json, line 2: they are taken to start where it begins" in caplog.text


BAD = [
    (b"[1, 2]\n", "line 1: expected an object with start and target, got a list", "start"),
    (b'{"target": [1]}\n', "line 1: start is missing: give the time of the first point", "start"),
    (b'{"start": 5, "target": [1]}\n', "line 1: start is a number, not text", "start"),
    (
        b'{"start": "2024-01-01 00:00:00+01:00", "target": [1]}\n',
        r"line 1: start is '2024-01-01 00:00:00\+01:00': expected YYYY-MM-DD HH:MM:SS without a time zone",
        "start",
    ),
    (b'{"start": "2024-02-30 00:00:00", "target": [1]}\n', "line 1: start is .*no such moment", "start"),
    (b'{"start": "2024-01-01"}\n', "line 1: target is missing", "target"),
    (b'{"start": "2024-01-01", "target": 5}\n', "line 1: target is a number, not a list of numbers", "target"),
    (
        b'{"start": "2024-01-01", "target": [1]}\n{"start": "2024-01-01", "target": [1, "x"]}\n',
        r"data.json, line 2: target\[1\] is 'x', not a number \(null or \"NaN\" means missing\)",
        "target",
    ),
    (b'{"start": "2024-01-01", "target": [true]}\n', r"target\[0\] is true or false, not a number", "target"),
    (b'{"start": "2024-01-01", "target": [[1]]}\n', r"target\[0\] is a list, not a number", "target"),
    (b'{"start": "2024-01-01", "target": [1, 1e39]}\n', r"target\[1\] is 1e\+39, which is no finite 32-bit", "target"),
    (b'{"start": "2024-01-01", "target": [1, 1e999]}\n', r"line 1: target\[1\] is inf, which is no finite", "target"),
    (
        b'{"start": "2024-01-01", "target": [1%s]}\n' % (b"0" * 400),
        "line 1: a number of target does not fit a 32-bit float",
        "target",
    ),
    (b'{"start": "2024-01-01", "target": [Infinity]}\n', "line 1.*is not JSON", None),
    (b'{"start": "2024-01-01"\n', "data.json, line 1 is not JSON", None),
    (b'{\n"start": "2024-01-01"}\n', "data.json, line 1 is not JSON.*send one valid JSON text", None),
    (
        b"start,target\n2024-01-01,5\n",
        r"line 1 is not JSON \(Expecting value at character 1\): .*; a line is a series, such as .*sagedock convert",
        None,
    ),
    (b'{"start": "2024-01-01", "target": [1], "cat": ["a"]}\n', "cat holds 'a': give a list of whole numbers", "cat"),
    (b'{"start": "2024-01-01", "target": [1], "cat": [0.5]}\n', "cat holds 0.5: give a list of whole numbers", "cat"),
    (b'{"start": "2024-01-01", "target": [1], "cat": [-1]}\n', r"cat\[0\] is -1: expected 0 to", "cat"),
    (b'{"start": "2024-01-01", "target": [1], "cat": [3000000]}\n', r"cat\[0\] is 3000000: expected 0 to", "cat"),
    (
        b'{"start": "2024-01-01", "target": [1], "cat": [0]}\n{"start": "2024-01-01", "target": [1]}\n',
        "line 2: cat is missing, and other records, or cardinality, ask for it: give 1 number from 0",
        "cat",
    ),
    (
        b'{"start": "2024-01-01", "target": [1]}\n{"start": "2024-01-01", "target": [1], "cat": [0]}\n',
        "line 2: cat is given here and not in the records before: give it in every record or in none",
        "cat",
    ),
    (
        b'{"start": "2024-01-01", "target": [1], "cat": [0]}\n{"start": "2024-01-01", "target": [1], "cat": [0, 1]}\n',
        "line 2: cat has 2 numbers: expected 1 number",
        "cat",
    ),
    (
        b'{"start": "2024-01-01", "target": [1, 2], "dynamic_feat": [[1, 2], [1, 2, 3]]}\n',
        r"line 1: dynamic_feat\[1\] has 3 values: expected 2, as many as target",
        "dynamic_feat",
    ),
    (
        b'{"start": "2024-01-01", "target": [1, 2], "dynamic_feat": [[1, null]]}\n',
        r"dynamic_feat\[0\]\[1\] is missing, and features need a value at every point",
        "dynamic_feat",
    ),
    (
        b'{"start": "2024-01-01", "target": [1, 2], "dynamic_feat": [1, 2]}\n',
        "dynamic_feat is a list that holds a number: give a list of lists",
        "dynamic_feat",
    ),
    (
        b'{"start": "2024-01-01", "target": [1], "dynamic_feat": [[1]]}\n{"start": "2024-01-01", "target": [1]}\n',
        "line 2: dynamic_feat is missing, and other records, or num_dynamic_feat, ask for it: give 1 series",
        "dynamic_feat",
    ),
]


@pytest.mark.parametrize(("content", "message", "field"), BAD)
def test_what_is_wrong_is_named_by_file_line_and_field(
    tmp_path: Path, content: bytes, message: str, field: str | None
) -> None:
    """deepar 7 and 9; issue 7 item 3."""
    with pytest.raises(UserError, match=message) as caught:
        read(channel(tmp_path, {"data.json": content}), values())
    assert caught.value.field == field
    assert "data.json" in str(caught.value)
    if field is not None:
        told, *example = str(caught.value).split("\n")
        assert told.count("data.json, line ") == 1
        assert example[0].startswith("Two correct records")
        folder = tmp_path / "example"
        shown = read(channel(folder, {"data.json": "\n".join(example[1:]).encode()}), values())
        assert len(shown.series) == 2


@pytest.mark.parametrize(
    ("given", "target", "message"),
    [
        ({"likelihood": "negative-binomial"}, [1, None, -2], r"target\[2\] is -2, and likelihood negative-binomial is"),
        ({"likelihood": "beta"}, [0.5, 1.5], r"target\[1\] is 1.5, and likelihood beta is of values from 0 to 1"),
        ({"likelihood": "beta"}, [-0.5], r"target\[0\] is -0.5, and likelihood beta is of values from 0 to 1"),
    ],
)
def test_values_that_a_likelihood_cannot_give_are_refused(
    tmp_path: Path, given: dict[str, str], target: list[Any], message: str
) -> None:
    """Negative values under a count likelihood; issue 7, bad input."""
    with pytest.raises(UserError, match=f"line 2: {message}.*correct it, make it null, or train with") as caught:
        read(of_records(tmp_path, [record([1, 0]), record(target)]), values(**given))
    assert caught.value.row == 2


@pytest.mark.parametrize(
    ("given", "fields", "message"),
    [
        ({"cardinality": "[2, 2]"}, {"cat": [1, 2]}, r"cat\[1\] is 2: expected 0 to 1, as cardinality says"),
        (
            {"cardinality": "[2, 2]"},
            {},
            "cat is missing, and other records, or cardinality, ask for it: give 2 numbers",
        ),
        ({"cardinality": "[2]"}, {"cat": [1, 1]}, "cat has 2 numbers: expected 1 number, one for each entry"),
        ({"num_dynamic_feat": "2"}, {"dynamic_feat": [[1, 2]]}, "dynamic_feat has 1 series: expected 2"),
        ({"num_dynamic_feat": "1"}, {}, "dynamic_feat is missing, and other records, or num_dynamic_feat, ask for it"),
    ],
)
def test_records_that_hyperparameters_contradict_are_refused(
    tmp_path: Path, given: dict[str, str], fields: dict[str, Any], message: str
) -> None:
    """deepar 8."""
    with pytest.raises(UserError, match=f"line 1: {message}"):
        read(of_records(tmp_path, [record([1, 2], **fields)]), values(**given))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"start": [START], "y": [[1.0]]}, "no column target, and columns start, y"),
        ({"start": [START], "target": [1.0]}, "column target holds double: give lists of numbers"),
        ({"start": [START], "target": [["1"]]}, "column target holds string: give lists of numbers"),
        ({"start": [1], "target": [[1.0]]}, "column start is int64: give text"),
        (
            {"start": pyarrow.array([0], pyarrow.timestamp("s", "UTC")), "target": [[1.0]]},
            "column start has the time zone UTC: give times without one",
        ),
        ({"start": [START, None], "target": [[1.0], [1.0]]}, "x.parquet, row 2: start is missing"),
        ({"start": [START, START], "target": [[1.0], None]}, "x.parquet, row 2: target is missing"),
        ({"start": [START], "target": [[1.0]], "cat": [[0.5]]}, "column cat: .*give whole numbers from 0"),
        ({"start": [START], "target": [[1.0]], "cat": [[None, 1]]}, "column cat holds nulls"),
        ({"start": [START], "target": [[1.0]], "dynamic_feat": [[1.0]]}, "column dynamic_feat holds double"),
        (
            {"start": [START], "target": [[1.0, 2.0]], "dynamic_feat": [[[1.0, None]]]},
            r"x.parquet, row 1: dynamic_feat\[0\]\[1\] is missing",
        ),
        ({"start": [START], "target": [[1e39]]}, r"x.parquet, row 1: target\[0\] is 1e\+39"),
    ],
)
def test_what_is_wrong_with_parquet_is_named(tmp_path: Path, columns: dict[str, Any], message: str) -> None:
    """deepar 9."""
    with pytest.raises(UserError, match=message):
        read(channel(tmp_path, {"x.parquet": table(**columns)}), values())


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json.gz", lines([record([1])]), "a.json.gz, after line 0: not gzip, or damaged"),
        ("a.json.gz", gzipped(lines([record([1])] * 9))[:-9], "not gzip, or damaged"),
        ("a.parquet", b"PAR1 and no more", "a.parquet: not a parquet file, or damaged"),
        ("a.json", b"\n \n", "no records in the train channel"),
        ("_SUCCESS", b"x", "no records in the train channel"),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read(channel(tmp_path, {name: content}), values())


def test_blank_lines_and_a_mark_at_the_beginning_are_no_records(tmp_path: Path) -> None:
    content = b"\xef\xbb\xbf" + json.dumps(record([1])).encode() + b"\r\n\n\n" + json.dumps(record([2])).encode()
    found = read(channel(tmp_path, {"data.json": content}), values())
    assert [each.target.tolist() for each in found.series] == [[1], [2]]
    assert found.place(1).endswith("data.json, line 4")
