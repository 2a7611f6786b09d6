"""Training jobs from their channels to log, metrics and model."""

from __future__ import annotations

import json
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")

from sagedock.algorithms.ntm import ALGORITHM
from sagedock.algorithms.ntm.model import load
from sagedock.contracts.hosting import InferenceOptions
from sagedock.topics.documents import Documents
from tests.algorithms.ntm import documents
from tests.algorithms.ntm.jobs import CSV, RECORDIO, TOPICS, TRAIN, VALIDATION, csv, job, recordio
from tests.platform import Job


@dataclass(frozen=True)
class Done:
    """A job that ended well, and its lines on stdout."""

    job: Job
    lines: list[str]

    def found(self, pattern: str) -> list[str]:
        """The first group of `pattern`, or all it matches, in each line that has it."""
        matches = [re.search(pattern, line) for line in self.lines]
        return [match[1] if match.re.groups else match[0] for match in matches if match]


def done(job: Job) -> Done:
    found = job.process()
    assert found.returncode == 0, found.stderr
    return Done(job, found.stdout.splitlines())


@pytest.fixture(scope="module")
def validated(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """With validation and test channels."""
    made = job(tmp_path_factory.mktemp("validated"), validation=VALIDATION, epochs="6", num_patience_epochs="1")
    made.add_channel("test", {"documents.csv": csv(VALIDATION)}, ContentType=CSV)
    return done(made)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """With a train channel alone, and a tenth of it each epoch."""
    made = job(tmp_path_factory.mktemp("plain"), sub_sample="0.2", num_patience_epochs="5")
    return done(made.add_channel("train", {"documents": recordio(TRAIN)}, ContentType=RECORDIO))


def test_each_epoch_tells_its_losses(validated: Done) -> None:
    """ntm_lda N7"""
    totals = [float(value) for value in validated.found(r"epoch=\d+, train total_loss <loss>=(\S+)")]
    assert len(totals) == 6
    losses = {
        name: validated.found(rf"Loss \(name: value\) {name}: (\S+)") for name in ("total", "kld", "recons", "logppx")
    }
    assert losses["logppx"] == losses["total"]
    for total, divergence, reconstruction in zip(losses["total"], losses["kld"], losses["recons"], strict=True):
        assert float(total) == pytest.approx(float(divergence) + float(reconstruction), abs=1e-6)
    assert len(losses["total"]) == 6 + 6 + 1 + 1, "training, validation, the model at the end, test"
    assert losses["total"][0] == repr(totals[0])


def test_the_tuning_metric_comes_once_with_the_loss_of_the_model(validated: Done) -> None:
    """ntm_lda N8, and the decision on the best epoch."""
    scores = [float(value) for value in validated.found(r"#validation_score \(\d+\): (\S+)")]
    (final,) = validated.found(r"#quality_metric: host=\S+, epoch=\S+, validation total_loss <loss>=(\S+)")
    assert float(final) == pytest.approx(min(scores), rel=1e-6)
    best = 1 + scores.index(min(scores))
    assert validated.found(r"Best model based on early stopping at epoch (\d+)\.") == [str(best)]
    assert validated.found(r"Loss of server-side model: (\S+)") == [final]
    assert validated.job.metrics()["best_epoch"] == best
    regexes = {metric.name: metric.regex for metric in ALGORITHM.metrics}
    assert len(validated.found(regexes["validation:total_loss"])) == 1
    assert len(validated.found(regexes["test:total_loss"])) == 1


def test_validation_scores_come_each_epoch_and_never_without_the_channel(validated: Done, plain: Done) -> None:
    """ntm_lda N9"""
    assert validated.found(r"#validation_score \((\d+)\)") == ["1", "2", "3", "4", "5", "6"]
    assert not plain.found("validation")
    assert plain.found("Test data is not provided.")


def test_a_last_batch_that_is_not_full_is_trained_on_and_not_scored(validated: Done) -> None:
    """ntm_lda N10: 100 documents in batches of 32 are 96 as 968 in batches of 128 are 896."""
    assert validated.found("# Finished training epoch 1 on 300 examples from 10 batches, each of size 32.")
    assert validated.found("Finished scoring on 96 examples from 3 batches, each of size 32.")


def test_a_fifth_of_the_documents_each_epoch(plain: Done) -> None:
    """ntm_lda N18"""
    assert plain.found(r"# Finished training epoch \d+ on (\d+) examples") == ["60"] * 4


def test_patience_beyond_the_epochs_trains_them_all(plain: Done) -> None:
    """ntm_lda N12"""
    assert plain.found(r"#progress_metric: host=\S+, completed (\S+) %") == ["25.0", "50.0", "75.0", "100.0"]


def test_the_log_has_the_lines_of_the_built_in(validated: Done) -> None:
    for line in (
        "# Starting training for epoch 1",
        "Metrics for Training:",
        "Metrics for Inference:",
        r"patience losses:\[\S+\] min patience loss:\S+ current loss:\S+ absolute loss difference:\S+$",
        r"Timing: train: \d+\.\d\ds, val: \d+\.\d\ds, epoch: \d+\.\d\ds",
        r'#metrics {.*"Algorithm": "AWS/NTM"',
        r"#throughput_metric: host=\S+, train throughput=\S+ records/second",
        r"Topics from epoch:final \(num_topics:5\) \[, tu \d\.\d\d\]:",
        r"Serializing model to \S+/model_algo-1",
    ):
        assert validated.found(line), line
    head = next(place for place, line in enumerate(validated.lines) if "Topics from epoch:final" in line)
    topic = re.compile(r"\] \d+(?: \d+){19}$")
    assert all(topic.search(line) for line in validated.lines[head + 1 : head + 1 + TOPICS])


def test_the_learning_rate_of_the_container_is_in_the_log(plain: Done) -> None:
    """ntm_lda N3"""
    (final,) = plain.found(r"Final configuration: (\{.*\})")
    assert json.loads(final)["learning_rate"] == 0.01


def test_early_stopping_says_so_and_ends_the_job(tmp_path: Path) -> None:
    found = done(job(tmp_path, validation=VALIDATION, epochs="50", num_patience_epochs="1", tolerance="0.1"))
    assert found.found("Bad epochs exceeded patience. Stopping training early!")
    assert found.found("Early stop condition met. Stopping training.")
    assert found.found(r"#progress_metric: host=\S+, completed (.*)$")[-1] == "100 % epochs"
    assert found.found(r"Bad count:(\d+)")[-1] == "2"


def test_the_archive_holds_the_projection(plain: Done) -> None:
    """ntm_lda N24, issue 6 item 6"""
    archive = plain.job.model / "model_algo-1"
    assert zipfile.is_zipfile(archive)
    with np.load(archive, allow_pickle=False) as arrays:
        projection = arrays["projection_weight"]
    assert projection.shape == (TRAIN.vocabulary_size, TOPICS)
    topics = json.loads((plain.job.model / "topics.json").read_text())["topics"]
    best = [word["index"] for word in topics[0]["words"]]
    assert best == np.argsort(-projection[:, 0], kind="stable")[:20].tolist()
    assert json.loads((plain.job.model / "ntm.json").read_text())["num_topics"] == TOPICS


@pytest.mark.parametrize("network", ["nvdm", "prodlda"])
def test_made_up_topics_are_found(tmp_path: Path, network: str) -> None:
    """ntm_lda N23: at least four of five learnt topics have top words of one true topic."""
    train = documents.some(TOPICS, documents=1000)
    settings = {"epochs": "40", "num_patience_epochs": "41", "_network": network}
    if network == "prodlda":
        settings |= {"learning_rate": "0.01", "_dropout": "0.2"}
    made = job(tmp_path, train=train, **settings)
    assert made.run() == 0, made.failure
    with np.load(made.model / "model_algo-1") as arrays:
        order = np.argsort(-arrays["projection_weight"], axis=0, kind="stable")
    top = order[: documents.WORDS_A_TOPIC].T
    assert sum(share >= 0.75 for share in documents.true_topics(top)) >= 4
    served = load(made.model, None, InferenceOptions())
    assert served.mixtures(train.part(0, 5)).sum(axis=1) == pytest.approx(np.ones(5), abs=1e-6)


def test_a_loss_beyond_all_numbers_ends_the_job_with_advice_and_no_model(tmp_path: Path) -> None:
    """Issue 6, bad input: NaN loss."""
    made = job(tmp_path, optimizer="sgd", learning_rate="1.0", epochs="20")
    assert made.run() == 1
    assert "training diverged" in made.failure
    assert "lower learning_rate" in made.failure
    assert not list(made.model.iterdir())


def test_documents_without_words_do_no_harm(tmp_path: Path) -> None:
    """ntm_lda N21"""
    counts = TRAIN.dense()
    counts[::3] = 0
    made = job(tmp_path, train=Documents.of_dense(counts))
    assert made.run() == 0, made.failure
    empty = documents.of_counts([0] * TRAIN.vocabulary_size)
    mixture = load(made.model, None, InferenceOptions()).mixtures(empty)
    assert np.isfinite(mixture).all()
    assert mixture.sum() == pytest.approx(1, abs=1e-6)


def test_nothing_but_empty_documents_is_refused(tmp_path: Path) -> None:
    made = job(tmp_path, train=Documents.of_dense(np.zeros((20, 40), np.float32)))
    assert made.run() == 1
    assert "no document of the train channel has a word" in made.failure
