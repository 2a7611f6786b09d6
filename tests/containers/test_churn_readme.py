"""containers/churn/README.md: its commands run, and the figures in it are those that they give."""

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
README = (ROOT / "containers" / "churn" / "README.md").read_text()


def command(start: str, made: Path) -> list[str]:
    """The indented command of the page that begins with `start`, writing below `made` instead of build/."""
    found = re.search(rf"^    {re.escape(start)}(?:.*\\\n)*.*$", README, re.MULTILINE)
    assert found is not None, start
    words = shlex.split(found[0].replace("\\\n", " ").replace("build/", f"{made}/"))
    return [sys.executable if word.endswith("/python") else word for word in words]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    made = tmp_path_factory.mktemp("readme")
    prepare = command(".venv/bin/python", made)
    return made, subprocess.run(prepare, cwd=ROOT, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def metrics(prepared: tuple[Path, str]) -> dict[str, Any]:
    made, _ = prepared
    words = command(".venv/bin/sagedock run", made)
    run = subprocess.run([sys.executable, "-m", "sagedock", *words[1:]], cwd=ROOT, capture_output=True, check=False)
    assert run.returncode == 0, run.stderr.decode()[-2000:]
    content: dict[str, Any] = json.loads((made / "churn-job" / "output" / "data" / "metrics.json").read_text())
    return content


def test_the_batch_answers_for_every_customer_held_back(prepared: tuple[Path, str], metrics: dict[str, Any]) -> None:
    """The command of the section on batches, and what the page says that it writes; then with its DataProcessing."""
    made, _ = prepared
    assert metrics
    words = [sys.executable, "-m", "sagedock", *command(".venv/bin/sagedock transform", made)[1:]]
    assert subprocess.run(words, cwd=ROOT, capture_output=True, check=False).returncode == 0
    answers = [float(line) for line in (made / "churn-predictions" / "features.csv.out").read_text().splitlines()]
    assert len(answers) == 271
    assert all(0 < answer < 1 for answer in answers)
    found = re.search(r'^    "DataProcessing": (.*)$', README, re.MULTILINE)
    assert found is not None
    document = json.loads((ROOT / words[4]).read_text()) | {"DataProcessing": json.loads(found[1])}
    words[4] = str(made / "joined-job.json")
    Path(words[4]).write_text(json.dumps(document))
    assert subprocess.run(words, cwd=ROOT, capture_output=True, check=False).returncode == 0
    customers = (made / "churn-data" / "test" / "features.csv").read_text().splitlines()
    joined = (made / "churn-predictions" / "features.csv.out").read_text().splitlines()
    assert [line.split(",")[0] for line in joined] == [line.split(",")[0] for line in customers]
    assert [float(line.split(",")[1]) for line in joined] == answers


def row(name: str) -> list[str]:
    """The cells of a row of the table of results."""
    found = re.search(rf"^\| {re.escape(name)} \|(.*)\|$", README, re.MULTILINE)
    assert found is not None, name
    return [cell.strip() for cell in found[1].split("|")]


def test_the_sizes_are_those_printed(prepared: tuple[Path, str]) -> None:
    _, printed = prepared
    sizes = [line for line in printed.splitlines() if not line.startswith("written")]
    assert len(sizes) == 4
    for line in sizes:
        assert f"    {line}\n" in README


def test_the_validation_figures_are_those_of_the_job(metrics: dict[str, Any]) -> None:
    """The first two columns of the table, and the cut-off in its head."""
    half, chosen = metrics["confusion"]
    assert f"validation, {chosen['cut_off']:g} |" in README
    assert row("AUC")[0] == f"{metrics['auc']:.4f}"
    assert row("error")[:2] == [f"{half['error']:.4f}", f"{chosen['error']:.4f}"]
    for column, at in enumerate((half, chosen)):
        (_, vain), (lost, found) = at["counts"]
        assert row("left, found")[column] == f"{found} of {found + lost}"
        assert row("stayed, promotion in vain")[column] == f"{vain} of {sum(at['counts'][0])}"
    cost = metrics["cost"]
    assert row("cost")[:2] == [f"{cost['per_thousand_at_half']:,.0f}", f"{cost['per_thousand']:,.0f}"]
    assert row("cost without promotions")[0] == f"{cost['per_thousand_of_nobody']:,.0f}"
