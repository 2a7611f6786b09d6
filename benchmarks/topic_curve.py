"""The curve of validation losses of ntm with the built-in's settings, beside that of the built-in's public log.

The log is of 20 Newsgroups, 2,000 words, 20 topics, batches of 128, adadelta: 7.137 after the first epoch, 6.657 at
best, after 67 (ntm_lda A5, A7). Here it is the training half: headers, quotations and signatures cut, lower case, words
of two letters and more, plurals cut (the notebook lemmatises nouns), stop words out, documents of more than 25 words.

    .venv/bin/python -m benchmarks.topic_curve
"""

from __future__ import annotations

import argparse
import sys
import tarfile
from functools import partial
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer

from containers.topics.prepare import body
from sagedock.algorithms.ntm import hyperparameters, training
from sagedock.algorithms.ntm.trainer import Settings, Trainer
from sagedock.topics import measures
from sagedock.topics.documents import Documents
from sagedock.training.cluster import Alone

WORDS, TOPICS, BATCH, LEAST = 2000, 20, 128, 25
ARCHIVE = Path(__file__).parents[2] / "shared" / "data" / "newsgroups" / "20news-bydate-train.tar.xz"
_NO_PLURALS = ("ss", "us", "is", "as", "ous")


def singular(word: str) -> str:
    """A noun without the s of its plural, as far as a rule can tell."""
    if len(word) < 4 or not word.endswith("s") or word.endswith(_NO_PLURALS):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-2] if word.endswith(("sses", "xes", "ches", "shes")) else word[:-1]


def counted(archive: Path, seed: int) -> Documents:
    """The documents in random order."""
    with tarfile.open(archive) as tar:
        files = sorted((member for member in tar if member.isfile()), key=lambda member: member.name)
        texts = [body(tar.extractfile(file).read().decode("latin-1")) for file in files]  # type: ignore[union-attr]
    plain = CountVectorizer(token_pattern=r"\b[a-z]\w+\b").build_tokenizer()  # noqa: S106 - no password
    vectoriser = CountVectorizer(
        tokenizer=lambda text: [singular(word) for word in plain(text)],
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
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--train-share", type=float, default=0.8, help="of the documents; a tenth validates")
    options = parser.parse_args()
    documents = counted(options.archive, options.seed)
    first, second = (int(share * documents.rows) for share in (options.train_share, options.train_share + 0.1))
    train, validation = documents.part(0, first), documents.part(first, second)
    shares = (np.bincount(train.words, train.counts, WORDS) + 1) / (train.tokens + WORDS)
    held = np.repeat(validation.lengths, np.diff(validation.starts))
    plain = -(validation.counts * np.log(shares[validation.words]) / held).sum() / validation.rows
    sys.stdout.write(f"{train.rows} documents to train, {validation.rows} to validate; frequencies alone {plain:.3f}\n")
    told = {"feature_dim": str(WORDS), "num_topics": str(TOPICS), "mini_batch_size": str(BATCH)}
    values = hyperparameters.HYPERPARAMETERS.parse(told)
    made = partial(training.optimiser, values)
    trainer = Trainer(training.design(values, WORDS), Settings(BATCH, 1.0, options.seed), made, train, Alone("algo-1"))
    losses = []
    for epoch in range(1, options.epochs + 1):
        trainer.epoch(epoch)
        losses.append(trainer.score(validation).total)
        if epoch in {1, 2, 3, 5, 7} or epoch % 10 == 0:
            unique = measures.uniqueness(measures.top_words(trainer.decoder().projection.T, measures.PRINTED)).mean()
            sys.stdout.write(f"epoch {epoch}: validation {losses[-1]:.4f}, TU {unique:.3f}\n")
            sys.stdout.flush()
    sys.stdout.write(f"best {min(losses):.4f} after epoch {int(np.argmin(losses)) + 1}\n")


if __name__ == "__main__":
    main()
