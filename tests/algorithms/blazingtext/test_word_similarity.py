"""WS-353: the rank correlation, what counts as found, and what eval.json and the log tell."""

from __future__ import annotations

import json
from pathlib import Path

import gensim
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sagedock.algorithms.blazingtext import word_similarity
from sagedock.algorithms.blazingtext.embedding import Embedding
from sagedock.algorithms.blazingtext.vectors_file import Vectors
from sagedock.algorithms.blazingtext.word_similarity import FILES, VARIABLE
from sagedock.errors import UserError
from tests.algorithms.blazingtext.jobs import job, value
from tests.containers.conftest import SHARED

WORDSIM = SHARED / "wordvec" / "word-sim"
needs_wordsim = pytest.mark.skipif(not WORDSIM.is_dir(), reason=f"the shared data folder {WORDSIM} is absent")
NUMBERS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=30)


def write(folder: Path, pairs: str = "Tiger\tcat\t7.35\nbook\tpaper\t7.46\nking\tcabbage\t0.23\n") -> Path:
    folder.mkdir(exist_ok=True)
    for name in FILES:
        (folder / name).write_text(pairs, encoding="utf-8")
    return folder


def embedding(**vectors: list[float]) -> Embedding:
    values = np.array(list(vectors.values()), np.float32)
    return Embedding.of_vectors(Vectors([word.encode() for word in vectors], values))


@given(NUMBERS)
def test_the_rank_correlation_is_scipys(pairs: list[tuple[int, int]]) -> None:
    first, second = np.array(pairs, np.float64).T
    expected = stats.spearmanr(first, second).statistic if len(set(first)) > 1 and len(set(second)) > 1 else 0
    assert word_similarity.spearman(first, second) == pytest.approx(expected, abs=1e-12)


def test_pairs_without_a_vector_are_counted_and_skipped(tmp_path: Path) -> None:
    files = word_similarity.read({VARIABLE: str(write(tmp_path / "sim"))})
    assert files is not None
    found = word_similarity.evaluate(
        embedding(tiger=[1, 0], cat=[1, 0.1], King=[0, 1], cabbage=[1, 0], paper=[1, 1]), files
    )
    assert found[FILES[0]] == {"not_found": 1, "spearmans_rho": pytest.approx(1), "total_pairs": 3}
    assert found["mean_rho"] == pytest.approx(1)
    nothing = word_similarity.evaluate(embedding(other=[1, 2]), files)
    assert nothing[FILES[2]] == {"not_found": 3, "spearmans_rho": 0.0, "total_pairs": 3}


@needs_wordsim
def test_gensim_judges_the_same(tmp_path: Path) -> None:
    """The method of eval-word-vectors; gensim's skips the same pairs."""
    files = word_similarity.read({VARIABLE: str(WORDSIM)})
    assert files is not None
    assert [len(files[name].words) for name in FILES] == [353, 252, 203]
    words = sorted({word for pairs in files.values() for pair in pairs.words for word in pair})[5:]
    values = np.random.default_rng(0).standard_normal((len(words), 12)).astype(np.float32)
    keyed = gensim.models.KeyedVectors(12)
    keyed.add_vectors(words, values)
    found = word_similarity.evaluate(Embedding.of_vectors(Vectors([word.encode() for word in words], values)), files)
    for name in FILES:
        _, correlation, missing = keyed.evaluate_word_pairs(str(WORDSIM / name), case_insensitive=True)
        assert found[name]["spearmans_rho"] == pytest.approx(correlation.statistic, abs=1e-6)
        assert found[name]["not_found"] == round(missing * len(files[name].words) / 100)


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


@pytest.mark.parametrize(
    ("pairs", "says"), [("tiger cat\n", "line 1: not two words"), ("a b 1\nc d e\n", "line 2: not two words")]
)
def test_a_file_of_something_else_is_refused_before_training(tmp_path: Path, pairs: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        word_similarity.read({VARIABLE: str(write(tmp_path / "sim", pairs))})


def test_a_directory_without_the_files_is_refused(tmp_path: Path) -> None:
    made = job(tmp_path, "skipgram", environment={VARIABLE: str(tmp_path)})
    assert made.run() == 1
    assert f"{VARIABLE} has to name a directory that holds EN-WS-353-ALL.txt" in made.failure
