"""How coherent topics are, and what they cost: ours beside tomotopy, gensim's LdaModel and scikit-learn's online LDA.

Each engine is given the same documents and twenty topics, for a few seeds. NPMI and uniqueness (TU) are of the top ten
words, in the documents of training; CPU seconds are those of learning alone, on one thread.

    .venv-bench/bin/python -m benchmarks.topics --data 20ng M10 news --seeds 3
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.lda import sampling, spectral, variational
from sagedock.algorithms.lda.decomposition import Search
from sagedock.algorithms.lda.gibbs import Corpus
from sagedock.algorithms.lda.hyperparameters import DEFAULTS
from sagedock.algorithms.lda.inference import Topics
from sagedock.algorithms.lda.sampling import CONCENTRATION_A_TOPIC, SWEEPS_A_ROUND, Settings
from sagedock.topics import measures
from sagedock.topics.documents import Documents
from sagedock.topics.learning import Learner, Limits, choose
from sagedock.topics.preparation import Preparation, english_stop_words

FOLDER = Path(__file__).parents[2] / "shared" / "data" / "topics"
TOPICS = 20
PASSES = 5
TOMOTOPY_SWEEPS = 200
Engine = Callable[[Documents, int], tuple[NDArray[Any], int]]
"""From documents and a seed to (topics, words) weights, and how many passes it took."""


def newsgroups(folder: Path) -> Documents:
    found = dict(np.load(folder / "20ng_bydate_train_bow.npz"))
    words = len((folder / "20ng_vocab.txt").read_text().split("\n"))
    rows = [(found["indices"][begin:end], found["data"][begin:end]) for begin, end in pairwise(found["indptr"])]
    return Documents.of_rows(rows, words)


def m10(folder: Path) -> Documents:
    """Titles of papers."""
    ids = {word: place for place, word in enumerate((folder / "M10" / "vocabulary.txt").read_text().split())}
    rows = []
    for line in (folder / "M10" / "corpus.tsv").read_text().splitlines():
        words = [ids[word] for word in line.split("\t")[0].split() if word in ids]
        rows.append(np.unique(np.array(words, np.int64), return_counts=True))
    return Documents.of_rows(rows, len(ids))


def news(folder: Path) -> Documents:
    """Stories of AG News, a paragraph each: stems that five stories have, without English stop words."""
    learner = Learner(Preparation(True, english_stop_words(), "english", min_word_length=3))
    with (folder.parent / "text" / "ag_news_4k_train.csv").open(newline="", encoding="utf-8") as file:
        learner.feed("".join(f"{' '.join(row['text'].split())}\n" for row in csv.DictReader(file)))
    chosen = choose(learner.tally(), Limits(size=5000, min_df=5, max_df=0.5))
    return learner.documents(chosen.keys).of_size(len(chosen.keys))


DATA = {"20ng": newsgroups, "M10": m10, "news": news}


def ours(chains: int) -> Engine:
    settings = Settings(
        topics=TOPICS,
        sweeps=DEFAULTS["_sweeps"],
        chains=chains,
        beta=DEFAULTS["_beta"],
        concentration=CONCENTRATION_A_TOPIC * TOPICS,
        seed=0,
    )

    def learn(documents: Documents, seed: int) -> tuple[NDArray[Any], int]:
        begun = sampling.begun(Corpus.of(documents), replace(settings, seed=seed))
        for chain in begun:
            while chain.sweeps < settings.sweeps:
                sampling.advance(chain, SWEEPS_A_ROUND, settings.concentration)
        return sampling.most_coherent(begun, documents).topic_words, chains * settings.sweeps

    return learn


def by_moments(documents: Documents, seed: int) -> tuple[NDArray[Any], int]:
    search = Search(DEFAULTS["max_restarts"], DEFAULTS["max_iterations"], DEFAULTS["tol"], True, seed)
    return spectral.learn(documents, TOPICS, DEFAULTS["alpha0"], search, lambda _: None)[1], 1


def tomotopy(documents: Documents, seed: int) -> tuple[NDArray[Any], int]:
    import tomotopy as peer

    model = peer.LDAModel(k=TOPICS, seed=seed)
    for row in range(documents.rows):
        part = documents.part(row, row + 1)
        if part.tokens:
            model.add_doc([str(word) for word in np.repeat(part.words, part.counts.astype(int))])
    started(time.process_time())
    model.train(TOMOTOPY_SWEEPS, workers=1)
    weights = np.zeros((TOPICS, documents.vocabulary_size))
    places = [int(word) for word in model.used_vocabs]
    for topic in range(TOPICS):
        weights[topic, places] = model.get_topic_word_dist(topic)
    return weights, TOMOTOPY_SWEEPS


def gensim(passes: int) -> Engine:
    def learn(documents: Documents, seed: int) -> tuple[NDArray[Any], int]:
        return variational.learn(documents, TOPICS, 1.0, passes, seed)[1], passes

    return learn


def scikit_learn(documents: Documents, seed: int) -> tuple[NDArray[Any], int]:
    from scipy.sparse import csr_array
    from sklearn.decomposition import LatentDirichletAllocation

    counts = csr_array(
        (documents.counts, documents.words, documents.starts), shape=(documents.rows, documents.vocabulary_size)
    )
    peer = LatentDirichletAllocation(TOPICS, learning_method="online", max_iter=PASSES, random_state=seed)
    started(time.process_time())
    return peer.fit(counts).components_, PASSES


ENGINES: dict[str, tuple[Engine, str | None]] = {
    f"lda gibbs, {DEFAULTS['_chains']} chains (default)": (ours(DEFAULTS["_chains"]), None),
    "lda gibbs, 1 chain": (ours(1), None),
    "lda spectral": (by_moments, None),
    "tomotopy, 200 sweeps": (tomotopy, "tomotopy"),
    "gensim LdaModel, 1 pass": (gensim(1), "gensim"),
    f"gensim LdaModel, {PASSES} passes": (gensim(PASSES), "gensim"),
    f"scikit-learn online, {PASSES} passes": (scikit_learn, "sklearn"),
}
_begin = [0.0]


def started(seconds: float) -> None:
    """Learning begins: what came before was bringing the documents into a peer's form."""
    _begin[0] = seconds


def measured(learn: Engine, documents: Documents, seed: int) -> tuple[float, float, float, float]:
    """NPMI, TU, documents a CPU second in a pass, CPU seconds."""
    started(time.process_time())
    weights, passes = learn(documents, seed)
    seconds = time.process_time() - _begin[0]
    top = measures.top_words(weights, measures.SCORED)
    npmi, unique = measures.npmi(top, documents).mean(), measures.uniqueness(top).mean()
    return float(npmi), float(unique), passes * documents.rows / seconds, seconds


def inference(documents: Documents) -> float:
    """CPU microseconds a document that mixtures of topics take."""
    topics = Topics.of(np.full(TOPICS, 1 / TOPICS, np.float32), ours(1)(documents, 0)[0])
    topics.mixtures(documents)
    begin = time.process_time()
    topics.mixtures(documents)
    return 1e6 * (time.process_time() - begin) / documents.rows


HEADING = "| engine | NPMI | TU | documents per CPU second | CPU seconds |\n|---|---|---|---|---|\n"


def row(engine: str, learn: Engine, documents: Documents, seeds: int) -> str:
    """A line of the table: means over the seeds, and each seed's NPMI."""
    found = np.array([measured(learn, documents, seed) for seed in range(seeds)])
    npmi, unique, speed, seconds = found.mean(axis=0)
    each = " ".join(f"{value:.3f}" for value in found[:, 0])
    return f"| {engine} | {npmi:.4f} ({each}) | {unique:.3f} | {speed:,.0f} | {seconds:.2f} |\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="*", default=[*DATA], choices=[*DATA])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="the shared data folder's topics")
    parser.add_argument("--only", default="", help="engines whose names hold this")
    options = parser.parse_args()
    for name in options.data:
        documents = DATA[name](options.folder)
        sys.stdout.write(f"\n{name}: {documents.rows} documents, {documents.tokens} tokens, {TOPICS} topics\n\n")
        sys.stdout.write(HEADING)
        for engine, (learn, peer) in ENGINES.items():
            if options.only not in engine:
                continue
            if peer is not None and find_spec(peer) is None:
                sys.stdout.write(f"| {engine} | not installed | | | |\n")
                continue
            sys.stdout.write(row(engine, learn, documents, options.seeds))
            sys.stdout.flush()
        if not options.only or options.only in "inference":
            sys.stdout.write(f"\ninference: {inference(documents):.1f} CPU microseconds a document\n")


if __name__ == "__main__":
    main()
