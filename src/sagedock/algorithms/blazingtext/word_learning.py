"""Training word vectors (modes skipgram, cbow, batch_skipgram), read top to bottom: data, epochs, model, evaluation."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sagedock.algorithm import Cluster, Context
from sagedock.algorithms.blazingtext import texts
from sagedock.algorithms.blazingtext.checkpoints import State
from sagedock.algorithms.blazingtext.corpus import Sentences, read_sentences
from sagedock.algorithms.blazingtext.fasttext_file import Arguments, FastTextFile, Loss, Method
from sagedock.algorithms.blazingtext.hyperparameters import CBOW
from sagedock.algorithms.blazingtext.ngrams import Ngrams
from sagedock.algorithms.blazingtext.tokenizer import Tokenizer
from sagedock.algorithms.blazingtext.vector_trainer import VectorTrainer
from sagedock.algorithms.blazingtext.vectors import VectorSettings, WordRows
from sagedock.algorithms.blazingtext.weights import Weights
from sagedock.contracts.channels import Channel
from sagedock.contracts.hyperparameters import Values

log = logging.getLogger(__name__)

_UPDATE_RATE = 100


def read(values: Values, channels: Mapping[str, Channel], context: Context, folder: Path) -> Sentences:
    """The sentences of the train channel, their numbers in files below `folder`."""
    ngrams = Ngrams()
    if values["subwords"]:
        ngrams = Ngrams(buckets=values["buckets"], min_char=values["min_char"], max_char=values["max_char"])
    tokenizer = Tokenizer(values["_lower_case"], values["_tokenise"])
    found = read_sentences(
        map(tokenizer.blocks, texts.read(channels["train"])), folder, min_count=values["min_count"], ngrams=ngrams
    )
    context.emit(f"Read {found.dictionary.tokens // 1_000_000}M words")
    context.emit(f"Number of words:  {len(found.dictionary.words)}")
    strange = sum(not _is_text(word) for word in found.dictionary.words)
    if strange:
        log.warning(
            "%d words are not UTF-8: they are kept as they are, and gensim reads such a vectors.txt with "
            "unicode_errors='replace' only",
            strange,
        )
    return found


def _is_text(word: bytes) -> bool:
    try:
        word.decode()
    except UnicodeDecodeError:
        return False
    return True


def trainer(
    values: Values, sentences: Sentences, threads: int, cluster: Cluster, device: str | None = None
) -> VectorTrainer:
    """The trainer that the hyperparameters ask for; on a device that torch has where one is named, of one host."""
    dictionary = sentences.dictionary
    words = len(dictionary.words)
    names = ("mode", "vector_dim", "window_size", "negative_samples", "learning_rate", "sampling_threshold", "epochs")
    settings = VectorSettings(batch_size=values["batch_size"], **{name: values[name] for name in names})
    rows = None
    if values["subwords"]:
        ids, starts = dictionary.rows_of(dictionary.words)
        rows = WordRows(starts, ids, dictionary.rows)
    counts = dictionary.counts[:words]
    seed = values["_seed"]
    if device is not None:
        from sagedock.algorithms.blazingtext.cuda import DeviceVectorTrainer

        return DeviceVectorTrainer(sentences, counts, settings, rows=rows, seed=seed, device=device)
    return VectorTrainer(sentences, counts, settings, rows=rows, seed=seed, threads=threads, cluster=cluster)


@dataclass(frozen=True)
class NoJudge:
    """Word vectors are not looked at before the end."""

    best: Weights | None = None

    def resume(self, state: State) -> bool:
        """There is nothing to take up."""
        del state
        return False

    def judge(self, epoch: int) -> bool:
        """Every epoch is trained."""
        del epoch
        return False

    @property
    def history(self) -> Mapping[str, Any]:
        """Nothing."""
        return {}


def model_file(values: Values, sentences: Sentences, weights: Weights) -> FastTextFile:
    """The trained vectors as fastText keeps them, which knows batch_skipgram as skipgram.

    Labels that the text may have are left out: gensim takes a file that lists some for a classifier, and refuses it.
    """
    ngrams = sentences.dictionary.ngrams
    arguments = Arguments(
        dim=values["vector_dim"],
        window_size=values["window_size"],
        epochs=values["epochs"],
        min_count=values["min_count"],
        negatives=values["negative_samples"],
        word_ngrams=1,
        loss=Loss.NEGATIVE_SAMPLING,
        method=Method.CBOW if values["mode"] == CBOW else Method.SKIPGRAM,
        buckets=ngrams.buckets,
        min_char=ngrams.min_char,
        max_char=ngrams.max_char,
        update_rate=_UPDATE_RATE,
        sampling_threshold=values["sampling_threshold"],
    )
    words = sentences.dictionary.words
    dictionary = replace(sentences.dictionary, labels=(), counts=sentences.dictionary.counts[: len(words)])
    return FastTextFile(arguments, dictionary, weights.input, weights.output)
