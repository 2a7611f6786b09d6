"""Real news (4,000 rows of AG News): as good as fastText, with early stopping too."""

from __future__ import annotations

import csv
import random
from pathlib import Path

import numpy as np
import pytest

from tests.algorithms.blazingtext import fasttexts
from tests.algorithms.blazingtext.jobs import job, value

TABLE = Path(__file__).parents[4] / "shared" / "data" / "text" / "ag_news_4k_train.csv"
SETTINGS = {"vector_dim": "10", "word_ngrams": "2", "min_count": "1", "buckets": "100000", "_threads": "1"}


@pytest.fixture(scope="module")
def news() -> tuple[str, str]:
    """3,000 lines to learn from, and 1,000 to be judged by."""
    if not TABLE.is_file():
        pytest.skip(f"the shared data {TABLE} are absent")
    with TABLE.open(newline="", encoding="utf-8") as file:
        lines = [f"__label__{row['label']} {' '.join(row['text'].split())}\n" for row in csv.DictReader(file)]
    random.Random(5).shuffle(lines)
    return "".join(lines[:3000]), "".join(lines[3000:])


def fasttexts_accuracy(folder: Path, news: tuple[str, str], rate: float, epochs: int) -> float:
    settings = {"dim": 10, "epoch": epochs, "lr": rate, "wordNgrams": 2, "bucket": 100_000, "minCount": 1}
    model = fasttexts.train(folder / "theirs.bin", "supervised", news[0].splitlines(), **settings)
    held = folder / "held.txt"
    held.write_text(news[1], encoding="utf-8")
    return float(fasttexts.load(model).test(str(held))[1])


def test_as_many_topics_are_told_as_by_fasttext(news: tuple[str, str], tmp_path: Path) -> None:
    """blazingtext 19, on the rows that are to be had: the settings of fastText's own figures, but for more epochs."""
    given = SETTINGS | {"learning_rate": "0.25", "epochs": "25"}
    made = job(tmp_path / "ml", train=news[0], validation=news[1], **given)
    run = made.process()
    assert run.returncode == 0, made.failure
    ours = value(run.stdout.splitlines(), "#validation_accuracy")
    assert ours > 0.8
    assert ours >= fasttexts_accuracy(tmp_path, news, 0.25, 25) - 0.015


def test_early_stopping_keeps_an_epoch_as_good_as_fasttexts_last(news: tuple[str, str], tmp_path: Path) -> None:
    """blazingtext 20, on the rows that are to be had: patience 4 from epoch 5 on, as in the DBpedia notebook."""
    stopping = {"early_stopping": "True", "patience": "4", "min_epochs": "5", "epochs": "40", "learning_rate": "0.25"}
    made = job(tmp_path / "ml", train=news[0], validation=news[1], **(SETTINGS | stopping))
    run = made.process()
    assert run.returncode == 0, made.failure
    lines = run.stdout.splitlines()
    seen = [float(line.rpartition(" ")[2]) for line in lines if line.startswith("Validation accuracy: ")]
    assert seen
    assert value(lines, "#validation_accuracy") == pytest.approx(max(seen), abs=5e-5)
    best = 5 + int(np.argmax(seen))
    assert made.metrics()["best_epoch"] == best
    assert len(seen) + 4 == min(best + 5, 40)
    assert max(seen) >= fasttexts_accuracy(tmp_path, news, 0.25, 40) - 0.015
