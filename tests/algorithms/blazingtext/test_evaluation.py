"""Word similarity and analogies: the method of eval-word-vectors, the shape of eval.json, bad files."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from sagedock.algorithms.blazingtext.evaluation import FILES, VARIABLE, analogies, evaluate, read_pairs, spearman
from sagedock.errors import UserError

SHARED = Path(__file__).parents[4] / "shared" / "data" / "wordvec"
few = st.lists(st.integers(0, 9), min_size=2, max_size=30)


def write(folder: Path, text: str) -> Path:
    for name in FILES:
        (folder / name).write_text(text)
    return folder


@given(few, st.randoms())
def test_spearman_is_scipys_ties_included(values: list[int], chance: st.DataObject) -> None:
    others = [chance.randint(0, 9) for _ in values]
    if len(set(values)) > 1 and len(set(others)) > 1:
        assert spearman(np.array(values), np.array(others)) == pytest.approx(spearmanr(values, others)[0])


def test_nothing_to_rank_is_no_correlation() -> None:
    assert spearman(np.array([]), np.array([])) == 0
    assert spearman(np.array([1, 1]), np.array([1, 2])) == 0


def test_eval_json_has_its_shape_and_words_are_lower_cased(tmp_path: Path) -> None:
    """blazingtext 8: the file keys, and mean_rho is their mean; blazingtext.md 5: lower case, cosine, not_found."""
    write(tmp_path, "Sun moon 8\nsun stone 3\nmoon stone 4\nsun absent 5\n")
    (tmp_path / FILES[1]).write_text("sun absent 5\n")
    pairs = read_pairs(tmp_path)
    assert pairs is not None
    vectors = np.array([[1, 0], [2, 1], [-1, 5]], np.float32)
    found = evaluate({b"sun": 0, b"moon": 1, b"stone": 2}, vectors, pairs)
    assert found == {
        FILES[0]: {"not_found": 1, "spearmans_rho": 1.0, "total_pairs": 4},
        FILES[1]: {"not_found": 1, "spearmans_rho": 0.0, "total_pairs": 1},
        FILES[2]: {"not_found": 1, "spearmans_rho": 1.0, "total_pairs": 4},
        "mean_rho": pytest.approx(2 / 3),
    }


@pytest.mark.parametrize("line", ["sun moon", "sun moon stone", "sun moon 3 4", "sun moon 3,5"])
def test_a_line_that_is_no_pair_is_refused_by_file_and_line(line: str, tmp_path: Path) -> None:
    write(tmp_path, f"sun moon 1.5\n{line}\n")
    with pytest.raises(UserError, match=rf"{FILES[0]}, line 2 is '{line}'"):
        read_pairs(tmp_path)


def test_absent_files_make_one_log_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Issue 5 item 1: WS-353 files come from SAGEDOCK_WORDSIM_DIR; absent, one log line and no eval.json."""
    caplog.set_level(logging.INFO)
    assert read_pairs(None) is None
    assert [VARIABLE in record.getMessage() for record in caplog.records] == [True]
    (tmp_path / FILES[0]).write_text("sun moon 1\n")
    assert read_pairs(tmp_path) is None
    assert [record.getMessage() for record in caplog.records[1:]] == [
        f"Word embeddings are not evaluated: {VARIABLE} is {tmp_path}, which lacks {FILES[1]}, {FILES[2]}"
    ]


def test_the_real_files_have_their_pairs() -> None:
    """blazingtext 8: totals 353, 252 and 203."""
    if not SHARED.is_dir():
        pytest.skip(f"the shared data folder {SHARED} is absent")
    pairs = read_pairs(SHARED / "word-sim")
    assert pairs is not None
    assert [len(pairs[name]) for name in FILES] == [353, 252, 203]
    nothing = evaluate({}, np.empty((0, 3), np.float32), pairs)
    assert [nothing[name]["not_found"] for name in FILES] == [353, 252, 203]


def test_analogies_are_judged_by_gensim(tmp_path: Path) -> None:
    questions = tmp_path / "questions.txt"
    questions.write_text(": made-up\nman woman king queen\nman king woman queen\nman king woman x\na b c d\n")
    words = [b"man", b"woman", b"king", b"queen", b"x"]
    vectors = np.array([[1, 0, 1], [1, 1, 1], [5, 0, 1], [5, 1, 1], [0, 0, 9]], np.float32)
    assert analogies(words, vectors, questions) == pytest.approx(2 / 3)
