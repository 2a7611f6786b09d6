"""Long tables to records and back: the same rows, and errors that name the row."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas
import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from sagedock.algorithms.deepar.channel import read
from sagedock.algorithms.deepar.conversion import Plan, to_records, to_table
from sagedock.algorithms.deepar.frequency import Frequency
from sagedock.algorithms.deepar.long_table import Columns
from sagedock.errors import UserError
from tests.algorithms.deepar.toys import channel, values

HOURS, DAYS = Frequency.parse("H"), Frequency.parse("D")
WIDE = Columns(features=("warm", "holiday"), categories=("region", "kind"))
HEADER = "item,timestamp,target\n"


def records(folder: Path, text: str, plan: Plan) -> list[dict[str, Any]]:
    (folder / "table.csv").write_text(text)
    to_records(folder / "table.csv", folder / "data.json", plan)
    return [json.loads(line) for line in (folder / "data.json").read_text().splitlines()]


def test_rows_become_series_in_order_of_time_with_gaps_missing(tmp_path: Path) -> None:
    """Unsorted series; issue 7 item 3."""
    text = HEADER + "b,2024-01-02,5\na,2024-01-04,4.5\na,2024-01-01,1\na,2024-01-02,\n"
    found = records(tmp_path, text, Plan(DAYS))
    assert found == [
        {"start": "2024-01-01 00:00:00", "target": [1, None, None, 4.5], "item": "a"},
        {"start": "2024-01-02 00:00:00", "target": [5], "item": "b"},
    ]


def test_features_and_categories_become_numbers_that_a_channel_reads(tmp_path: Path) -> None:
    text = (
        "item,timestamp,target,warm,holiday,region,kind\n"
        "a,2024-01-01 00:00,1,20.5,0,north,x\na,2024-01-01 01:00,2,21,1,north,x\nb,2024-01-01 05:00,3,7,0,east,x\n"
    )
    first, second = records(tmp_path, text, Plan(HOURS, WIDE))
    assert first["cat"] == [1, 0]
    assert second["cat"] == [0, 0]
    assert first["dynamic_feat"] == [[20.5, 21], [0, 1]]
    read_back = read(channel(tmp_path / "c", {"data.json": (tmp_path / "data.json").read_bytes()}), values())
    assert read_back.layout.cardinality == (2, 1)
    assert read_back.series[0].target.tolist() == [1, 2]


def test_the_last_steps_may_be_there_for_their_features(tmp_path: Path) -> None:
    text = "item,timestamp,target,warm\n" + "".join(f"a,2024-01-0{day},{day},{day}\n" for day in range(1, 6))
    (found,) = records(tmp_path, text, Plan(DAYS, Columns(features=("warm",)), future=2))
    assert found["target"] == [1, 2, 3]
    assert found["dynamic_feat"] == [[1, 2, 3, 4, 5]]


@pytest.mark.parametrize(("how", "target"), [("first", 1), ("last", 3), ("mean", 2), ("sum", 4)])
def test_a_time_that_stands_twice_counts_as_it_is_told(tmp_path: Path, how: str, target: float) -> None:
    text = HEADER + "a,2024-01-01,1\na,2024-01-01,3\n"
    (found,) = records(tmp_path, text, Plan(DAYS, duplicates=how))
    assert found["target"] == [target]


def test_weeks_and_months_are_known_by_any_of_their_days(tmp_path: Path) -> None:
    text = HEADER + "a,2024-01-31,1\na,2024-02-29,2\n"
    (found,) = records(tmp_path, text, Plan(Frequency.parse("M")))
    assert (found["start"], found["target"]) == ("2024-01-01 00:00:00", [1, 2])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("item,time,target\na,2024-01-01,1\n", r"has no column 'timestamp': its columns are item, time, target"),
        (HEADER, "has no rows"),
        (HEADER + "a,2024-01-01,1\na,tomorrow,2\n", r"table.csv, row 3: timestamp is 'tomorrow': expected YYYY-MM-DD"),
        (HEADER + "a,2024-01-01 00:00:00+02:00,1\n", "row 2: timestamp is '2024-01-01 00:00:00.02:00': expected"),
        (HEADER + "a,2024-01-01,1\na,,2\n", "row 3: timestamp is empty: give a value"),
        (HEADER + ",2024-01-01,1\n", "row 2: item is empty: give a value"),
        (HEADER + "a,2024-01-01,1\na,2024-01-02,many\n", "row 3: target is 'many', not a number"),
        (HEADER + "a,2024-01-01,inf\n", "row 2: target is infinite"),
        (
            HEADER + "a,2024-01-01,1\na,2024-01-02 06:00,2\n",
            "row 3: 2024-01-02 06:00:00 lies within a period of D, which begins at 2024-01-02 00:00:00",
        ),
        (
            HEADER + "b,2024-01-01,1\na,2024-01-01,1\nb,2024-01-01,2\n",
            "row 4: 2024-01-01 00:00:00 stands for this item in row 2 already: remove one, or say which counts",
        ),
        (HEADER + "a,2024-01-01,1,2\n", "is no table that can be read"),
    ],
)
def test_what_does_not_fit_is_named_by_row(tmp_path: Path, text: str, message: str) -> None:
    """Mixed frequencies, timestamps that do not fit, duplicates; issue 7 item 3."""
    with pytest.raises(UserError, match=message):
        records(tmp_path, text, Plan(DAYS))
    assert not (tmp_path / "data.json").exists()


def test_times_beside_the_steps_of_a_series_are_named(tmp_path: Path) -> None:
    text = HEADER + "a,2024-01-01 01:00,1\na,2024-01-01 03:00,1\na,2024-01-01 04:00,2\n"
    with pytest.raises(UserError, match=r"row 4: 2024-01-01 04:00:00 is no whole number of steps of 2H behind.*row 2"):
        records(tmp_path, text, Plan(Frequency.parse("2H")))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("a,2024-01-01,1,1,0,n,x\na,2024-01-02,1,1,0,s,x\n", "row 3: region is s, and n in another row of this item"),
        ("a,2024-01-01,1,,0,n,x\n", "row 2: warm has no value at 2024-01-01 00:00:00"),
        ("a,2024-01-01,1,1,0,n,x\na,2024-01-03,1,1,0,n,x\n", "row 2: warm has no value at 2024-01-02 00:00:00"),
    ],
)
def test_features_and_categories_that_do_not_hold_are_named(tmp_path: Path, rows: str, message: str) -> None:
    header = "item,timestamp,target,warm,holiday,region,kind\n"
    with pytest.raises(UserError, match=message):
        records(tmp_path, header + rows, Plan(DAYS, WIDE))


def test_a_frequency_far_too_fine_is_told(tmp_path: Path) -> None:
    text = HEADER + "a,1600-01-01,1\na,2024-01-01,2\n"
    with pytest.raises(UserError, match=r"would become \d+ points of min for 2 rows: check the frequency"):
        records(tmp_path, text, Plan(Frequency.parse("min")))


@given(
    st.dictionaries(
        st.text("abcdeäß -,\"'", min_size=1, max_size=6).filter(lambda name: name.strip() == name),
        st.tuples(
            st.integers(0, 5000),
            st.lists(st.tuples(st.floats(-1e9, 1e9), st.floats(-5, 5)), min_size=1, max_size=6),
            st.sampled_from(["north", "south, far", "east"]),
        ),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from(["csv", "parquet"]),
)
def test_the_way_there_and_back_leads_to_the_same_rows(
    tmp_path_factory: pytest.TempPathFactory, series: dict[str, Any], kind: str
) -> None:
    """Issue 7 item 3."""
    folder = tmp_path_factory.mktemp("round")
    rows = [
        {
            "item": item,
            "timestamp": str(datetime(2000, 1, 1) + timedelta(hours=start + step)),
            "target": target,
            "warm": warm,
            "region": region,
        }
        for item, (start, points, region) in sorted(series.items())
        for step, (target, warm) in enumerate(points)
    ]
    table = pandas.DataFrame(rows)
    columns = Columns(features=("warm",), categories=("region",))
    source, lines, result = (folder / name for name in (f"a.{kind}", "data.json.gz", f"b.{kind}"))
    if kind == "csv":
        table.to_csv(source, index=False)
    else:
        parquet.write_table(pyarrow.Table.from_pandas(table), source)
    to_records(source, lines, Plan(HOURS, columns))
    assert to_table(lines, result, HOURS, columns) == (len(series), len(rows))
    found = pandas.read_csv(result, float_precision="round_trip") if kind == "csv" else pandas.read_parquet(result)
    expected = pandas.read_csv(source, float_precision="round_trip") if kind == "csv" else table
    pandas.testing.assert_frame_equal(found[table.columns.tolist()], expected, check_dtype=False, check_exact=True)


def test_records_of_others_become_a_table_too(tmp_path: Path) -> None:
    lines = [
        {"start": "2024-01-01", "target": [1, None, "NaN"], "cat": 3, "dynamic_feat": [[1, 2, 3, 4]]},
        {"start": "2024-01-02", "target": [], "cat": [4], "dynamic_feat": [[5]]},
    ]
    (tmp_path / "data.json").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert to_table(tmp_path / "data.json", tmp_path / "t.csv", DAYS, Columns()) == (2, 5)
    found = pandas.read_csv(tmp_path / "t.csv")
    assert found["item"].tolist() == ["series 1"] * 4 + ["series 2"]
    assert found["timestamp"][3] == "2024-01-04 00:00:00"
    assert found["target"].isna().tolist() == [False, True, True, True, True]
    assert found["cat_0"].tolist() == [3] * 4 + [4]
    assert found["feature_0"].tolist() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("line", ['{"target": [1]}', '{"start": "2024-01-01", "target": ["x"]}', "[1]", "{"])
def test_a_line_that_is_no_record_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "data.json").write_text('{"start": "2024-01-01", "target": [1]}\n' + line + "\n")
    with pytest.raises(UserError, match=r"data.json, line 2"):
        to_table(tmp_path / "data.json", tmp_path / "t.csv", DAYS, Columns())


def test_the_command_converts_both_ways(tmp_path: Path) -> None:
    """As a process: the command sets up the logging of the process it is in."""
    source, lines, back = tmp_path / "load.csv.gz", tmp_path / "data.json", tmp_path / "back.csv"
    source.write_bytes(gzip.compress(b"when,load\n2024-01-01 00:00:00,5.5\n2024-01-01 02:00:00,6\n"))

    def convert(given: Path, made: Path, frequency: str = "H") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "sagedock", "convert", str(given), str(made), "--freq", frequency]
        command += ["--item", "", "--time", "when", "--target", "load"]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    done = convert(source, lines)
    assert (done.returncode, done.stdout) == (0, f"1 series of 3 points written to {lines}\n"), done.stderr
    assert json.loads(lines.read_text()) == {"start": "2024-01-01 00:00:00", "target": [5.5, None, 6]}
    done = convert(lines, back)
    assert done.returncode == 0, done.stderr
    assert pandas.read_csv(back)["load"].tolist()[0] == 5.5
    done = convert(source, lines, "hour")
    assert done.returncode == 1
    assert "--freq 'hour': expected a whole number" in done.stderr
