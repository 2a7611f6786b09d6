"""Log lines of the record-based family, and the bar that follows them."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from sagedock import metric_lines
from sagedock.job_log import JobLog
from sagedock.progress import Progress

PREFIX = r"^\[\d\d/\d\d/\d{4} \d\d:\d\d:\d\d INFO \d+\] "


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (metric_lines.prefixed("Sampling training data..."), r"Sampling training data\.\.\."),
        (
            metric_lines.quality_metric("algo-1", "test", "f1", 0.5, kind="score"),
            "#quality_metric: host=algo-1, test f1 <score>=0.5",
        ),
        (
            metric_lines.quality_metric("algo-2", "train", "total_loss", 7.25, epoch=3),
            "#quality_metric: host=algo-2, epoch=3, train total_loss <loss>=7.25",
        ),
        (metric_lines.final_score("algo-1", "f1", 0.5), r"#test_score \(algo-1\) : \('f1', 0\.5\)"),
        (metric_lines.progress_metric("algo-1", 1.0), "#progress_metric: host=algo-1, completed 1 % of epochs"),
        (
            metric_lines.progress_metric("algo-1", 100, last=True),
            "#progress_metric: host=algo-1, completed 100 % epochs",
        ),
        (
            metric_lines.throughput_metric("algo-1", 1000, 0.5),
            r"#throughput_metric: host=algo-1, train throughput=2000\.0 records/second",
        ),
    ],
)
def test_lines_have_the_shapes_of_the_managed_algorithms(line: str, text: str) -> None:
    assert re.fullmatch(PREFIX + text + "$", line)


def test_the_regular_expression_finds_the_value_of_its_own_line_only() -> None:
    regex = metric_lines.quality_regex("test", "f1", "score")
    assert re.search(regex, metric_lines.quality_metric("a", "test", "f1", 0.25, kind="score"))[1] == "0.25"
    assert re.search(regex, metric_lines.quality_metric("a", "test", "recall", 0.25, kind="score")) is None
    regex = metric_lines.quality_regex("train", "total_loss")
    assert re.search(regex, metric_lines.quality_metric("a", "train", "total_loss", 2.0, epoch=1))[1] == "2.0"


def test_numbers_of_numpy_are_written_as_numbers() -> None:
    """The repr of one names its type."""
    line = metric_lines.quality_metric("algo-1", "validation", "total_loss", np.float64(6.75), epoch=3)
    found = re.search(metric_lines.quality_regex("validation", "total_loss"), line)
    assert found is not None
    assert found[1] == "6.75"
    assert metric_lines.final_score("algo-1", "pwll", np.float64(-6.5)).endswith(
        "#test_score (algo-1) : ('pwll', -6.5)"
    )


def test_a_line_of_metrics_holds_json() -> None:
    line = metric_lines.metrics("RandomCutForest", "algo-1", "training", 1.5, 2.5, {"epochs": 1})
    name, _, text = line.partition(" ")
    assert (name, json.loads(text)["Metrics"]) == ("#metrics", {"epochs": {"sum": 1, "count": 1, "min": 1, "max": 1}})
    dimensions = {"Algorithm": "RandomCutForest", "Host": "algo-1", "Operation": "training"}
    assert json.loads(text)["Dimensions"] == dimensions
    line = metric_lines.epoch_statistics("/opt/ml/input/data/train", 0, 0.02, 5, 40320)
    assert json.loads(line.partition("epoch_stats=")[2])["num_examples"] == 5


def test_the_bar_of_a_job_elsewhere_follows_its_progress(capsys: pytest.CaptureFixture[str]) -> None:
    """Issue 4 and 5: algorithms that count in percent."""
    log = JobLog(Progress(shown=True), {"num_trees": "50"})
    log.write(metric_lines.progress_metric("algo-1", 37.0))
    bar = log._bar._bar
    assert bar is not None
    assert (bar.n, bar.total) == (37, 100)
    log.write(metric_lines.progress_metric("algo-1", 100, last=True))
    assert log._bar._bar is None, "the bar goes with the last line"
    assert "completed 37 % of epochs" in capsys.readouterr().out
