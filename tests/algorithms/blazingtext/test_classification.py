"""Training classifiers as jobs: the log, early stopping, accuracies, multi-label lines and augmented manifests."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest

from sagedock.algorithms.blazingtext import ALGORITHM
from sagedock.algorithms.blazingtext.early_stopping import EarlyStopping
from sagedock.algorithms.blazingtext.weights import Weights
from tests.algorithms.blazingtext import fasttexts
from tests.algorithms.blazingtext.jobs import ALPHA, held_out, job, positions, value
from tests.algorithms.blazingtext.test_texts import manifest


def digest(model: Path) -> str:
    return hashlib.sha256((model / "model.bin").read_bytes()).hexdigest()


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]):
    """What the jobs of a test have written to stdout since the last call."""
    return lambda: capsys.readouterr().out.splitlines()  # noqa: PLW0108 - the output of each time


def test_the_log_is_the_built_ins(tmp_path: Path, lines, caplog: pytest.LogCaptureFixture) -> None:
    """Spec section 6: what its readers and the regexes of tuning jobs look for, in order."""
    made = job(tmp_path, validation=held_out(), early_stopping="True", min_epochs="1", epochs="2")
    with caplog.at_level("INFO"):
        assert made.run() == 0, made.failure
    told = [record.getMessage() for record in caplog.records]
    assert "Running single machine CPU BlazingText training using supervised mode." in told
    assert any(re.fullmatch(r"Processing \S+/train/train.txt . File size: \S+ MB", line) for line in told)
    shown = lines()
    found = positions(
        shown,
        "Read 0M words",
        "Number of words:  201",
        f"Loading validation data from {tmp_path}/input/data/validation/validation.txt",
        "Loaded validation data.",
        "-------------- End of epoch: 1",
        "Using 1 threads for prediction!",
        "Validation accuracy: ",
        "Validation accuracy improved! Storing best weights...",
        "-------------- End of epoch: 2",
        "Training finished.",
        "Average throughput in Million words/sec: ",
        "Total training time in seconds: ",
        "#train_accuracy: ",
        "Number of train examples: 300",
        "#validation_accuracy: ",
        "Number of validation examples: 100",
    )
    assert found == sorted(found)


def test_the_learning_rate_falls_in_a_straight_line(tmp_path: Path, lines) -> None:
    """blazingtext 27: lr0 * (1 - p / 100) at every line, and 0.0000 at 100 %."""
    assert job(tmp_path, epochs="10", learning_rate="0.25").run() == 0
    found = [tuple(map(float, match.groups())) for line in lines() if (match := ALPHA.fullmatch(line))]
    assert len(found) > 5
    for alpha, progress, _ in found:
        assert alpha == pytest.approx(0.25 * (1 - progress / 100), abs=1e-3)
    assert found[-1][:2] == (0.0, 100.0)
    shares = [progress for _, progress, _ in found]
    assert shares == sorted(set(shares))


@pytest.mark.parametrize("stopping", ["True", "False"])
def test_every_metric_is_found_once(tmp_path: Path, lines, stopping: str) -> None:
    """blazingtext 25"""
    assert job(tmp_path, validation=held_out(), early_stopping=stopping, min_epochs="1").run() == 0
    text = "\n".join(lines())
    counts = {metric.name: len(re.findall(metric.regex, text)) for metric in ALGORITHM.metrics}
    assert counts == {"train:accuracy": 1, "validation:accuracy": 1, "train:mean_rho": 0}
    assert [metric.regex for metric in ALGORITHM.metrics] == [
        r"#train_accuracy: (\S+)",
        r"#validation_accuracy: (\S+)",
        r"#mean_rho: (\S+)",
    ]


def test_validation_lines_come_with_early_stopping_from_min_epochs_on(tmp_path: Path, lines) -> None:
    """blazingtext 17"""
    assert job(tmp_path / "without", validation=held_out(), epochs="6").run() == 0
    assert not [line for line in lines() if line.startswith(("Validation accuracy", "-------------- End"))]
    with_it = job(
        tmp_path / "with", validation=held_out(), early_stopping="True", min_epochs="3", epochs="6", patience="9"
    )
    assert with_it.run() == 0
    shown = lines()
    ends = [line for line in shown if line.startswith("-------------- End of epoch: ")]
    assert ends == [f"-------------- End of epoch: {epoch}" for epoch in (3, 4, 5, 6)]
    accuracies = [float(line.split()[-1]) for line in shown if line.startswith("Validation accuracy: ")]
    assert value(shown, "#validation_accuracy") == pytest.approx(max(accuracies), abs=5e-5)
    assert with_it.metrics()["validation"]["accuracy"] == pytest.approx(max(accuracies), abs=1e-6)
    assert list(with_it.metrics()["validation_accuracy_by_epoch"].values()) == pytest.approx(accuracies, abs=1e-6)


def test_without_an_epoch_that_is_looked_at_the_last_weights_are_judged(tmp_path: Path, lines) -> None:
    made = job(tmp_path, validation=held_out(), early_stopping="True", min_epochs="9")
    assert made.run() == 0
    assert value(lines(), "#validation_accuracy") > 0.5
    assert made.metrics()["best_epoch"] is None


@pytest.mark.parametrize(
    ("min_epochs", "patience", "accuracies", "last", "best"),
    [
        (1, 1, [0.5, 0.4, 0.4, 0.9], 3, 1),
        (1, 1, [0.5, 0.4, 0.6, 0.5, 0.5, 0.9], 5, 3),
        (1, 2, [0.5, 0.4, 0.4, 0.4, 0.9], 4, 1),
        (3, 1, [0.9, 0.1, 0.5, 0.4, 0.4, 0.9], 5, 3),
        (1, 1, [0.5, 0.5, 0.5], 3, 1),
        (1, 9, [0.1, 0.2, 0.3], 3, 3),
    ],
)
def test_patience(min_epochs: int, patience: int, accuracies: list[float], last: int, best: int) -> None:
    """blazingtext 18: patience 1 ends one epoch after the first that does not improve, never before min_epochs."""
    stopping, told = EarlyStopping(min_epochs, patience), []
    for epoch, accuracy in enumerate(accuracies, start=1):
        if stopping.looks_at(epoch):
            weights = Weights(np.full((2, 2), epoch, np.float32), np.full((1, 2), epoch, np.float32))
            stopping.note(epoch, accuracy, weights, told.append)
        if stopping.is_over:
            break
    assert (epoch, stopping.best_epoch) == (last, best)
    assert stopping.best is not None
    assert stopping.best.input[0, 0] == stopping.best.output[0, 0] == best, "a copy of the best weights"
    if last > best:
        assert told[-1] == f"Validation accuracy has not improved for last {last - best} epochs."


def test_a_job_ends_early_with_the_best_weights(tmp_path: Path, lines) -> None:
    """blazingtext 18, as a whole: random labels, which validation does not share, are soon learnt too well."""
    train = fasttexts.text(fasttexts.lines(60, vocabulary=400))
    given = {"validation": held_out(50), "early_stopping": "True", "min_epochs": "2", "patience": "1"}
    made = job(tmp_path / "early", train=train, epochs="40", learning_rate="0.5", **given)
    assert made.run() == 0
    shown = lines()
    accuracies = [float(line.split()[-1]) for line in shown if line.startswith("Validation accuracy: ")]
    assert len(accuracies) < 39
    assert "Reached patience. Terminating training." in shown
    assert value(shown, "#validation_accuracy") == pytest.approx(max(accuracies), abs=5e-5)
    peer = fasttexts.load(made.model / "model.bin")
    (tmp_path / "held.txt").write_text(held_out(50))
    assert peer.test(str(tmp_path / "held.txt"))[1] == pytest.approx(max(accuracies), abs=1e-6)


def test_early_stopping_needs_a_validation_channel(tmp_path: Path) -> None:
    """blazingtext 2"""
    made = job(tmp_path, early_stopping="True")
    assert made.run() == 1
    assert "Hyperparameter early_stopping" in made.failure
    assert "validation channel" in made.failure


def test_one_thread_and_a_seed_give_the_same_model(tmp_path: Path) -> None:
    models = {}
    for name, seed in (("first", "7"), ("again", "7"), ("other", "8")):
        assert job(tmp_path / name, _seed=seed).run() == 0
        models[name] = digest(tmp_path / name / "model")
    assert models["first"] == models["again"] != models["other"]


def test_an_augmented_manifest_trains_the_model_of_its_lines(tmp_path: Path) -> None:
    """blazingtext 22, issue 5 item 6: to the byte, one label or several."""
    lines = fasttexts.lines(200)
    several = [
        f"__label__1 __label__2 {line.partition(' ')[2]}" if n % 4 == 0 else line for n, line in enumerate(lines)
    ]
    plain = job(tmp_path / "plain", train=fasttexts.text(several))
    records = []
    for line in several:
        labels, text = re.fullmatch(r"((?:__label__\d )+)(.*)", line).groups()
        numbers = [int(label.removeprefix("__label__")) for label in labels.split()]
        records.append((text, numbers if len(numbers) > 1 else numbers[0]))
    augmented = job(tmp_path / "augmented", train={"manifest": manifest(*records)})
    augmented.declare("train", ContentType="application/x-recordio")
    assert plain.run() == augmented.run() == 0
    assert digest(plain.model) == digest(augmented.model)


def test_labels_are_kept_with_their_prefix_and_by_name(tmp_path: Path) -> None:
    """blazingtext 12: strings, whatever they are."""
    train = "__label__Company a b c\n__label__naïve-é a b d\n" * 20
    made = job(tmp_path, train=train)
    assert made.run() == 0
    assert made.manifest()["model"]["class_names"] == ["__label__Company", "__label__naïve-é"]


def test_of_several_labels_any_is_right(tmp_path: Path, lines) -> None:
    train = "__label__a __label__b x y\n" * 10 + "__label__c z w\n" * 10
    assert job(tmp_path, train=train, epochs="20").run() == 0
    assert value(lines(), "#train_accuracy") == 1
