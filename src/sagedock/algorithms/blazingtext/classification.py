"""Training a classifier of lines (mode supervised), read top to bottom: data, epochs, accuracy, model."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithm import Context
from sagedock.algorithms.blazingtext import class_weights, texts
from sagedock.algorithms.blazingtext.checkpoints import State
from sagedock.algorithms.blazingtext.classifier import Classifier
from sagedock.algorithms.blazingtext.classifier_trainer import ClassifierSettings, ClassifierTrainer
from sagedock.algorithms.blazingtext.corpus import Examples, encode_examples, read_examples
from sagedock.algorithms.blazingtext.dictionary import Dictionary
from sagedock.algorithms.blazingtext.early_stopping import EarlyStopping
from sagedock.algorithms.blazingtext.fasttext_file import Arguments, FastTextFile, Loss, Method, SpreadMatrix
from sagedock.algorithms.blazingtext.ngrams import Ngrams
from sagedock.algorithms.blazingtext.tokenizer import Tokenizer
from sagedock.algorithms.blazingtext.weights import Weights
from sagedock.contracts.channels import Channel
from sagedock.contracts.files import make_directory
from sagedock.contracts.hyperparameters import Values
from sagedock.errors import UserError

log = logging.getLogger(__name__)

UPDATE_RATE = 100
_WINDOW, _NEGATIVES, _SAMPLING = 5, 5, 1e-4
"""What fastText writes into the files of classifiers, which have no use for it."""


@dataclass(frozen=True)
class Judged:
    """What a classifier makes of labelled lines: for each the label it finds, and whether the line has it."""

    found: NDArray[np.int32]
    """(lines,)."""
    right: NDArray[np.bool_]
    """(lines,)."""
    unseen: int = 0
    """Further lines, whose labels were never seen in training: counted as wrong."""

    @property
    def count(self) -> int:
        """How many lines there are."""
        return len(self.right) + self.unseen

    @property
    def accuracy(self) -> float:
        """The share of lines that the first label fits; of several labels of a line any will do."""
        return float(self.right.sum()) / max(self.count, 1)


def judged(classifier: Classifier, examples: Examples, threads: int = 1) -> Judged:
    """Ask `classifier` for the best label of each line, in so many threads."""
    found, _ = classifier.predict_examples(examples, threads)
    counts = np.diff(examples.label_starts)
    fits = np.asarray(examples.labels) == np.repeat(found, counts)
    right = np.bincount(np.repeat(np.arange(len(found)), counts)[fits], minlength=len(found)) > 0
    return Judged(found, right, examples.unseen)


@dataclass(frozen=True)
class Data:
    """The examples of the channels."""

    train: Examples
    validation: Examples | None


def judged_data(classifier: Classifier, data: Data, threads: int) -> tuple[Judged, Judged | None]:
    """What `classifier` makes of the train and of the validation channel."""
    held = None if data.validation is None else judged(classifier, data.validation, threads)
    return judged(classifier, data.train, threads), held


def read(values: Values, channels: Mapping[str, Channel], context: Context, folder: Path) -> Data:
    """The examples, their numbers in files below `folder`.

    Raises UserError where there is nothing to learn from: no labels, no words, a validation channel without labels.
    """
    ngrams = Ngrams(buckets=values["buckets"] if values["word_ngrams"] > 1 else 0, word_ngrams=values["word_ngrams"])
    tokenizer = Tokenizer(values["_lower_case"], values["_tokenise"])
    train = read_examples(
        map(tokenizer.blocks, texts.read(channels["train"])),
        make_directory(folder / "train"),
        min_count=values["min_count"],
        ngrams=ngrams,
    )
    _check(train, channels["train"])
    context.emit(f"Read {train.dictionary.tokens // 1_000_000}M words")
    context.emit(f"Number of words:  {len(train.dictionary.words)}")
    if "validation" not in channels:
        return Data(train, None)
    context.emit(f"Loading validation data from {texts.described(channels['validation'])}")
    held = encode_examples(
        map(tokenizer.blocks, texts.read(channels["validation"])),
        make_directory(folder / "validation"),
        train.dictionary,
    )
    _check(held, channels["validation"])
    context.emit("Loaded validation data.")
    return Data(train, held)


def _check(examples: Examples, channel: Channel) -> None:
    if len(examples.starts) == 1 and not examples.unseen:
        prefix, place = examples.dictionary.label_prefix.decode(), texts.described(channel)
        raise UserError(
            f"no line of the {channel.name} channel ({place}) has a label and a word: begin each line with its label, "
            f"such as {prefix}1, and let the words of the text follow",
            field=channel.name,
        )
    if examples.unlabelled:
        log.warning(
            "%d lines of the %s channel have no label and are left out, the first of them is line %d",
            examples.unlabelled,
            channel.name,
            examples.first_unlabelled,
        )
    if channel.name == "validation" and examples.unseen:
        log.warning(
            "%d lines of the validation channel have only labels that the train channel lacks: they count as wrong",
            examples.unseen,
        )
    if channel.name == "train" and len(examples.dictionary.labels) == 1:
        log.warning("all labelled lines have the same label: there is nothing to tell apart")


def trainer(values: Values, examples: Examples, threads: int) -> ClassifierTrainer:
    """The trainer that the hyperparameters ask for."""
    settings = ClassifierSettings(
        vector_dim=values["vector_dim"],
        learning_rate=values["learning_rate"],
        epochs=values["epochs"],
        idf=values["_idf"],
        shuffle=values["_shuffle"],
    )
    weights = class_weights.of_labels(values.get("_class_weights"), examples)
    return ClassifierTrainer(examples, settings, weights=weights, seed=values["_seed"], threads=threads)


def model_file(values: Values, trainer: ClassifierTrainer, dictionary: Dictionary) -> FastTextFile:
    """The classifier as fastText keeps it; rows that no example has are zeros."""
    arguments = Arguments(
        dim=values["vector_dim"],
        window_size=_WINDOW,
        epochs=values["epochs"],
        min_count=values["min_count"],
        negatives=_NEGATIVES,
        word_ngrams=values["word_ngrams"],
        loss=Loss.SOFTMAX,
        method=Method.SUPERVISED,
        buckets=dictionary.ngrams.buckets,
        min_char=0,
        max_char=0,
        update_rate=UPDATE_RATE,
        sampling_threshold=_SAMPLING,
    )
    return FastTextFile(arguments, dictionary, SpreadMatrix(trainer.input, trainer.places), trainer.output)


@dataclass
class ValidationJudge:
    """Measures the accuracy on validation data where there is early stopping, and keeps the best weights."""

    trainer: ClassifierTrainer
    data: Data
    stopping: EarlyStopping | None
    context: Context
    threads: int
    best: Weights | None = field(default=None, init=False)

    def resume(self, state: State) -> bool:
        """Go on from here; whether training had come to its end."""
        stopping = self.stopping
        if stopping is None:
            return False
        stopping.accuracies = {int(epoch): value for epoch, value in state.history["accuracies"].items()}
        if stopping.accuracies:
            stopping.best = (state.best or state.weights).copy()
        return stopping.is_over

    def judge(self, epoch: int) -> bool:
        """Measure where it is time to; whether training is to end with this epoch, the patience being used up."""
        stopping, validation = self.stopping, self.data.validation
        if stopping is None or validation is None or not stopping.looks_at(epoch):
            return False
        emit = self.context.emit
        emit(f"-------------- End of epoch: {epoch}")
        emit(f"Using {self.threads} threads for prediction!")
        accuracy = judged(self.trainer.classifier(), validation, self.threads).accuracy
        emit(f"Validation accuracy: {accuracy:.6g}")
        stopping.note(epoch, accuracy, Weights.of(self.trainer), emit)
        self.best = None if stopping.best_epoch == epoch else stopping.best
        if stopping.is_over:
            emit("Reached patience. Terminating training.")
        return stopping.is_over

    @property
    def history(self) -> Mapping[str, Any]:
        """The accuracies so far."""
        return {"accuracies": {} if self.stopping is None else self.stopping.accuracies}


def tell_accuracy(train: Judged | None, validation: Judged | None, emit: Callable[[str], None]) -> None:
    """The final lines, which carry the metrics of what was judged."""
    if train is not None:
        emit("")
        emit(f"#train_accuracy: {train.accuracy:.4f}")
        emit(f"Number of train examples: {train.count}")
    if validation is not None:
        emit("")
        emit(f"#validation_accuracy: {validation.accuracy:.4f}")
        emit(f"Number of validation examples: {validation.count}")
