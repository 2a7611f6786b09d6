"""What is wrong with a job is said in words that name the place, the value, what is allowed and the remedy."""

from __future__ import annotations

import pytest

from sagedock.algorithms.lda import sampling
from sagedock.algorithms.lda.sampling import Settings
from sagedock.errors import UserError
from tests.algorithms.lda import data
from tests.algorithms.lda.conftest import MakeJob

CSV = "text/csv;label_size=0"


@pytest.mark.parametrize("name", ["num_topics", "feature_dim", "mini_batch_size"])
def test_what_is_required_is_missed(make_job: MakeJob, name: str) -> None:
    """By name (ntm_lda L1)."""
    job = make_job(**{name: None})
    assert job.run() == 1
    assert name in job.failure


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"num_topics": "0"}, "num_topics"),
        ({"alpha0": "0"}, "alpha0"),
        ({"tol": "-1"}, "tol"),
        ({"_engine": "nmf"}, "_engine"),
        ({"_engine": "spectral", "_sweeps": "9"}, "_sweeps has no meaning with _engine spectral"),
        ({"stop_words": "x"}, "stop_words"),
    ],
)
def test_wrong_hyperparameters_are_refused(make_job: MakeJob, given: dict[str, str], told: str) -> None:
    job = make_job(**given)
    assert job.run() == 1
    assert told in job.failure


def test_several_instances_are_refused(make_job: MakeJob) -> None:
    """As a client error that says single instance (ntm_lda L1)."""
    job = make_job()
    job.write_config("resourceconfig", {"current_host": "algo-1", "hosts": ["algo-1", "algo-2"]})
    assert job.run() == 1
    assert "single instance" in job.failure


def test_csv_in_pipe_mode_is_refused(make_job: MakeJob) -> None:
    """As a client error (ntm_lda L8)."""
    job = make_job()
    job.declare("train", TrainingInputMode="Pipe", ContentType="text/csv")
    assert job.run() == 1
    assert "text/csv in Pipe mode" in job.failure


def test_one_topic_more_than_documents_is_refused(make_job: MakeJob) -> None:
    """And as many topics as documents are found (issue 6)."""
    job = make_job("more", documents=9)
    assert job.run() == 1
    assert "num_topics is 10, and the train channel holds 9 documents" in job.failure
    assert make_job("as-many", documents=10).run() == 0


@pytest.mark.parametrize("engine", ["gibbs", "gensim", "spectral"])
def test_some_empty_documents_do_not_matter(make_job: MakeJob, engine: str) -> None:
    """Every engine passes over them."""
    counts = data.bars(100).counts
    counts[::7] = 0
    job = make_job(documents=100, _engine=engine)
    job.add_channel("train", {"docs.csv": data.csv(counts)}, ContentType=CSV)
    assert job.run() == 0


def test_another_number_of_documents_than_said_is_warned_of(
    make_job: MakeJob, caplog: pytest.LogCaptureFixture
) -> None:
    """All are used."""
    assert make_job(mini_batch_size="150").run() == 0
    assert "mini_batch_size is 150, and the train channel holds 200 documents" in caplog.text


def test_hyperparameters_of_the_built_in_without_effect_are_warned_of(
    make_job: MakeJob, caplog: pytest.LogCaptureFixture
) -> None:
    """They are accepted, with the hidden ones of the built-in (spec B1)."""
    assert make_job(max_restarts="3", tol="1e-6", epochs="1", _kvstore="local", allow_svd_init="true").run() == 0
    told = caplog.text
    for name in ("max_restarts", "tol", "epochs", "allow_svd_init"):
        assert f"Hyperparameter {name} has no effect with _engine gibbs" in told


def test_what_takes_too_much_memory_is_refused_before_it_is_taken() -> None:
    """A million words and a thousand topics, in three chains."""
    settings = Settings(topics=1000, sweeps=1, chains=3, beta=0.01, concentration=1.0, seed=0)
    documents = data.bars(5).documents
    with pytest.raises(UserError, match="lower _chains, num_topics or feature_dim"):
        sampling.require_memory(settings, documents, available=1000)
    sampling.require_memory(settings, documents, available=2**40)
