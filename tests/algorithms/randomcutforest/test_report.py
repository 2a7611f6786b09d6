"""What metrics.json and the report show of the test channel."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from sagedock.algorithms.randomcutforest.report import runs
from tests.platform import Job

SIZE = 8
ODD = slice(300, 304)


def job(base: Path, **names: str) -> Job:
    """A sine whose four points of 300 to 303 are out of line, in shingles of eight."""
    series = np.sin(np.arange(400) / 5) + np.random.default_rng(0).normal(0, 0.05, 400)
    series[ODD] = 6
    labels = np.zeros(400, int)
    labels[ODD] = 1
    rows = sliding_window_view(series, SIZE)
    labelled = sliding_window_view(labels, SIZE).max(axis=1)
    text = [",".join(f"{value:.4f}" for value in row) + "\n" for row in rows]
    given = {"sagedock_algorithm": "randomcutforest", "feature_dim": str(SIZE), "num_trees": "50"}
    made = Job(base, given)
    made.add_channel("train", {"rows.csv": "".join(text)}, ContentType="text/csv;label_size=0")
    tested = "".join(f"{label},{line}" for label, line in zip(labelled, text, strict=True))
    made.add_channel("test", {"rows.csv": tested}, ContentType="text/csv;label_size=1")
    for channel, content in names.items():
        made.add_channel(channel.replace("_", "-"), {"names.txt": content}, ContentType="text/plain")
    return made


def test_the_peaks_are_named_and_explained(tmp_path: Path) -> None:
    """Issue 4 item 6: the highest scores, each anomaly once although every shingle that holds it is high."""
    times = "".join(f"10:{row // 60:02}:{row % 60:02}\n" for row in range(400 - SIZE + 1))
    columns = "".join(f"{SIZE - 1 - column} before\n" for column in range(SIZE))
    done = job(tmp_path / "job", timestamps=times, feature_names=columns)
    assert done.run() == 0, done.failure
    test = done.metrics()["test"]
    assert test["rows"] == 393
    first, *others = test["highest"]
    assert first["label"] == 1
    assert first["score"] > test["cut_off"] > others[-1]["score"]
    assert "10:04:53" <= first["row"] <= "10:05:03"
    assert sum(peak["label"] for peak in others) <= 2  # what is left of the odd points at the ends of other shingles
    assert all(name.endswith(" before") and 0 < share <= 1 for name, share in first["columns"].items())
    page = (done.output_data / "report.html").read_text()
    for text in ("The highest scores", "How the scores are spread", "Labels and the cut-off", first["row"], "7 before"):
        assert text in page


def test_rows_without_names_have_one_number_in_picture_and_table(tmp_path: Path) -> None:
    """Counted from 1: `row 300` of the table is where the picture says 300."""
    done = job(tmp_path / "job")
    assert done.run() == 0, done.failure
    page = (done.output_data / "report.html").read_text()
    picture = page[page.index("The rows in order") : page.index("The highest scores")]
    numbers = [int(text) for text in re.findall(r"<text[^>]*>(\d+)</text>", picture)]
    assert 1 in numbers
    assert 393 in numbers
    assert done.metrics()["test"]["highest"][0]["row"] in {f"row {number}" for number in range(294, 305)}


def test_without_a_test_channel_the_report_is_of_the_forest(tmp_path: Path) -> None:
    done = job(tmp_path / "job")
    done.channels.pop("test")
    done.write_config("inputdataconfig", done.channels)
    assert done.run() == 0, done.failure
    assert "test" not in done.metrics()
    assert "How deep the trees are" in (done.output_data / "report.html").read_text()


def test_names_must_be_as_many_as_what_they_name(tmp_path: Path) -> None:
    rows = job(tmp_path / "rows", timestamps="noon\n" * 5)
    assert rows.run() == 1
    assert "must hold one name per line for each of the 393 rows of the test channel; it holds 5 names" in rows.failure
    columns = job(tmp_path / "columns", feature_names="a\n" * SIZE)
    assert columns.run() == 1
    assert "for each of the 8 feature columns, each name once; it holds 8 names, 1 of them distinct" in columns.failure


def test_runs_are_told_by_their_first_row_and_the_one_behind_their_last() -> None:
    assert runs(np.array([True, True, False, True])) == [(0, 2), (3, 4)]
    assert runs(np.zeros(3, bool)) == []
