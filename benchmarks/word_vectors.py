"""What training word vectors costs, and how good they are: sagedock beside gensim and fastText.

The same corpus, settings, threads and machine; each training in a process of its own, the trainers in turn, one table
of medians at the end. CPU is that of training alone, for fastText with the pass that makes its dictionary, which is in
its one call. Words are those of the file, times epochs, whoever leaves out some. Scores: the mean of the three WS-353
correlations, and the share of analogies answered right, by the same functions for all.

.venv/bin/python -m benchmarks.word_vectors --runs 3 --only skipgram
"""

from __future__ import annotations

import argparse
import gzip
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from sagedock.algorithms.blazingtext.corpus import blocks, read_sentences
from sagedock.algorithms.blazingtext.evaluation import analogies, evaluate, read_pairs
from sagedock.algorithms.blazingtext.vector_trainer import VectorTrainer
from sagedock.algorithms.blazingtext.vectors import BATCH_SKIPGRAM, CBOW, SKIPGRAM, VectorSettings

DATA = Path(__file__).parents[2] / "shared" / "data" / "wordvec"
DIMENSION, WINDOW, NEGATIVES, MIN_COUNT, THRESHOLD, RATE = 100, 5, 5, 5, 1e-4, 0.05
RUNS = [(mode, trainer) for mode in (SKIPGRAM, CBOW) for trainer in ("gensim", "fasttext", "sagedock")]
RUNS.append((BATCH_SKIPGRAM, "sagedock"))

Vectors = tuple[list[bytes], np.ndarray, float]
"""Words, their vectors, and the CPU seconds of training."""


def sagedock(corpus: Path, mode: str, options: argparse.Namespace) -> Vectors:
    with tempfile.TemporaryDirectory() as folder, corpus.open("rb") as stream:
        sentences = read_sentences([blocks(stream)], Path(folder), min_count=MIN_COUNT)
        settings = VectorSettings(mode, DIMENSION, WINDOW, NEGATIVES, RATE, THRESHOLD, options.epochs)
        counts = sentences.dictionary.counts
        trainer = VectorTrainer(sentences, counts, settings, seed=options.seed, threads=options.threads)
        begun = time.process_time()
        for number in range(options.epochs):
            trainer.epoch(number)
        return list(sentences.dictionary.words), trainer.vectors(), time.process_time() - begun


def gensim(corpus: Path, mode: str, options: argparse.Namespace) -> Vectors:
    from gensim.models import Word2Vec

    model = Word2Vec(
        vector_size=DIMENSION,
        window=WINDOW,
        min_count=MIN_COUNT,
        sg=int(mode == SKIPGRAM),
        negative=NEGATIVES,
        sample=THRESHOLD,
        alpha=RATE,
        workers=options.threads,
        epochs=options.epochs,
        seed=options.seed,
    )
    model.build_vocab(corpus_file=str(corpus))
    begun = time.process_time()
    model.train(
        corpus_file=str(corpus),
        total_words=model.corpus_total_words,
        total_examples=model.corpus_count,
        epochs=options.epochs,
    )
    spent = time.process_time() - begun
    return [word.encode() for word in model.wv.index_to_key], model.wv.vectors, spent


def fasttext(corpus: Path, mode: str, options: argparse.Namespace) -> Vectors:
    import fasttext as library

    begun = time.process_time()
    model = library.train_unsupervised(
        str(corpus),
        model=mode,
        dim=DIMENSION,
        ws=WINDOW,
        minCount=MIN_COUNT,
        minn=0,
        maxn=0,
        neg=NEGATIVES,
        t=THRESHOLD,
        lr=RATE,
        thread=options.threads,
        epoch=options.epochs,
        verbose=0,
    )
    spent = time.process_time() - begun
    return [word.encode() for word in model.get_words()], model.get_input_matrix()[: len(model.get_words())], spent


def measured(options: argparse.Namespace) -> dict[str, Any]:
    """One training, in this process."""
    trainers = {"sagedock": sagedock, "gensim": gensim, "fasttext": fasttext}
    words, vectors, spent = trainers[options.trainer](options.corpus, options.mode, options)
    pairs = read_pairs(DATA / "word-sim")
    assert pairs is not None
    scores = evaluate({word: number for number, word in enumerate(words)}, vectors, pairs)
    right = analogies(words, np.ascontiguousarray(vectors, np.float32), DATA / "questions-words.txt")
    return {"cpu": spent, "rho": scores["mean_rho"], "analogies": right}


def trained(mode: str, trainer: str, corpus: Path, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """One training, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.word_vectors", "--trainer", trainer, "--mode", mode]
    command += ["--corpus", str(corpus), "--seed", str(seed)]
    command += ["--epochs", str(options.epochs), "--threads", str(options.threads)]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()[-1])


def table(results: dict[tuple[str, str], list[dict[str, Any]]], words: int) -> None:
    """One line a trainer, the ratio being to gensim's words per CPU second in the same mode, or in skipgram."""
    medians = {run: statistics.median(words / each["cpu"] for each in some) for run, some in results.items() if some}
    print(f"\n{'mode':16}{'trainer':10}{'words/CPU s':>12}{'x gensim':>10}{'rho':>8}{'analogies':>11}  each rho")
    for (mode, trainer), speed in medians.items():
        some = results[mode, trainer]
        peer = medians.get((SKIPGRAM if mode == BATCH_SKIPGRAM else mode, "gensim"), float("nan"))
        rho, right = (statistics.median(each[name] for each in some) for name in ("rho", "analogies"))
        rhos = " ".join(f"{each['rho']:.3f}" for each in some)
        print(f"{mode:16}{trainer:10}{speed:12,.0f}{speed / peer:10.1f}{rho:8.3f}{right:11.3f}  {rhos}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", action="append", help="a mode or a trainer, given again for more", default=[])
    parser.add_argument("--corpus", type=Path, default=DATA / "wiki_dev_az.txt.gz")
    for hidden in ("--trainer", "--mode"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=1, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.trainer:
        print(json.dumps(measured(options)))
        return
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "corpus.txt"
        opened = gzip.open if options.corpus.suffix == ".gz" else open
        with opened(options.corpus, "rb") as source, corpus.open("wb") as target:
            shutil.copyfileobj(source, target)
        words = options.epochs * sum(len(line.split()) for line in corpus.open("rb"))
        chosen = [run for run in RUNS if not options.only or set(run) & set(options.only)]
        results: dict[tuple[str, str], list[dict[str, Any]]] = {run: [] for run in chosen}
        for seed in range(1, options.runs + 1):
            for run in chosen:
                results[run].append(trained(*run, corpus, seed, options))
                print(*run, results[run][-1], flush=True)
        table(results, words)


if __name__ == "__main__":
    main()
