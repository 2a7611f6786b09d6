"""containers/word-vectors: from a text to vectors that agree with people, and to answers."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WORKLOAD = ROOT / "containers" / "word-vectors"


def test_a_text_becomes_vectors_that_agree_with_people(shared: Path, tmp_path: Path) -> None:
    """blazingtext 7, on 3.7 million words of Wikipedia instead of the 17 million of text8, and the README's figures."""
    (tmp_path / "data").mkdir()
    with gzip.open(shared / "wordvec" / "wiki_dev_az.txt.gz", "rb") as text:
        (tmp_path / "data" / "wiki.txt").write_bytes(text.read())
    sagedock = [sys.executable, "-m", "sagedock"]
    run = [*sagedock, "run", str(WORKLOAD / "training-job.json"), "--base", str(tmp_path / "job")]
    run += ["--channel", f"train={tmp_path / 'data'}"]
    environment = {**os.environ, "SAGEDOCK_WORDSIM_DIR": str(shared / "wordvec" / "word-sim")}
    done = subprocess.run(run, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "Number of words:  29861" in done.stdout
    assert "29,861 words" in (WORKLOAD / "README.md").read_text()
    found = json.loads((tmp_path / "job" / "model" / "eval.json").read_text())
    assert [facts["total_pairs"] for name, facts in sorted(found.items()) if name != "mean_rho"] == [353, 252, 203]
    assert found["mean_rho"] == pytest.approx(0.63, abs=0.04)
    assert f"#mean_rho: {found['mean_rho']!r}" in done.stdout
    (tmp_path / "words.jsonl").write_text('{"source": "river"}\n{"source": "zzzz"}\n')
    transform = [
        *sagedock,
        "transform",
        str(WORKLOAD / "transform-job.json"),
        "--model",
        str(tmp_path / "job" / "model"),
    ]
    transform += ["--input", str(tmp_path / "words.jsonl"), "--output", str(tmp_path / "answers")]
    assert subprocess.run(transform, capture_output=True, check=False).returncode == 0
    answers = [json.loads(line) for line in (tmp_path / "answers" / "words.jsonl.out").read_text().splitlines()]
    assert [answer["word"] for answer in answers] == ["river", "zzzz"]
    assert any(answers[0]["vector"])
    assert answers[1]["vector"] == [0.0] * 100
