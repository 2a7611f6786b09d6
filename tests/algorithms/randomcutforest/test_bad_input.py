"""Bad input of a job: what is wrong, where it stands, and what to do."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from sagedock.formats.media_types import PARQUET, RECORDIO
from sagedock.formats.table import Table
from sagedock.formats.training import encode_table
from tests.algorithms.randomcutforest import data
from tests.platform import Job

GOOD = "1,2,3\n" * 100


def failure(job: Job) -> str:
    assert job.run() == 1
    assert list(job.model.iterdir()) == []
    return job.failure


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("1,2,3,4\n" * 100, "line 1: expected 3 feature columns, got 4"),
        (GOOD + "1,2,3,4\n", "line 101: expected 3 columns as in the lines before, got 4"),
        (GOOD + "1,,3\n", "line 101, column 2: the value is missing (empty or NaN)"),
        (GOOD + "1,2,nan\n", "line 101, column 3: the value is missing (empty or NaN)"),
        (GOOD + "1,two,3\n", "line 101, column 2: 'two' is not a number"),
        (GOOD + "1,inf,3\n", "line 101, column 2: 'inf' is infinite"),
        (GOOD + "1,1e39,3\n", "line 101, column 2: '1e39' does not fit a 32-bit float"),
        ("a,b,c\n" + GOOD, "the file begins with a header row; remove it"),
        ("1,2,3\n" * 49, "holds 49 rows, and a forest of 50 trees (num_trees) needs at least 50 rows"),
        ("\n", "holds 0 rows, and a forest of 50 trees (num_trees) needs at least 50 rows"),
    ],
)
def test_bad_rows_are_named_by_file_and_line(make_job: Callable[..., Job], text: str, told: str) -> None:
    """rcf 28, 29; issue 4, bad input: wrong width, NaN, text, fewer rows than trees."""
    found = failure(make_job(train=text, feature_dim="3"))
    assert found.startswith("UserError: ")
    assert told in found
    assert "rows.csv" in found or "rows" in told


def test_feature_dim_is_checked_before_a_row_is_sampled(
    make_job: Callable[..., Job], capsys: pytest.CaptureFixture[str]
) -> None:
    """rcf 28: both numbers are named."""
    found = failure(make_job(train="1,2,3,4\n" * 100, feature_dim="3"))
    assert "expected 3 feature columns, got 4" in found
    assert "text/csv;label_size=1" in found, "one more column than features is a label, most likely"
    told = capsys.readouterr().out
    assert "Validating that feature_dim agrees" in told
    assert "Sampling training data..." not in told


@pytest.mark.parametrize("content_type", [PARQUET, RECORDIO])
@pytest.mark.parametrize(
    ("change", "told"), [("width", "expected 3 feature columns, got 4"), ("missing", "the value is missing")]
)
def test_bad_rows_of_other_types(make_job: Callable[..., Job], content_type: str, change: str, told: str) -> None:
    """rcf 28; the record or row is named."""
    rows = data.rows(100, columns=4 if change == "width" else 3)
    if change == "missing":
        rows[70, 1] = np.nan
    job = make_job(feature_dim="3")
    job.add_channel("train", {"rows": encode_table(Table(rows), content_type)}, ContentType=content_type)
    found = failure(job)
    assert told in found
    unit = "record" if content_type == RECORDIO else "row"
    assert change == "width" or f"{unit} 71, column 2" in found


@pytest.mark.parametrize(
    ("text", "content_type", "told"),
    [
        ("2,1,2,3\n", "text/csv;label_size=1", "line 1: label 2 is neither 0 (normal) nor 1 (anomaly)"),
        ("0,1,2,3\n0.5,1,2,3\n", "text/csv", "line 2: label 0.5 is neither 0 (normal) nor 1 (anomaly)"),
        (",1,2,3\n", "text/csv", "line 1, column 1: the label is missing"),
        ("1,2,3\n", "text/csv;label_size=0", "the rows of the test channel have no labels"),
        ("1,2,3\n", "text/csv", "expected 3 feature columns after the label, got 2"),
        ("0,1,,3\n", "text/csv", "line 1, column 3: the value is missing"),
        ("\n", "text/csv", "the test channel holds no rows"),
    ],
)
def test_a_bad_test_channel(make_job: Callable[..., Job], text: str, content_type: str, told: str) -> None:
    """Issue 4, bad input: labels that are not 0 or 1, or absent."""
    job = make_job().add_channel("test", {"rows.csv": text}, ContentType=content_type)
    assert told in failure(job)


def test_records_of_the_test_channel_without_labels(make_job: Callable[..., Job]) -> None:
    content = encode_table(Table(data.rows(20)), RECORDIO)
    job = make_job().add_channel("test", {"rows": content}, ContentType=RECORDIO)
    assert "the rows of the test channel have no labels" in failure(job)
