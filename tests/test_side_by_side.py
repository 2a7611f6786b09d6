"""Tests that several workers share: one that is marked `alone` runs while no other does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
CONFTEST = "from tests.conftest import pytest_make_parametrize_id, pytest_runtest_protocol\n"
TEST = """
import os, time
import pytest

@pytest.mark.parametrize("number", range({count}))
{mark}
def test_span(number):
    start = time.monotonic()
    until = start + {seconds}
    while time.monotonic() < until:
        pass
    with open({spans!r}, "a") as file:
        print({mark!r} != "", start, time.monotonic(), os.environ["PYTEST_XDIST_WORKER"], file=file)
"""


def test_what_is_alone_overlaps_with_nothing(tmp_path: Path) -> None:
    """Each file has a worker of its own; the spans of what is marked are apart from all others."""
    spans = tmp_path / "spans"
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = alone: as in pyproject.toml\n")
    for name, mark, count, seconds in (("one", "@pytest.mark.alone", 3, 0.2), ("many", "", 30, 0.03)):
        text = TEST.format(mark=mark, count=count, seconds=seconds, spans=str(spans))
        (tmp_path / f"test_{name}.py").write_text(text)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadfile", "--no-loadscope-reorder", tmp_path],
        env=environment | {"PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout
    assert run.stdout.splitlines()[-1].startswith("33 passed")
    found = [line.split() for line in spans.read_text().splitlines()]
    assert len({worker for *_, worker in found}) == 2
    alone = [(float(start), float(end)) for mark, start, end, _ in found if mark == "True"]
    others = [(float(start), float(end)) for mark, start, end, _ in found if mark == "False"]
    assert (len(alone), len(others)) == (3, 30)
    assert not [(one, other) for one in alone for other in others if one[0] < other[1] and other[0] < one[1]]


def test_names_of_tests_hold_no_bytes_and_nothing_long(tmp_path: Path) -> None:
    """Workers that collect at other times, or in another order of sets, find the same names."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_names.py").write_text(
        "import pytest, time\n"
        "@pytest.mark.parametrize('value', [b'x', str(time.time_ns()) * 4, 'word'])\ndef test_it(value): pass\n"
    )
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", tmp_path],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert [line.partition("::")[2] for line in run.stdout.splitlines()[:3]] == [
        "test_it[value0]",
        "test_it[value1]",
        "test_it[word]",
    ]
