"""Jobs from beginning to end: channels, log, artefacts, and the three engines."""

from __future__ import annotations

import json
import os
import re
import threading
from pathlib import Path

import numpy as np
import pytest

from sagedock import core
from sagedock.algorithms.lda import ALGORITHM, artefact, sampling
from sagedock.algorithms.lda.gibbs import Chain, Corpus
from sagedock.algorithms.lda.inference import Topics
from sagedock.algorithms.lda.variational import BagOfWords
from sagedock.errors import ModelError
from sagedock.formats import safetensors
from tests.algorithms.lda import data
from tests.algorithms.lda.conftest import MakeJob, made
from tests.platform import Job
from tests.without_core import without_core

CSV = "text/csv;label_size=0"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """A finished job with a test channel and a vocabulary."""
    job = made(tmp_path_factory.mktemp("lda"), 400, _sweeps="60", _chains="3", alpha0="0.8")
    job.add_channel("test", {"docs.csv": data.csv(data.bars(50, seed=1).counts)}, ContentType=CSV)
    names = "".join(f"cell{word}\n" for word in range(data.WORDS))
    job.add_channel("auxiliary", {"vocab.txt": names}, ContentType="text/plain")
    assert job.run() == 0
    return job


def arrays(job: Job) -> tuple[np.ndarray, np.ndarray]:
    return artefact.read(job.model / artefact.NAME)


def test_the_model_is_a_prior_and_probabilities_of_words(trained: Job) -> None:
    """alpha is above 0 and at most alpha0 together, the rows of beta are 1 together (ntm_lda L4)."""
    alpha, beta = arrays(trained)
    assert alpha.shape == (data.TOPICS,)
    assert beta.shape == (data.TOPICS, data.WORDS)
    assert (alpha > 0).all()
    assert alpha.sum() <= 0.8 * 1.01
    assert beta.sum(axis=1, dtype=np.float64) == pytest.approx(np.ones(data.TOPICS), abs=1e-5)


def test_gibbs_finds_the_bars(trained: Job) -> None:
    """The mean L1 error is a fraction of what the built-in's method leaves."""
    assert data.topic_error(arrays(trained)[1]) < 0.12


def test_the_archive_holds_the_topics_for_other_programs(trained: Job) -> None:
    """As npz and as JSON, beside what is served; all of them are in the manifest."""
    alpha, beta = arrays(trained)
    found = np.load(trained.model / "lda.npz", allow_pickle=False)
    assert (found["alpha"] == alpha).all()
    assert (found["beta"] == beta).all()
    told = json.loads((trained.model / "topics.json").read_text())
    best = told["topics"][0]["words"][0]
    assert best["word"] == f"cell{int(np.argmax(beta[0]))}"
    names = {"model_algo-1", "lda.npz", "topics.json", "vocabulary.json"}
    manifest = trained.manifest()
    assert set(manifest["files"]) == names
    assert (
        manifest["model"] | {"feature_count": data.WORDS, "num_topics": data.TOPICS, "engine": "gibbs"}
        == manifest["model"]
    )


def test_metrics_and_report_tell_of_the_topics(trained: Job) -> None:
    """metrics.json holds what the report is drawn from."""
    metrics = trained.metrics()
    assert metrics["documents"] == 400
    assert metrics["num_topics"] == data.TOPICS
    assert metrics["passes"] == [10, 20, 30, 40, 50, 60]
    assert metrics["log_likelihoods"][-1] > metrics["log_likelihoods"][0]
    assert metrics["test"]["pwll"] < 0
    assert "cell" in (trained.output_data / "report.html").read_text()


def test_the_log_has_the_lines_of_the_built_in(make_job: MakeJob, capfd: pytest.CaptureFixture[str]) -> None:
    """And the line of the test channel matches the metric's definition, with a negative value (ntm_lda L7)."""
    job = make_job()
    job.add_channel("test", {"docs.csv": data.csv(data.bars(20, seed=1).counts)}, ContentType=CSV)
    assert job.run() == 0
    out = capfd.readouterr().out
    for line in (
        "Loaded all data into matrix with shape: (200, 25)",
        "#progress_metric: host=algo-1, completed 100 % of epochs",
        "#throughput_metric: host=algo-1, train throughput=",
        "Serializing LDA model to ",
        '"Algorithm": "LDA"',
        "#test_score (algo-1) : ('pwll', -",
    ):
        assert line in out
    (found,) = re.findall(ALGORITHM.metrics[0].regex, out)
    assert float(found) < 0
    assert "CPDecomp" not in out  # only the spectral method has those lines
    assert "assumes alpha0" not in out


def test_likelihood_of_the_true_topics_is_that_of_the_true_mixtures() -> None:
    """Within 2 % for documents long enough to tell their mixtures (ntm_lda L7)."""
    known = data.bars(300, seed=5)
    asked = Topics.of(np.full(data.TOPICS, 0.1, np.float32), data.bar_topics().astype(np.float32))
    found = asked.log_likelihood(known.documents) / known.documents.tokens
    assert found == pytest.approx(known.likelihood(), rel=0.02)


@pytest.mark.parametrize("engine", ["gibbs", "gensim", "spectral"])
@pytest.mark.parametrize("kind", ["csv", "sparse"])
def test_every_engine_reads_every_type(make_job: MakeJob, engine: str, kind: str) -> None:
    """CSV and sparse recordio give what dense recordio gives, to the byte."""
    dense = make_job("dense", _engine=engine)
    other = make_job("other", _engine=engine)
    counts = data.bars(200).counts
    if kind == "csv":
        other.add_channel("train", {"docs.csv": data.csv(counts)}, ContentType=CSV)
    else:
        other.add_channel("train", {"docs.pbr": data.sparse_recordio(counts)})
    assert dense.run() == 0
    assert other.run() == 0
    assert (dense.model / artefact.NAME).read_bytes() == (other.model / artefact.NAME).read_bytes()
    alpha, _ = arrays(dense)
    assert alpha.sum() <= 1.01


def test_gensim_is_gensims_own_model(make_job: MakeJob) -> None:
    """_engine=gensim gives what gensim's LdaModel does with one pass and the prior alpha0 / num_topics."""
    from gensim.models import LdaModel

    job = make_job(_engine="gensim", alpha0="0.5", _seed="3")
    assert job.run() == 0
    bag = list(BagOfWords(data.bars(200).documents))
    peer = LdaModel(
        bag,
        id2word=dict.fromkeys(range(data.WORDS), ""),
        num_topics=data.TOPICS,
        alpha=[0.05] * data.TOPICS,
        passes=1,
        random_state=3,
    )
    alpha, beta = arrays(job)
    assert beta == pytest.approx(peer.get_topics(), rel=1e-5)
    assert alpha == pytest.approx(np.full(data.TOPICS, 0.05))


def test_without_the_core_the_model_is_the_same(make_job: MakeJob) -> None:
    """To the byte: what compiled code samples, NumPy samples too."""
    if core.native is None:
        pytest.skip("the core is not built: install g++ and run scripts/setup")
    files = []
    for name in ("with", "without"):
        job = make_job(name, documents=20, _sweeps="2", _chains="1")
        if name == "with":
            assert job.run() == 0
        else:
            with without_core():
                assert job.run() == 0
        files.append((job.model / artefact.NAME).read_bytes())
    assert files[0] == files[1]


def test_the_seed_decides(make_job: MakeJob) -> None:
    """One seed gives one model, another gives another."""
    found = []
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        job = make_job(name, _seed=seed)
        assert job.run() == 0
        found.append((job.model / artefact.NAME).read_bytes())
    assert found[0] == found[1] != found[2]


def test_the_most_coherent_of_the_likely_chains_is_kept() -> None:
    """Not one that has not found its way, however its words go together (issue 6, item 3)."""
    documents = data.bars(150, length=12).documents
    corpus = Corpus.of(documents)
    chains = [Chain.begun(corpus, np.full(data.TOPICS, 0.1), 0.05, seed) for seed in range(4)]
    for chain in chains[:3]:
        for _ in range(8):
            sampling.advance(chain, 5, 1.0)
    scores = [sampling.coherence(chain, documents) for chain in chains]
    likelihoods = [chain.log_likelihood() for chain in chains]
    least = max(likelihoods) * (1 + sampling.LIKELIHOOD_SLACK)
    assert likelihoods[3] < least  # of topics drawn at random, and so none
    likely = [place for place in range(4) if likelihoods[place] >= least]
    best = max(likely, key=lambda place: scores[place])
    assert sampling.most_coherent(chains, documents) is chains[best]


def test_recordio_comes_through_a_pipe(make_job: MakeJob) -> None:
    """The model is that of a file with the same records (ntm_lda L8)."""
    by_file, by_pipe = make_job("file"), make_job("pipe")
    assert by_file.run() == 0
    content = (by_pipe.data / "train" / "docs.pbr").read_bytes()
    by_pipe.declare("train", TrainingInputMode="Pipe", ContentType="application/x-recordio-protobuf")
    fifo = by_pipe.data / "train_0"
    os.mkfifo(fifo)
    writer = threading.Thread(target=fifo.write_bytes, args=(content,))
    writer.start()
    assert by_pipe.run() == 0
    writer.join()
    assert (by_file.model / artefact.NAME).read_bytes() == (by_pipe.model / artefact.NAME).read_bytes()


def test_raw_text_is_learnt_from(tmp_path: Path) -> None:
    """A line a document; the vocabulary travels in the model, and topics are what the lines are about."""
    asked = {"num_topics": "2", "feature_dim": "50", "mini_batch_size": "60", "_sweeps": "40", "_stemming": "none"}
    job = Job(tmp_path, asked, {"SAGEDOCK_ALGORITHM": "lda"})
    job.add_channel("train", {"lines.txt": "\n".join(data.texts(60)) + "\n"}, ContentType="text/plain")
    assert job.run() == 0
    told = json.loads((job.model / "topics.json").read_text())["topics"]
    tops = [{one["word"] for one in topic["words"][:6]} for topic in told]
    assert sorted(tops, key=sorted) == sorted([set(data.ANIMALS), set(data.TOOLS)], key=sorted)


def test_artefacts_of_another_format_are_not_believed(tmp_path: Path) -> None:
    """What is no topic model says so (a hostile file among them)."""
    good = {"alpha": np.full(2, 0.5, np.float32), "beta": np.full((2, 4), 0.25, np.float32)}
    facts = {"format": artefact.FORMAT, "version": artefact.VERSION}
    file = tmp_path / artefact.NAME
    for arrays, metadata, reason in (
        (good, {}, "its format is"),
        ({"alpha": good["alpha"]}, facts, "not alpha, beta"),
        ({**good, "alpha": good["alpha"][:1]}, facts, "not \\(topics,\\)"),
        ({**good, "alpha": -good["alpha"]}, facts, "not above 0"),
        ({**good, "beta": good["beta"] * 2}, facts, "1 together"),
        ({**good, "beta": np.full((2, 4), np.nan, np.float32)}, facts, "1 together"),
        ({**good, "beta": good["beta"].astype(np.float64)}, facts, "32-bit floats"),
    ):
        safetensors.write(file, arrays, metadata)
        with pytest.raises(ModelError, match=reason):
            artefact.read(file)
    file.write_bytes(b"no model")
    with pytest.raises(ModelError, match="deploy the model's archive again"):
        artefact.read(file)
