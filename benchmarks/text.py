"""What classifying texts costs, and how well it is done: sagedock beside fastText, and TF-IDF with a linear model.

.venv/bin/python -m benchmarks.text --runs 3

Each training has a process of its own, and the trainers take turns; medians are printed. CPU is that of the whole call,
from the file of lines to the matrices: reading, the dictionary and all epochs. Words are those of the file, times
epochs. Accuracy is that of the first label on lines that nobody trained on: of AG News and TREC a fifth of the lines,
drawn once, of SST-2 its own development set. TF-IDF is of words and pairs of words, the linear models scikit-learn's
logistic regression and LinearSVC. "with extras" are the settings of EXTRAS, chosen on parts of the training lines
(--choose prints that table). One sentence is then sent to a server of two workers, by wrk, with the connections kept.
Data: the folder of SAGEDOCK_TEXT_DIR, with ag_news_4k_train.csv, trec_train.txt, sst2_train.txt and sst2_dev.txt.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

DATA = Path(os.environ.get("SAGEDOCK_TEXT_DIR", Path(__file__).parents[2] / "shared" / "data" / "text"))
SETS = ("AG News", "TREC", "SST-2")
PLAIN: dict[str, Any] = {"vector_dim": 100, "learning_rate": 0.5, "epochs": 25, "word_ngrams": 2, "buckets": 200_000}
ZIPF: dict[str, Any] = {"vector_dim": 100, "learning_rate": 0.5, "epochs": 5, "word_ngrams": 1, "buckets": 1}
EXTRAS: dict[str, Any] = PLAIN | {
    **dict.fromkeys(("_lower_case", "_tokenise", "_idf", "_shuffle"), "true"),
    "learning_rate": 0.25,
    "epochs": 50,
}

Line = tuple[str, str]
"""A label and a text."""
Found = tuple[float, float, float]
"""CPU seconds of training, words of the training file, and accuracy."""


def read(name: str) -> tuple[list[Line], list[Line]]:
    """The lines to train on, and those to judge by."""
    if name == "AG News":
        with (DATA / "ag_news_4k_train.csv").open(encoding="utf-8", newline="") as stream:
            return split([(row["label"], row["text"]) for row in csv.DictReader(stream)])
    if name == "TREC":
        rows = (line.split(" ", 1) for line in (DATA / "trec_train.txt").read_text("latin-1").splitlines())
        return split([(label.partition(":")[0], text) for label, text in rows])
    train, held = (
        [(line[0], line[2:]) for line in (DATA / f"sst2_{part}.txt").read_text("utf-8").splitlines()]
        for part in ("train", "dev")
    )
    random.Random(7).shuffle(train)
    return train, held


def split(lines: list[Line], seed: int = 7) -> tuple[list[Line], list[Line]]:
    """Four fifths and one fifth, drawn."""
    shuffled = list(lines)
    random.Random(seed).shuffle(shuffled)
    held = len(shuffled) // 5
    return shuffled[held:], shuffled[:held]


def zipf(lines: int = 120_000, words: int = 40) -> list[Line]:
    """Made-up lines, whose labels are told by a tenth of their words."""
    chance = np.random.default_rng(0)
    labels = chance.integers(4, size=lines)
    tokens = np.minimum(chance.zipf(1.3, (lines, words)), 50_000)
    tokens[:, ::10] = 100_000 + labels[:, None] * 10 + chance.integers(10, size=tokens[:, ::10].shape)
    return [(str(label), " ".join(map("w{}".format, row))) for label, row in zip(labels, tokens, strict=True)]


def write(file: Path, lines: Sequence[Line]) -> Path:
    file.write_text("".join(f"__label__{label} {' '.join(text.split())}\n" for label, text in lines), "utf-8")
    return file


def words_of(file: Path) -> int:
    """Words, labels and ends of lines, as both count them."""
    content = file.read_bytes()
    return len(content.split()) + content.count(b"\n")


def sagedock(train: Path, held: Path, settings: dict[str, Any], seed: int, threads: int = 1) -> Found:
    from sagedock.algorithms.blazingtext import classification
    from sagedock.algorithms.blazingtext.corpus import blocks, encode_examples, read_examples
    from sagedock.algorithms.blazingtext.hyperparameters import HYPERPARAMETERS
    from sagedock.algorithms.blazingtext.ngrams import Ngrams
    from sagedock.algorithms.blazingtext.tokenizer import Tokenizer
    from sagedock.contracts.files import make_directory

    given = {"mode": "supervised", "min_count": 1, "_seed": seed, **settings}
    values = HYPERPARAMETERS.parse({name: str(value) for name, value in given.items()})
    tokenizer = Tokenizer(values["_lower_case"], values["_tokenise"])
    ngrams = Ngrams(buckets=values["buckets"], word_ngrams=values["word_ngrams"])
    with tempfile.TemporaryDirectory() as folder, train.open("rb") as stream, held.open("rb") as others:
        begun = time.process_time()
        text = tokenizer.blocks(blocks(stream))
        examples = read_examples([text], Path(folder), min_count=values["min_count"], ngrams=ngrams)
        trainer = classification.trainer(values, examples, threads)
        for number in range(values["epochs"]):
            trainer.epoch(number)
        spent = time.process_time() - begun
        judged = encode_examples(
            [tokenizer.blocks(blocks(others))], make_directory(Path(folder) / "held"), examples.dictionary
        )
        return spent, words_of(train), classification.judged(trainer.classifier(), judged).accuracy


def fasttext(train: Path, held: Path, settings: dict[str, Any], seed: int, threads: int = 1) -> Found:
    import fasttext as peer

    peer.FastText.eprint = lambda *_: None
    begun = time.process_time()
    model = peer.train_supervised(
        str(train),
        dim=settings["vector_dim"],
        lr=settings["learning_rate"],
        epoch=settings["epochs"],
        wordNgrams=settings["word_ngrams"],
        bucket=settings["buckets"],
        minCount=1,
        seed=seed,
        thread=threads,
        verbose=0,
    )
    spent = time.process_time() - begun
    return spent, words_of(train), model.test(str(held))[1]


def tfidf(train: Path, held: Path, settings: dict[str, Any], seed: int, threads: int = 1) -> Found:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import LinearSVC

    del seed, threads
    known, others = ([line.split(" ", 1) for line in file.read_text("utf-8").splitlines()] for file in (train, held))
    begun = time.process_time()
    vectorizer = TfidfVectorizer(ngram_range=(1, 2))
    features = vectorizer.fit_transform([text for _, text in known])
    linear = LinearSVC() if settings["linear"] == "SVC" else LogisticRegression(max_iter=1000)
    model = linear.fit(features, [label for label, _ in known])
    spent = time.process_time() - begun
    accuracy = model.score(vectorizer.transform([text for _, text in others]), [label for label, _ in others])
    return spent, words_of(train), float(accuracy)


TRAINERS: dict[str, Callable[..., Found]] = {"fastText": fasttext, "sagedock": sagedock}


def apart(work: Callable[..., Found], *arguments: Any) -> Found:
    """The same in a process of its own."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def middle(found: Sequence[Found], column: int) -> float:
    return statistics.median(row[column] for row in found)


def compare(name: str, files: tuple[Path, Path], settings: dict[str, Any], runs: int, threads: int) -> None:
    """fastText and sagedock in turn, the same settings and threads."""
    found: dict[str, list[Found]] = {"fastText": [], "sagedock": []}
    for seed in range(runs):
        for trainer, rows in found.items():
            rows.append(apart(TRAINERS[trainer], *files, settings, seed, threads))
    rates = {trainer: settings["epochs"] * rows[0][1] / middle(rows, 0) / 1e6 for trainer, rows in found.items()}
    ratios = [theirs[0] / ours[0] for theirs, ours in zip(*found.values(), strict=True)]
    cells = [f"{rates[trainer]:.2f} | {100 * middle(rows, 2):.2f}" for trainer, rows in found.items()]
    print(f"| {name} | {threads} | {' | '.join(cells)} | {statistics.median(ratios):.1f} |", flush=True)


def judge(name: str, files: tuple[Path, Path], runs: int) -> None:
    """TF-IDF with the linear model, and sagedock with its extras."""
    linear = [apart(tfidf, *files, {"linear": kind}, 0) for kind in ("logistic", "SVC")]
    extra = [apart(sagedock, *files, EXTRAS, seed) for seed in range(runs)]
    rows = [*((100 * one[2], one[0]) for one in linear), (100 * middle(extra, 2), middle(extra, 0))]
    print(f"| {name} | {' | '.join(f'{right:.1f} | {spent:.2f}' for right, spent in rows)} |", flush=True)


def choose(folder: Path) -> None:
    """Accuracies of settings on parts of the training lines, so that the test lines decide nothing."""
    grid = [{"_idf": "false", "learning_rate": 0.5, "epochs": 30}]
    grid += [{"learning_rate": rate, "epochs": epochs} for epochs in (15, 30, 50) for rate in (0.25, 0.5, 1.0)]
    grid += [{"word_ngrams": 3}, {"_shuffle": "false"}]
    print(f"\n| settings | {' | '.join(SETS)} | mean |\n|---|---|---|---|---|")
    for settings in grid:
        accuracies = []
        for name in SETS:
            found = []
            for seed in range(100, 103):
                train, held = split(read(name)[0], seed)
                pair = write(folder / "train", train), write(folder / "held", held)
                found.append(sagedock(*pair, EXTRAS | settings, 0)[2])
            accuracies.append(statistics.mean(found))
        cells = " | ".join(f"{100 * accuracy:.1f}" for accuracy in [*accuracies, statistics.mean(accuracies)])
        print(f"| {settings} | {cells} |", flush=True)


def serve(folder: Path, train: Path, sentence: str, rounds: int, seconds: int) -> None:
    """CPU of one sentence, whole, through a server of two workers; then what of it the model itself takes."""
    import fasttext as peer

    from benchmarks.serving import SERVERS, Case, load, start
    from sagedock.contracts.hosting import HostingSettings
    from sagedock.serving import loading

    (folder / "model").mkdir()
    model = folder / "model" / "model.bin"
    peer.train_supervised(str(train), dim=100, epoch=5, wordNgrams=2, bucket=200_000, thread=1, verbose=0).save_model(
        str(model)
    )
    body, kind = json.dumps({"instances": [sentence]}), "application/json"
    running = start(replace(SERVERS[0], content_type=kind), model)
    case = Case(1, 8)
    try:
        for _ in range(rounds):
            load(running, case, body, seconds, folder)
    finally:
        running.stop()
    cost, rate = (statistics.median(running.measured[case][name]) for name in ("cpu_us", "rps"))
    print(f"\none sentence of {len(sentence.split())} words over HTTP: {cost:.1f} us CPU, {rate:.0f} requests/s")
    loaded, theirs = loading.load(model.parent, None, HostingSettings()), peer.load_model(str(model))
    costs = {
        "the model's answer": per_call(lambda: loaded.invoke(body.encode(), kind, None)),
        "fastText's predict() of the sentence alone": per_call(lambda: theirs.predict(sentence)),
    }
    print(", ".join(f"{what} {spent:.1f} us" for what, spent in costs.items()))


def per_call(work: Callable[[], Any], times: int = 20_000) -> float:
    """CPU microseconds."""
    begun = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - begun) / times * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--choose", action="store_true", help="the table by which EXTRAS were chosen, and nothing else")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as given:
        folder = Path(given)
        if options.choose:
            choose(folder)
            return
        files = {
            name: [write(folder / f"{name}.{number}", part) for number, part in enumerate(read(name))] for name in SETS
        }
        drawn = split(zipf())
        files["Zipf"] = [write(folder / f"Zipf.{number}", part) for number, part in enumerate(drawn)]
        print("| lines | threads | fastText M words/CPU s | % right | sagedock M words/CPU s | % right | times |")
        print("|---" * 7 + "|")
        for name, (train, held) in files.items():
            settings = ZIPF if name == "Zipf" else PLAIN
            compare(name, (train, held), settings, options.runs, options.threads)
        print("\n| lines | TF-IDF + logistic % | CPU s | TF-IDF + SVC % | CPU s | with extras % | CPU s |")
        print("|---" * 7 + "|")
        for name in SETS:
            judge(name, (files[name][0], files[name][1]), options.runs)
        serve(folder, files["AG News"][0], read("AG News")[1][0][1], options.runs, options.seconds)


if __name__ == "__main__":
    main()
