"""WS-353 in jobs: what eval.json and the log tell, and when nothing is judged."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from sagedock.algorithms.blazingtext.evaluation import FILES, VARIABLE
from tests.algorithms.blazingtext.jobs import job, value
from tests.containers.conftest import SHARED

WORDSIM = SHARED / "wordvec" / "word-sim"
needs_wordsim = pytest.mark.skipif(not WORDSIM.is_dir(), reason=f"the shared data folder {WORDSIM} is absent")


def write(folder: Path, pairs: str = "Tiger\tcat\t7.35\nbook\tpaper\t7.46\nking\tcabbage\t0.23\n") -> Path:
    folder.mkdir(exist_ok=True)
    for name in FILES:
        (folder / name).write_text(pairs, encoding="utf-8")
    return folder


@needs_wordsim
def test_a_job_writes_eval_json_and_tells_the_mean(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """blazingtext 8"""
    pairs = (WORDSIM / FILES[0]).read_text(encoding="utf-8").lower().split("\n")
    text = "".join(" ".join(pair.split()[:2]) + " and so on\n" for pair in pairs[:340])
    made = job(tmp_path, "skipgram", train=text, environment={VARIABLE: str(WORDSIM)})
    assert made.run() == 0, made.failure
    found = json.loads((made.model / "eval.json").read_text())
    assert sorted(found) == [*FILES, "mean_rho"]
    assert [found[name]["total_pairs"] for name in FILES] == [353, 252, 203]
    assert 0 < found[FILES[0]]["not_found"] <= 13
    assert found["mean_rho"] == pytest.approx(np.mean([found[name]["spearmans_rho"] for name in FILES]))
    shown = capsys.readouterr().out.splitlines()
    assert value(shown, "#mean_rho") == found["mean_rho"]
    assert shown.index("Evaluating word embeddings....") < shown.index(f"Vectors read from: {made.model}/vectors.txt ")
    begin = shown.index("{")
    assert json.loads("\n".join(shown[begin : shown.index("}") + 1])) == found
    assert made.manifest()["files"].keys() == {"eval.json", "vectors.bin", "vectors.txt"}
    assert made.metrics()["evaluation"] == found


@pytest.mark.parametrize("given", [{"evaluation": "False"}, {}])
def test_without_evaluation_there_is_no_eval_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, given: dict[str, str]
) -> None:
    """blazingtext 9; issue 5 item 1: without the directory one line in the log."""
    environment = {VARIABLE: str(write(tmp_path / "sim"))} if given else {}
    made = job(tmp_path / "job", "cbow", environment=environment, **given)
    with caplog.at_level("INFO"):
        assert made.run() == 0, made.failure
    assert "#mean_rho" not in capsys.readouterr().out
    assert not (made.model / "eval.json").exists()
    told = [record.getMessage() for record in caplog.records if VARIABLE in record.getMessage()]
    assert len(told) == (0 if given else 1)


def test_a_file_of_something_else_is_refused_before_training(tmp_path: Path) -> None:
    made = job(tmp_path / "job", "cbow", environment={VARIABLE: str(write(tmp_path / "sim", "tiger cat\n"))})
    assert made.run() == 1
    assert "line 1 is 'tiger cat'" in made.failure


def test_a_directory_that_lacks_a_file_is_told_and_nothing_is_judged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = job(tmp_path, "cbow", environment={VARIABLE: str(tmp_path)})
    with caplog.at_level("INFO"):
        assert made.run() == 0, made.failure
    assert not (made.model / "eval.json").exists()
    assert len([record for record in caplog.records if VARIABLE in record.getMessage()]) == 1
