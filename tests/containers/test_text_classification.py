"""containers/text-classification: from the raw table to channels, to a model that tells topics, to answers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from sagedock.errors import UserError

ROOT = Path(__file__).parents[2]
WORKLOAD = ROOT / "containers" / "text-classification"
HEADER = "label,label_text,text"
ROWS = [
    HEADER,
    *(f'{number % 2},{("World", "Sci/Tech")[number % 2]},"Text  {number}, as it\tis"' for number in range(20)),
]


def write(folder: Path, rows: list[str]) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "ag_news_4k_train.csv").write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    return folder


def test_every_text_falls_into_one_part_on_one_line(news: ModuleType, tmp_path: Path) -> None:
    news.prepare(write(tmp_path / "raw", ROWS), tmp_path / "made")
    parts = {
        name: (tmp_path / "made" / name / f"{name}.txt").read_text().splitlines() for name in news.Split.__annotations__
    }
    assert {name: len(lines) for name, lines in parts.items()} == {"train": 14, "validation": 4, "test": 2}
    lines = [line for part in parts.values() for line in part]
    expected = {f"__label__{('World', 'Sci/Tech')[number % 2]} Text {number}, as it is" for number in range(20)}
    assert set(lines) == expected
    requests = (tmp_path / "made" / "test" / "requests.jsonl").read_text().splitlines()
    assert [json.loads(line)["source"] for line in requests] == [line.partition(" ")[2] for line in parts["test"]]


def test_preparing_twice_gives_the_same_bytes(news: ModuleType, tmp_path: Path) -> None:
    raw = write(tmp_path / "raw", ROWS)
    for name in "ab":
        news.prepare(raw, tmp_path / name)
    for file in (tmp_path / "a").rglob("*.*"):
        assert (tmp_path / "b" / file.relative_to(tmp_path / "a")).read_bytes() == file.read_bytes()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda rows: rows[1:], "line 1: the header lacks label"),
        (lambda rows: [rows[0], '0,World," "', *rows[1:]], "line 2: text is empty"),
        (lambda rows: [rows[0], "0,,text", *rows[1:]], "line 2: label_text is empty"),
        (lambda rows: [rows[0], "0", *rows[1:]], "line 2: label_text is empty"),
        (lambda rows: rows[:5], "4 texts, and a 70/20/10 split needs at least 10"),
    ],
)
def test_a_wrong_table_is_refused_with_its_place(
    news: ModuleType, tmp_path: Path, change: Callable[[list[str]], list[str]], expected: str
) -> None:
    with pytest.raises(UserError, match=expected):
        news.prepare(write(tmp_path / "raw", change(ROWS)), tmp_path / "made")
    assert not (tmp_path / "made").exists()


def test_the_script_prints_the_sizes_of_the_readme_or_the_fault(shared: Path, tmp_path: Path) -> None:
    command = [sys.executable, str(WORKLOAD / "prepare.py"), str(tmp_path / "made"), "--data"]
    good = subprocess.run([*command, str(shared / "text")], capture_output=True, text=True, check=False)
    assert good.returncode == 0, good.stderr
    readme = (WORKLOAD / "README.md").read_text()
    assert len(good.stdout.splitlines()) == 3
    for line in good.stdout.splitlines():
        assert f"    {line}\n" in readme
    bad = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, check=False)
    assert (bad.returncode, bad.stderr.count("\n")) == (1, 1)
    assert "ag_news_4k_train.csv" in bad.stderr


def test_raw_text_becomes_answers(news: ModuleType, shared: Path, tmp_path: Path) -> None:
    """Issue 5 item 5: raw, prepared, trained, and a batch of answers, nearly as good as the README's figures."""
    news.prepare(shared / "text", tmp_path / "data")
    sagedock = [sys.executable, "-m", "sagedock"]
    run = [*sagedock, "run", WORKLOAD / "training-job.json", "--base", tmp_path / "job"]
    for name in ("train", "validation"):
        run += ["--channel", f"{name}={tmp_path / 'data' / name}"]
    trained = subprocess.run(run, capture_output=True, text=True, check=False)
    assert trained.returncode == 0, trained.stdout[-2000:] + trained.stderr[-2000:]
    metrics = json.loads((tmp_path / "job" / "output" / "data" / "metrics.json").read_text())
    assert metrics["validation"]["accuracy"] > 0.82
    assert abs(metrics["quantisation"]["loss"]) < 0.02
    assert metrics["quantisation"]["bytes"] < 2_000_000
    transform = [*sagedock, "transform", WORKLOAD / "transform-job.json", "--model", tmp_path / "job" / "model"]
    transform += ["--input", tmp_path / "data" / "test" / "requests.jsonl", "--output", tmp_path / "answers"]
    assert subprocess.run(transform, capture_output=True, check=False).returncode == 0
    answers = [json.loads(line) for line in (tmp_path / "answers" / "requests.jsonl.out").read_text().splitlines()]
    actual = [line.split(" ", 1)[0] for line in (tmp_path / "data" / "test" / "test.txt").read_text().splitlines()]
    assert sum(answer["label"] == [label] for answer, label in zip(answers, actual, strict=True)) > 0.77 * 400
