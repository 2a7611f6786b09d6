"""The method of the built-in: moments, the decomposition of the third one, and topics from its cubes."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest

from sagedock.algorithms.lda import spectral
from sagedock.algorithms.lda.decomposition import Search, decompose
from sagedock.algorithms.lda.moments import Moments
from sagedock.errors import UserError
from sagedock.topics.documents import Documents
from tests.algorithms.lda import data
from tests.algorithms.lda.conftest import MakeJob


def search(restarts: int = 3, seed: int = 0) -> Search:
    return Search(max_restarts=restarts, max_iterations=500, tol=1e-8, allow_svd_init=True, seed=seed)


def test_bars_are_found() -> None:
    """The mean L1 error of the bars is at most 0.25, as the built-in's was 0.17 (ntm_lda L5)."""
    said: list[str] = []
    alpha, beta = spectral.learn(data.bars(5400).documents, data.TOPICS, 1.0, search(), said.append)
    assert data.topic_error(beta) <= 0.25
    assert alpha == pytest.approx(np.full(data.TOPICS, 0.1), abs=0.04)
    assert beta.sum(axis=1, dtype=np.float64) == pytest.approx(np.ones(data.TOPICS), abs=1e-5)
    assert "Running LDA for 13 topics (10 requested)" in said


def test_moments_are_those_of_all_pairs_and_triples_of_words() -> None:
    """Against counting every pair and triple of different tokens of every document, for six words."""
    chance = np.random.default_rng(3)
    counts = chance.integers(0, 3, (8, 6)).astype(np.float32)
    counts[0] = 0
    counts[1] = [2, 0, 0, 0, 0, 0]  # of two words, which counts nowhere
    moments = Moments(Documents.of_dense(counts), 0.7)
    long = counts[counts.sum(axis=1) >= 3]
    first, pairs, triples = np.zeros(6), np.zeros((6, 6)), np.zeros((6, 6, 6))
    for row in long:
        tokens = np.repeat(np.arange(6), row.astype(int))
        chosen = list(permutations(range(len(tokens)), 3))
        first += row.astype(float) / row.sum() / len(long)
        for places in chosen:
            a, b, c = tokens[list(places)]
            pairs[a, b] += 1 / len(chosen) / len(long)
            triples[a, b, c] += 1 / len(chosen) / len(long)
    a0 = 0.7
    second = pairs - a0 / (a0 + 1) * np.outer(first, first)
    assert moments.second(np.eye(6)) == pytest.approx(second, abs=1e-12)
    mixed = np.zeros((6, 6, 6))
    for i, j, k in product(range(6), repeat=3):
        mixed[i, j, k] = pairs[i, j] * first[k] + pairs[i, k] * first[j] + pairs[j, k] * first[i]
    third = triples - a0 / (a0 + 2) * mixed
    third += 2 * a0**2 / ((a0 + 1) * (a0 + 2)) * np.einsum("i,j,k->ijk", first, first, first)
    along = chance.standard_normal((6, 4))
    seen = np.einsum("ijk,ia,jb,kc->abc", third, along, along, along)
    assert moments._third(along) == pytest.approx(seen, abs=1e-10)


def test_cubes_are_found_again() -> None:
    """A tensor that is a sum of cubes of vectors, which need not be orthogonal, is decomposed without an error."""
    chance = np.random.default_rng(1)
    vectors = chance.standard_normal((5, 4))
    vectors /= np.linalg.norm(vectors, axis=0)
    weights = np.array([3.0, 2.0, 1.5, 1.0])
    tensor = np.einsum("ia,ja,ka,a->ijk", vectors, vectors, vectors, weights)
    found = decompose(tensor, 4, search(restarts=5))
    assert found.error < 1e-3
    assert np.sort(found.weights) == pytest.approx(np.sort(weights), rel=1e-2)


def test_short_documents_are_left_out(make_job: MakeJob) -> None:
    """Documents of no, one or two words neither count nor crash (ntm_lda L10)."""
    known = data.bars(300).counts
    short = np.zeros((6, data.WORDS), np.float32)
    short[1, 3], short[2, 5], short[3, 0], short[3, 4] = 1, 2, 1, 1
    with_short = Moments(Documents.of_dense(np.concatenate([short, known])), 1.0)
    assert (with_short.first == Moments(Documents.of_dense(known), 1.0).first).all()
    job = make_job(documents=306, _engine="spectral", max_restarts="1")
    job.add_channel(
        "train", {"docs.csv": data.csv(np.concatenate([short, known]))}, ContentType="text/csv;label_size=0"
    )
    assert job.run() == 0


def test_the_log_is_that_of_the_built_in(make_job: MakeJob, capfd: pytest.CaptureFixture[str]) -> None:
    """10 topics asked for, 13 computed (ntm_lda L2); and the lines that searches look for."""
    job = make_job(_engine="spectral", max_restarts="2", max_iterations="30")
    assert job.run() == 0
    out = capfd.readouterr().out
    for line in (
        "Loaded all data into matrix with shape: (200, 25)",
        "Running LDA for 13 topics (10 requested)",
        "Seed of random SVD : ('MT19937', array([ 0, 1, 1812433255,",
        "Restart 1/2",
        "[CPDecomp] Starting CPDecomp...",
        "line_search=True, relaxation_factor=scaled",
        "[CPDecomp] Using svd initialization.",
        "Best reconstruction error: 0.",
        "#progress_metric: host=algo-1, completed 100 % of epochs",
        "#throughput_metric: host=algo-1, train throughput=",
        "Serializing LDA model to ",
        "Test data is not provided.",
    ):
        assert line in out


@pytest.mark.parametrize(("alpha0", "warned"), [("1.0", True), ("0.5", False)])
def test_a_prior_of_one_and_more_is_warned_of(
    make_job: MakeJob, capfd: pytest.CaptureFixture[str], alpha0: str, warned: bool
) -> None:
    """As by the built-in, at its own default, too (ntm_lda L6)."""
    job = make_job(_engine="spectral", max_restarts="1", max_iterations="5", alpha0=alpha0)
    assert job.run() == 0
    assert ("Algorithm assumes alpha0 < 1.0. May return poor results" in capfd.readouterr().out) == warned


def test_one_seed_gives_one_model(make_job: MakeJob) -> None:
    """max_restarts=1 begins with singular vectors and is deterministic, byte by byte (ntm_lda L9)."""
    files = []
    for name in ("one", "other"):
        job = make_job(name, _engine="spectral", max_restarts="1")
        assert job.run() == 0
        files.append((job.model / "model_algo-1").read_bytes())
    assert files[0] == files[1]


def test_more_topics_than_the_documents_tell_apart_are_refused() -> None:
    """Documents that are all alike have nothing to find ten topics by."""
    counts = np.tile(np.arange(1, 7, dtype=np.float32), (40, 1))
    with pytest.raises(UserError, match=r"differ in [01] directions by the spectral method.*num_topics 5"):
        spectral.learn(Documents.of_dense(counts), 5, 1.0, search(), lambda _: None)
