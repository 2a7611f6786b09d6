"""How coherent ntm's topics are, and how fast it learns: beside a plain ProdLDA in torch, and gensim's LdaModel.

Documents, measures and the table are those of benchmarks/topics.py; epochs are ntm's default, without early stopping.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 .venv/bin/python -m benchmarks.neural_topics --data 20ng M10 news --seeds 3
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from benchmarks import topics
from benchmarks.peers import prodlda
from sagedock.algorithms.lda import variational
from sagedock.algorithms.ntm import hyperparameters, training
from sagedock.algorithms.ntm.trainer import Settings, Trainer
from sagedock.topics.documents import Documents
from sagedock.training.cluster import Alone

EPOCHS = 50


def ours(count: int, documents: Documents, seed: int, **given: str) -> tuple[NDArray[Any], int]:
    """The topics of ntm with these hyperparameters."""
    told = {"feature_dim": str(documents.vocabulary_size), "num_topics": str(count), "_seed": str(seed), **given}
    values = hyperparameters.HYPERPARAMETERS.parse(told)
    settings = Settings(values["mini_batch_size"], 1.0, seed, hyperparameters.coherence(values))
    design = training.design(values, documents.vocabulary_size)
    trainer = Trainer(design, settings, partial(training.optimiser, values), documents, Alone("algo-1"))
    for epoch in range(1, EPOCHS + 1):
        trainer.epoch(epoch)
    return trainer.decoder().projection.T, EPOCHS


def gensim(passes: int, count: int, documents: Documents, seed: int) -> tuple[NDArray[Any], int]:
    """Those of gensim's LdaModel."""
    return variational.learn(documents, count, 1.0, passes, seed)[1], passes


def plain(count: int, documents: Documents, seed: int) -> tuple[NDArray[Any], int]:
    """Those of ProdLDA in plain torch."""
    return prodlda.learn(documents, count, EPOCHS, seed), EPOCHS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="*", default=[*topics.DATA], choices=[*topics.DATA])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--topics", type=int, default=topics.TOPICS)
    parser.add_argument("--folder", type=Path, default=topics.FOLDER, help="the shared data folder's topics")
    parser.add_argument("--only", default="", help="engines whose names hold this")
    parser.add_argument("--given", nargs="*", default=[], metavar="NAME=VALUE", help="hyperparameters of ntm prodlda")
    options = parser.parse_args()
    given = dict(each.split("=", 1) for each in options.given)
    engines: dict[str, Callable[..., tuple[NDArray[Any], int]]] = {
        " ".join(["ntm prodlda", *options.given]): partial(ours, **{"_network": "prodlda", **given}),
        "ntm prodlda, mini_batch_size 128": partial(ours, _network="prodlda", mini_batch_size="128"),
        "ntm prodlda, _coherence 0": partial(ours, _network="prodlda", _coherence="0"),
        "ntm nvdm (default)": ours,
        "plain ProdLDA in torch": plain,
        "gensim LdaModel, 1 pass": partial(gensim, 1),
        "gensim LdaModel, 5 passes": partial(gensim, 5),
    }
    for name in options.data:
        documents = topics.DATA[name](options.folder)
        sys.stdout.write(f"\n{name}: {documents.rows} documents, {options.topics} topics\n\n{topics.HEADING}")
        for engine, learn in engines.items():
            if options.only in engine:
                sys.stdout.write(topics.row(engine, partial(learn, options.topics), documents, options.seeds))
                sys.stdout.flush()


if __name__ == "__main__":
    main()
