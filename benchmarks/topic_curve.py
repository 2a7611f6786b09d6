"""The curve of validation losses of ntm with the built-in's settings, beside that of the built-in's public log.

The log is of 20 Newsgroups, 2,000 words, 20 topics, batches of 128, adadelta: 7.137 after the first epoch, 6.657 at
best, after 67, in 100 epochs of 61 updates (ntm_lda A5, A7). Here it is the training half, in as many updates: headers,
quotations and signatures cut, lower case, endings of contractions cut, words that begin with a letter and have another
behind it, their plurals cut, stop words out, documents of more than 25 words.

Plurals are cut before stop words are taken out, as in the log's notebook, whose lemmatiser makes wa, ha, doe and u of
was, has, does and us: so these stay, and are among the most frequent words.

    .venv/bin/python -m benchmarks.topic_curve
"""

from __future__ import annotations

import argparse
import re
import sys
import tarfile
from functools import partial
from pathlib import Path

import numpy as np
import torch
from sklearn.feature_extraction.text import CountVectorizer

from containers.topics.prepare import TRAIN_AND_VALIDATION_SHARE, TRAIN_SHARE, body
from sagedock.algorithms.ntm import hyperparameters, training
from sagedock.algorithms.ntm.trainer import Settings, Trainer
from sagedock.topics import measures
from sagedock.topics.documents import Documents
from sagedock.training.cluster import Alone

WORDS, TOPICS, BATCH, LEAST = 2000, 20, 128, 25
ARCHIVE = Path(__file__).parents[2] / "shared" / "data" / "newsgroups" / "20news-bydate-train.tar.xz"
_ENDING = re.compile(r"(n't|'s|'re|'ve|'ll|'d|'m)\b")
_WORD = re.compile(r"(?<!\w)[a-z]\w+(?:[-./']\w+)*")
_TAKEN_FOR_PLURALS = {"was": "wa", "has": "ha", "does": "doe", "us": "u"}
_NO_PLURALS = ("ss", "us", "is", "as", "ous")


def singular(word: str) -> str:
    """A noun without the s of its plural, as far as a rule can tell, and what a lemmatiser of nouns takes for one."""
    if word in _TAKEN_FOR_PLURALS:
        return _TAKEN_FOR_PLURALS[word]
    if len(word) < 4 or not word.endswith("s") or word.endswith(_NO_PLURALS):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-2] if word.endswith(("sses", "xes", "ches", "shes")) else word[:-1]


def words(text: str) -> list[str]:
    """Those of a text in lower case."""
    return [singular(word) for word in _WORD.findall(_ENDING.sub(" ", text))]


def counted(archive: Path, seed: int) -> Documents:
    """The documents in random order."""
    with tarfile.open(archive) as tar:
        files = sorted((member for member in tar if member.isfile()), key=lambda member: member.name)
        texts = [body(tar.extractfile(file).read().decode("latin-1")) for file in files]  # type: ignore[union-attr]
    vectoriser = CountVectorizer(
        tokenizer=words,
        token_pattern=None,
        stop_words="english",
        max_features=WORDS,
        max_df=0.95,
        min_df=2,
    )
    counts = vectoriser.fit_transform(texts)
    counts = counts[np.asarray(counts.sum(axis=1)).ravel() > LEAST]
    counts = counts[np.random.default_rng(seed).permutation(counts.shape[0])]
    counts.sort_indices()
    return Documents(
        counts.indptr.astype(np.int64), counts.indices.astype(np.int32), counts.data.astype(np.float32), WORDS
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--archive", type=Path, default=ARCHIVE)
    parser.add_argument("--epochs", type=int, default=170)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)  # as a job does; sums in another order make another curve
    documents = counted(options.archive, options.seed)
    first, second = (int(share * documents.rows) for share in (TRAIN_SHARE, TRAIN_AND_VALIDATION_SHARE))
    train, validation = documents.part(0, first), documents.part(first, second)
    shares = (np.bincount(train.words, train.counts, WORDS) + 1) / (train.tokens + WORDS)
    held = np.repeat(validation.lengths, np.diff(validation.starts))
    plain = -(validation.counts * np.log(shares[validation.words]) / held).sum() / validation.rows
    sys.stdout.write(f"{train.rows} documents to train, {validation.rows} to validate; frequencies alone {plain:.3f}\n")
    told = {"feature_dim": str(WORDS), "num_topics": str(TOPICS), "mini_batch_size": str(BATCH)}
    values = hyperparameters.HYPERPARAMETERS.parse(told)
    made = partial(training.optimiser, values)
    trainer = Trainer(training.design(values, WORDS), Settings(BATCH, 1.0, options.seed), made, train, Alone("algo-1"))
    losses, distinct = [], []
    for epoch in range(1, options.epochs + 1):
        trainer.epoch(epoch)
        losses.append(trainer.score(validation).total)
        top = measures.top_words(trainer.decoder().projection.T, measures.PRINTED)
        distinct.append(float(measures.uniqueness(top).mean()))
        if epoch in {1, 2, 3, 5, 7} or epoch % 10 == 0:
            sys.stdout.write(f"epoch {epoch}: validation {losses[-1]:.4f}, TU {distinct[-1]:.3f}\n")
            sys.stdout.flush()
    best = int(np.argmin(losses))
    sys.stdout.write(f"best {losses[best]:.4f} after epoch {best + 1}, TU {distinct[best]:.3f}\n")


if __name__ == "__main__":
    main()
