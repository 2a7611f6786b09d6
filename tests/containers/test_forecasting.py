"""containers/forecasting: the raw load to channels, and the README's commands with the figures that they give."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas
import pytest

from sagedock.errors import UserError

ROOT = Path(__file__).parents[2]
README = (ROOT / "containers" / "forecasting" / "README.md").read_text()
SHA256 = "419f710252ed381322be08edbb8f932f9859ab7564259e83d5387c6a354188d6"
REGIONS = ("AEP", "DAYTON", "DOM")
HEADER = "region,time,megawatts\n"


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.fixture(scope="module")
def channels(forecasting: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory: Path = tmp_path_factory.mktemp("forecasting")
    forecasting.prepare(forecasting.RAW_DATA, directory)
    return directory


def test_the_shipped_load_is_the_one_that_its_note_describes(forecasting: ModuleType, shared: Path) -> None:
    """Issue 7 item 5: real data, its values unchanged."""
    assert hashlib.sha256(forecasting.RAW_DATA.read_bytes()).hexdigest() == SHA256
    assert SHA256 in forecasting.RAW_DATA.with_name("PROVENANCE.md").read_text()
    shipped = pandas.read_csv(forecasting.RAW_DATA)
    for region in REGIONS:
        published = pandas.read_csv(shared / "forecast" / "pjm" / f"{region}_hourly.csv.gz")
        published.columns = ["time", "megawatts"]
        last = published[published["time"] >= "2018-03-08"].sort_values("time")
        assert shipped[shipped["region"] == region]["megawatts"].tolist() == last["megawatts"].tolist()


def test_each_day_is_forecast_from_what_was_known_before_it(channels: Path) -> None:
    train, test = lines(channels / "train" / "load.json"), lines(channels / "test" / "load.json")
    assert [record["item"] for record in train] == list(REGIONS)
    assert [record["cat"] for record in train] == [[0], [1], [2]]
    assert {len(record["target"]) for record in train} == {3553 - 7 * 24}
    assert len(test) == 21
    assert sorted({len(record["target"]) for record in test}) == [3553 - 24 * ago for ago in range(6, -1, -1)]
    for record in test:
        whole = next(other for other in test if other["item"] == record["item"] and len(other["target"]) == 3553)
        assert record["target"] == whole["target"][: len(record["target"])]


def test_the_hour_that_summer_time_leaves_out_is_missing(channels: Path) -> None:
    for record in lines(channels / "train" / "load.json"):
        assert [number for number, value in enumerate(record["target"]) if value is None] == [3 * 24 + 3]


def test_requests_ask_for_the_day_that_follows(channels: Path) -> None:
    request, batch = json.loads((channels / "request.json").read_text()), lines(channels / "batch.json")
    assert len(request["instances"]) == len(batch) == 3
    assert [record["region"] for record in batch] == list(REGIONS)
    assert {len(record["target"]) for record in request["instances"]} == {3553}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEADER + "AEP,2018-03-08 00:00:00,many\n", "row 2: megawatts is 'many', not a number"),
        (HEADER + "AEP,2018-03-08 00:30:00,5\n", "row 2: 2018-03-08 00:30:00 lies within a period of H"),
        (HEADER + "AEP,2018-03-08 00:00:00,5\n", "AEP has 1 hours, no more than the 7 days"),
        ("region,time\n", "has no column 'megawatts'"),
    ],
)
def test_a_wrong_load_is_refused_by_row(forecasting: ModuleType, tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "load.csv").write_text(text)
    with pytest.raises(UserError, match=message):
        forecasting.prepare(tmp_path / "load.csv", tmp_path / "channels")
    assert not (tmp_path / "channels").exists()


def test_an_hour_that_stands_twice_counts_as_its_mean(forecasting: ModuleType, tmp_path: Path) -> None:
    rows = ["AEP,2018-11-04 01:00:00,5", "AEP,2018-11-04 02:00:00,6", "AEP,2018-11-04 02:00:00,8"]
    (tmp_path / "load.csv").write_text(HEADER + "\n".join(rows) + "\n")
    (record,) = forecasting.read(tmp_path / "load.csv")
    assert record["target"] == [5, 7]


def command(start: str, made: Path) -> list[str]:
    """The indented command of the page that begins with `start`, writing below `made` instead of build/."""
    (found,) = re.findall(rf"^    {re.escape(start)}(?:.*\\\n)*.*$", README, re.MULTILINE)
    words = shlex.split(found.replace("\\\n", " ").replace("build/", f"{made}/"))
    return [sys.executable, *(words[1:] if words[0].endswith("/python") else ["-m", "sagedock", *words[1:]])]


def ran(words: list[str]) -> str:
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "WARNING" not in done.stderr, "a document of ours is nothing to warn of"
    return done.stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the page's commands have prepared the data and trained."""
    directory: Path = tmp_path_factory.mktemp("forecasting-readme")
    for line in ran(command(".venv/bin/python", directory)).splitlines()[:3]:
        assert f"    {line}\n" in README
    ran(command(".venv/bin/sagedock run", directory))
    return directory


def row(name: str) -> float:
    """The number behind `name` in the table of results."""
    found = re.search(rf"^\| {re.escape(name)} \| ([\d.]+)", README, re.MULTILINE)
    assert found is not None, name
    return float(found[1])


def test_the_figures_are_about_those_of_the_job_and_better_than_the_day_before(made: Path) -> None:
    """Issue 7 item 5. Another processor adds in another order, and training goes another way."""
    metrics = json.loads((made / "forecasting-job" / "output" / "data" / "metrics.json").read_text())["test"]
    assert metrics["mean_wQuantileLoss"] == pytest.approx(row("mean_wQuantileLoss"), rel=0.15)
    assert metrics["RMSE"] == pytest.approx(row("RMSE"), rel=0.25)
    naive = seasonal_naive(lines(made / "forecasting-data" / "test" / "load.json"), 24)
    assert naive == pytest.approx(row("the day before, with its errors' quantiles"), abs=5e-5)
    assert metrics["mean_wQuantileLoss"] < naive


def seasonal_naive(records: list[dict[str, Any]], lag: int) -> float:
    """The mean wQuantileLoss of the value `lag` hours ago, with the quantiles of the errors that it had so far."""
    loss = size = 0.0
    for record in records:
        values = np.array([np.nan if value is None else value for value in record["target"]])
        known, truth = values[:-24], values[-24:]
        errors = known[lag:] - known[:-lag]
        for level in np.arange(1, 10) / 10:
            over = truth - (known[-lag:][:24] + np.nanquantile(errors, level))
            loss += 2 * np.maximum(level * over, (level - 1) * over).sum() / 9
        size += np.abs(truth).sum()
    return loss / size


def test_the_next_day_is_forecast_in_a_batch(made: Path) -> None:
    """deepar 22 and 23, with a real server."""
    ran(command(".venv/bin/sagedock transform", made))
    found = lines(made / "forecasting-forecasts" / "batch.json.out")
    assert [answer["region"] for answer in found] == list(REGIONS)
    for answer in found:
        assert list(answer["quantiles"]) == ["0.1", "0.5", "0.9"]
        assert len(answer["mean"]) == 24
        low, middle, high = (np.array(values) for values in answer["quantiles"].values())
        assert (low <= middle).all()
        assert (middle <= high).all()
