"""containers/churn/prepare.py: from the raw table to channels, and what wrong tables get."""

from __future__ import annotations

import csv
import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from sagedock.errors import UserError

SHA256 = "2d0bc7e725ab439a9028f96ba9883d6e361fb79946309a9376f3a780ad6f04a5"


def rows_of(file: Path) -> list[list[float]]:
    with file.open(newline="") as lines:
        return [[float(cell) for cell in row] for row in csv.reader(lines)]


@pytest.fixture(scope="module")
def channels(churn: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory: Path = tmp_path_factory.mktemp("churn")
    churn.prepare(churn.RAW_DATA, directory)
    return directory


def test_the_shipped_table_is_the_one_that_its_note_describes(churn: ModuleType) -> None:
    """Issue item 7: the real data, unchanged."""
    assert hashlib.sha256(churn.RAW_DATA.read_bytes()).hexdigest() == SHA256
    assert SHA256 in churn.RAW_DATA.with_name("PROVENANCE.md").read_text()


def test_the_channels_have_the_workshops_shape(channels: Path) -> None:
    """xgboost 9.1: label first, 69 features for the original table, no header, 70/20/10 of 2,705 rows."""
    shapes = {file.stem: np.array(rows_of(file)).shape for file in channels.rglob("*.csv")}
    assert shapes == {"train": (1893, 70), "validation": (541, 70), "test": (271, 70), "features": (271, 69)}
    names = (channels / "feature-names" / "feature-names.txt").read_text().splitlines()
    assert len(names) == len(set(names)) == 69
    assert sorted(path.name for path in channels.iterdir()) == ["feature-names", "test", "train", "validation"]


def test_only_the_test_features_lack_the_label(channels: Path) -> None:
    with_labels = rows_of(channels / "test" / "test.csv")
    assert rows_of(channels / "test" / "features.csv") == [row[1:] for row in with_labels]
    assert {row[0] for row in with_labels} == {0.0, 1.0}


def test_it_equals_what_pandas_does_in_the_workshop(churn: ModuleType, channels: Path) -> None:
    """xgboost 9.1: get_dummies, sample(frac=1, random_state=1729) and split: the same rows, same order."""
    pandas = pytest.importorskip("pandas")
    table = pandas.read_csv(churn.RAW_DATA).drop(columns=list(churn.DROPPED))
    table["Area Code"] = table["Area Code"].astype(object)
    dummies = pandas.get_dummies(table)
    features = dummies.drop(columns=["Churn?_False.", "Churn?_True."])
    data = pandas.concat([dummies["Churn?_True."], features], axis=1).astype(float)
    shuffled = data.sample(frac=1, random_state=1729).to_numpy()
    parts = np.split(shuffled, [int(0.7 * len(data)), int(0.9 * len(data))])
    for name, expected in zip(("train", "validation", "test"), parts, strict=True):
        np.testing.assert_array_equal(np.array(rows_of(channels / name / f"{name}.csv")), expected)
    assert (channels / "feature-names" / "feature-names.txt").read_text().splitlines() == list(features.columns)


def test_each_charge_is_its_minutes_times_a_price(churn: ModuleType) -> None:
    """Why the charges are dropped: they are fully correlated with the minutes."""
    with churn.RAW_DATA.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    for time in ("Day", "Eve", "Night", "Intl"):
        minutes = np.array([float(row[f"{time} Mins"]) for row in rows])
        charges = np.array([float(row[f"{time} Charge"]) for row in rows])
        assert np.corrcoef(minutes, charges)[0, 1] > 0.9999


def test_every_customer_has_one_value_of_each_category(churn: ModuleType) -> None:
    customers = churn.read(churn.RAW_DATA)
    for name in churn.CATEGORICAL:
        places = [place for place, column in enumerate(customers.names) if column.startswith(f"{name}_")]
        np.testing.assert_array_equal(customers.features[:, places].sum(axis=1), 1)


def test_preparing_twice_gives_the_same_bytes(churn: ModuleType, channels: Path, tmp_path: Path) -> None:
    churn.prepare(churn.RAW_DATA, tmp_path)
    for file in channels.rglob("*.*"):
        assert (tmp_path / file.relative_to(channels)).read_bytes() == file.read_bytes()


HEADER = (
    "State,Account Length,Area Code,Phone,Int'l Plan,VMail Plan,VMail Message,Day Mins,Day Calls,Day Charge,Eve Mins,"
    "Eve Calls,Eve Charge,Night Mins,Night Calls,Night Charge,Intl Mins,Intl Calls,Intl Charge,CustServ Calls,Churn?"
)
CUSTOMER = "KS,128,415,382-4657,no,yes,25,265.1,110,45.07,197.4,99,16.78,244.7,91,11.01,10.0,3,2.7,1,False."


def _line(number: int, old: str, new: str) -> Callable[[list[str]], list[str]]:
    def change(lines: list[str]) -> list[str]:
        assert old in lines[number - 1]
        return [*lines[: number - 1], lines[number - 1].replace(old, new), *lines[number:]]

    return change


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda _: [], ["is empty", "'State'", "'Churn?'"]),
        (lambda lines: lines[:1], ["no customers"]),
        (lambda lines: lines[1:], ["line 1", "the header lacks", "'Day Mins'"]),
        (_line(1, "Day Mins,", "Day Minutes,"), ["line 1", "the header lacks 'Day Mins'"]),
        (_line(1, "Phone", "Fax"), ["line 1", "'Fax'", "remove it"]),
        (_line(1, "Phone", "State"), ["line 1", "'State' twice"]),
        (_line(3, "False.", "Maybe"), ["line 3", "Churn? is 'Maybe'", "'False.', 'True.'"]),
        (_line(4, "265.1", "many"), ["line 4", "Day Mins is 'many'", "a number"]),
        (_line(4, "265.1", "nan"), ["line 4", "Day Mins is 'nan'"]),
        (_line(5, "265.1", ""), ["line 5", "Day Mins is empty"]),
        (_line(5, "KS", " "), ["line 5", "State is empty"]),
        (_line(2, "KS,", ""), ["line 2", "expected 21 cells", "got 20"]),
        (lambda lines: lines[:4], ["3 customers are too few"]),
    ],
)
def test_a_wrong_table_is_refused_with_its_place(
    churn: ModuleType, tmp_path: Path, change: Callable[[list[str]], list[str]], expected: list[str]
) -> None:
    """Issue, "What bad input gets": the message names file and line, and no channel is made."""
    table = tmp_path / "table.csv"
    table.write_text("".join(f"{line}\n" for line in change([HEADER] + 9 * [CUSTOMER])))
    with pytest.raises(UserError) as caught:
        churn.prepare(table, tmp_path / "channels")
    for text in [*(["table.csv"] if "few" not in expected[0] else []), *expected]:
        assert text in str(caught.value)
    assert not (tmp_path / "channels").exists()


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00binary"], ids=["absent", "binary"])
def test_a_table_that_cannot_be_read_is_refused(churn: ModuleType, tmp_path: Path, content: bytes | None) -> None:
    table = tmp_path / "table.csv"
    if content is not None:
        table.write_bytes(content)
    with pytest.raises(UserError, match=r"table\.csv"):
        churn.prepare(table, tmp_path / "channels")


def test_blank_lines_and_a_byte_order_mark_are_no_harm(churn: ModuleType, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("\ufeff" + "\n\n".join([HEADER] + 9 * [CUSTOMER]) + "\n\n", encoding="utf-8")
    assert len(churn.read(table).labels) == 9


def test_the_script_prints_the_sizes_or_the_fault(churn: ModuleType, tmp_path: Path) -> None:
    """As a command: 0 and the sizes, or 1 and one line without a stack trace."""
    script = Path(churn.__file__ or "")
    good = subprocess.run([sys.executable, script, tmp_path / "a"], capture_output=True, text=True, check=False)
    assert good.returncode == 0, good.stderr
    assert "train      1,893 customers, 285 of them left" in good.stdout
    assert "69 feature columns" in good.stdout
    bad = subprocess.run(
        [sys.executable, script, tmp_path / "b", "--data", tmp_path / "absent.txt"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert bad.returncode == 1
    assert bad.stderr.count("\n") == 1
    assert "absent.txt" in bad.stderr
