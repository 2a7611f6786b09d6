"""containers/anomaly/README.md: its commands run, and the figures in it are those that they give."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "containers" / "anomaly" / "README.md").read_text()


def command(start: str, made: Path, number: int = 0) -> list[str]:
    """An indented command of the page that begins with `start`, writing below `made` instead of build/."""
    found = re.findall(rf"^    {re.escape(start)}(?:.*\\\n)*.*$", README, re.MULTILINE)
    assert len(found) > number, start
    words = shlex.split(found[number].replace("\\\n", " ").replace("build/", f"{made}/"))
    return [sys.executable, *(words[1:] if words[0].endswith("/python") else ["-m", "sagedock", *words[1:]])]


def ran(words: list[str]) -> str:
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "WARNING" not in done.stderr, "a document of ours is nothing to warn of"
    return done.stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the page's commands have prepared the data and trained."""
    directory: Path = tmp_path_factory.mktemp("anomaly-readme")
    for line in ran(command(".venv/bin/python", directory)).splitlines()[:2]:
        assert f"    {line}\n" in README
    ran(command(".venv/bin/sagedock run", directory))
    return directory


@pytest.fixture(scope="module")
def tested(made: Path) -> dict[str, Any]:
    metrics = json.loads((made / "anomaly-job" / "output" / "data" / "metrics.json").read_text())
    found: dict[str, Any] = metrics["test"]
    return found


def row(name: str) -> str:
    """The cell behind `name` in the table of results."""
    found = re.search(rf"^\| {re.escape(name)} \| (.*) \|$", README, re.MULTILINE)
    assert found is not None, name
    return found[1]


def test_the_figures_are_those_of_the_job(tested: dict[str, Any]) -> None:
    """Issue 4 item 6."""
    assert row("mean of the scores, deviation") == f"{tested['mean']:.4f}, {tested['deviation']:.4f}"
    assert row("cut-off") == f"{tested['cut_off']:.4f}"
    assert row("rows above it, labelled") == str(tested["true_positives"])
    assert row("rows above it, not labelled") == str(tested["false_positives"])
    labelled = tested["true_positives"] + tested["false_negatives"]
    assert row("rows labelled") == f"{labelled:,} of {tested['rows']:,}"
    assert row("precision, recall, F1") == ", ".join(f"{tested[name]:.4f}" for name in ("precision", "recall", "f1"))


def test_the_peaks_are_the_snow_storm_the_marathon_and_christmas(tested: dict[str, Any]) -> None:
    for name, peak in zip(("the highest peak", "the second", "the third"), tested["highest"], strict=False):
        cell = row(name)
        assert cell.startswith(peak["row"])
        assert cell.endswith(f"{peak['score']:.4f}")
        assert peak["label"] == 1


def test_the_last_week_is_scored_in_a_batch(made: Path) -> None:
    ran(command(".venv/bin/sagedock transform", made))
    lines = (made / "anomaly-scores" / "request.csv.out").read_text().splitlines()
    assert len(lines) == 336
    scores = [json.loads(line)["score"] for line in lines]
    assert max(scores) > 1.4
    assert min(scores) > 0.5


def test_the_stream_follows_the_months_and_learns_the_last_week(made: Path) -> None:
    """Issue 4 item 3: score, then learn, from the raw series on."""
    ran(command(".venv/bin/sagedock run", made, 1))
    tested = json.loads((made / "anomaly-stream-job" / "output" / "data" / "metrics.json").read_text())["test"]
    assert row("half hours known, followed") == f"2,976, {tested['rows']:,}"
    assert row("points above the cut-off, labelled") == str(tested["true_positives"])
    assert row("points above the cut-off, not labelled") == str(tested["false_positives"])
    for name, peak in zip(("the highest peak followed", "the second followed"), tested["highest"], strict=False):
        assert row(name).startswith(peak["row"])
        assert row(name).endswith(f"{peak['score']:.4f}")
        assert peak["label"] == 1
    ran(command(".venv/bin/sagedock transform", made, 1))
    lines = (made / "anomaly-stream-scores" / "request.csv.out").read_text().splitlines()
    scores = [json.loads(line)["score"] for line in lines]
    assert f"up to {max(scores):.4f} in the storm" in README
    assert 96 < scores.index(max(scores)) < 4 * 48, "on 27 or 28 January"
