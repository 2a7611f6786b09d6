"""A BlazingText model that answers: a classifier of texts, or the vectors of words; also fastText's own files."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from sagedock import text_core
from sagedock.algorithms.blazingtext import fasttext_file, requests, vectors_file
from sagedock.algorithms.blazingtext.classifier import Classifier
from sagedock.algorithms.blazingtext.embedding import Embedding
from sagedock.algorithms.blazingtext.fasttext_file import FastTextFile, Matrix, Method
from sagedock.algorithms.blazingtext.requests import PLAIN, Question, Questions
from sagedock.algorithms.blazingtext.tokenizer import Tokenizer
from sagedock.algorithms.blazingtext.vector_answers import VectorAnswers, mean_direction
from sagedock.contracts import signatures
from sagedock.contracts.files import write_text
from sagedock.contracts.hosting import InferenceOptions
from sagedock.contracts.manifest import NAME as MANIFEST_NAME
from sagedock.contracts.manifest import Manifest
from sagedock.contracts.plan import NAME as PLAN_NAME
from sagedock.errors import ModelError
from sagedock.formats.media_types import JSON, JSON_LINES, MediaType
from sagedock.formats.objects import Objects

log = logging.getLogger(__name__)

CLASSIFIER, QUANTISED = "model.bin", "model.ftz"
VECTORS, VECTORS_AS_TEXT = "vectors.bin", "vectors.txt"
EVALUATION = "eval.json"
_MOST_OUTPUTS = 1 << 29
"""Numbers that a quantised output matrix is unpacked to: two gibibytes."""
_IN_LINE_BYTES = 4096
"""A body of so many bytes is answered within a millisecond, where labels are few and its rows were read before."""
_IN_LINE_NUMBERS = 1 << 26
"""And so many numbers of the output matrix are multiplied in some milliseconds, all of it for every text."""


@dataclass(frozen=True)
class TextClassifier:
    """Tells the labels of texts."""

    file: FastTextFile
    classifier: Classifier
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def in_line_bytes(self) -> int:
        """Bodies up to this size are answered by compiled code in little time; none are without it."""
        shortest_text = len('"",')
        many = _IN_LINE_NUMBERS // (len(self.classifier.output) * self.file.arguments.dim) * shortest_text
        return 0 if self._compiled is None else min(_IN_LINE_BYTES, many)

    @property
    def memory_bytes(self) -> int:
        """What the matrices take when all of them has been read."""
        return self.file.memory_bytes

    def direct(self, request_type: str, response_type: str) -> Callable[[bytes], bytes | None] | None:
        """From JSON to JSON and from lines to lines in one call (`sagedock.algorithm.DirectAnswers`)."""
        if self._compiled is None or request_type != response_type or request_type not in {JSON, JSON_LINES}:
            return None
        return partial(self._compiled.answer, lined=request_type == JSON_LINES)

    @cached_property
    def _compiled(self) -> text_core.Classifier | None:
        return self.classifier.compiled([orjson.dumps(label) for label in self.labels], self.tokenizer)

    def read(self, body: bytes, media_type: MediaType) -> Questions:
        """The texts of a request."""
        return requests.decode(body, media_type)

    def predict(self, questions: Questions) -> Objects:
        """For each text its best labels and their probabilities, the best first, as many as were asked for."""
        return Objects([self._answer(question) for question in questions.items])

    def _answer(self, question: Question) -> Mapping[str, Any]:
        if question.kind != PLAIN:
            return self._vectors.answer(question)
        text = self.tokenizer.rewrite(question.text)
        (found,) = self.classifier.predict([text], question.k, question.threshold)
        labels = self.labels
        return {"prob": found.probabilities.tolist(), "label": [labels[number] for number in found.labels]}

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """What is done to texts first."""
        return Tokenizer.of_facts(self.facts)

    @cached_property
    def _vectors(self) -> VectorAnswers:
        dictionary, hidden = self.classifier.dictionary, self.classifier.hidden
        return VectorAnswers(
            Embedding.of_file(self.file), lambda text: hidden(dictionary.line(text)[0]), self.tokenizer
        )

    def example(self) -> tuple[bytes, str]:
        """A text of one word."""
        return b'{"instances": ["a"]}', JSON

    def save(self, directory: Path) -> list[str]:
        """Write model.bin, or model.ftz of a quantised model; fastText reads both."""
        name = QUANTISED if self.file.quantised else CLASSIFIER
        fasttext_file.write(directory / name, self.file)
        return [name]

    def describe(self) -> Mapping[str, Any]:
        """What kind of model it is, its sizes and labels."""
        return {**_description(self.file), "class_names": list(self.labels), **self.facts}

    @cached_property
    def labels(self) -> Sequence[str]:
        """As answers spell them, with their prefix."""
        return [label.decode("utf-8", "replace") for label in self.classifier.dictionary.labels]


@dataclass(frozen=True)
class WordVectors:
    """Tells the vectors of words."""

    embedding: Embedding
    file: FastTextFile | None = None
    """None for a model that came as text."""
    evaluation: str | None = None
    """The content of eval.json."""
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def in_line_bytes(self) -> int:
        """None: the loop waits for nobody who looks for rows in a large file."""
        return 0

    @property
    def memory_bytes(self) -> int:
        """What the matrices take when all of them has been read."""
        return self.embedding.memory_bytes if self.file is None else self.file.memory_bytes

    def read(self, body: bytes, media_type: MediaType) -> Questions:
        """The words of a request."""
        return requests.decode(body, media_type)

    def predict(self, questions: Questions) -> Objects:
        """The vector of each word: zeros for a word that is not known and has no known subwords."""
        return Objects([self._answer(question) for question in questions.items])

    def _answer(self, question: Question) -> Mapping[str, Any]:
        if question.kind != PLAIN:
            return self._vectors.answer(question)
        word = question.text.decode("utf-8", "replace")
        spelt = Tokenizer(lower_case=True).rewrite(question.text) if self.tokenizer.lower_case else question.text
        return {"vector": self.embedding.vector(spelt).tolist(), "word": word}

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """What is done to texts first; of a word, its letters only."""
        return Tokenizer.of_facts(self.facts)

    @cached_property
    def _vectors(self) -> VectorAnswers:
        return VectorAnswers(self.embedding, partial(mean_direction, self.embedding), self.tokenizer)

    def example(self) -> tuple[bytes, str]:
        """A word."""
        return b'{"instances": ["a"]}', JSON

    def save(self, directory: Path) -> list[str]:
        """Write vectors.bin, which fastText and gensim read, vectors.txt, which everybody reads, and eval.json."""
        names = []
        if self.file is not None:
            fasttext_file.write(directory / VECTORS, self.file)
            names.append(VECTORS)
        self.embedding.write(directory / VECTORS_AS_TEXT)
        names.append(VECTORS_AS_TEXT)
        if self.evaluation is not None:
            write_text(directory / EVALUATION, self.evaluation)
            names.append(EVALUATION)
        return names

    def describe(self) -> Mapping[str, Any]:
        """What kind of model it is, and its sizes."""
        sizes = {} if self.file is None else _description(self.file)
        words = {"words": len(self.embedding.words), "vector_dim": self.embedding.dim}
        return {**sizes, **words, "class_names": [], **self.facts}


def _description(file: FastTextFile) -> dict[str, Any]:
    arguments = file.arguments
    return {
        "method": arguments.method.name.lower(),
        "loss": arguments.loss.word,
        "vector_dim": arguments.dim,
        "words": len(file.dictionary.words),
        "buckets": arguments.buckets,
        "word_ngrams": arguments.word_ngrams,
        "characters": [arguments.min_char, arguments.max_char],
        "feature_count": None,
    }


def load(directory: Path, manifest: Manifest | None, options: InferenceOptions) -> TextClassifier | WordVectors:
    """The model in `directory`, the manifest's or else the only one there, its matrices mapped.

    Raises ModelError for a directory without a model or with several, and for whatever is wrong with its file.
    """
    del options  # nothing of it concerns texts
    file = artefact(directory, manifest)
    facts = dict(manifest.model) if manifest else {}
    if signatures.recognise(file) is not signatures.FASTTEXT:
        vectors = vectors_file.read(file)
        return WordVectors(Embedding.of_vectors(vectors), facts=facts)
    found = fasttext_file.read(file)
    if found.arguments.method != Method.SUPERVISED:
        return WordVectors(Embedding.of_file(found), found, facts=facts)
    return TextClassifier(found, _classifier(found, file), facts)


def classifier_of(found: FastTextFile) -> Classifier:
    """The classifier of a model file; raises ValueError where its parts do not fit."""
    rows: Any = found.input  # of a quantised matrix too rows are taken by number
    return Classifier(found.dictionary, rows, _whole(found.output), loss=found.arguments.loss.word)


def _classifier(found: FastTextFile, file: Path) -> Classifier:
    try:
        return classifier_of(found)
    except ValueError as error:
        raise ModelError(f"{file} cannot be used ({error}): deploy the model's archive again") from error


def _whole(matrix: Matrix) -> NDArray[np.float32]:
    """All rows of a matrix; raises ValueError for a quantised one that would take too much memory."""
    if isinstance(matrix, np.ndarray):
        return matrix
    if matrix.shape[0] * matrix.shape[1] > _MOST_OUTPUTS:
        raise ValueError(f"its output matrix of {matrix.shape} numbers is quantised, and too large to be unpacked")
    return matrix[:]


def artefact(directory: Path, manifest: Manifest | None) -> Path:
    """The file that the model is loaded from: fastText's before one of text. Raises ModelError saying what there is."""
    kinds = {name: signatures.recognise(directory / name) for name in _names(directory, manifest)}
    binary = [name for name, kind in kinds.items() if kind is signatures.FASTTEXT]
    chosen = _one(binary, (CLASSIFIER, QUANTISED, VECTORS))
    if not binary:
        chosen = _one([name for name, kind in kinds.items() if kind is signatures.WORD_VECTORS], (VECTORS_AS_TEXT,))
    if chosen is not None:
        return directory / chosen
    found = ", ".join(f"{name} is {kind.name}" for name, kind in list(kinds.items())[:5]) or "no file at all"
    if len(binary) > 1:
        raise ModelError(
            f"the model directory {directory} holds several fastText models ({', '.join(binary[:5])}), and one is "
            f"served: deploy one alone, or name it {CLASSIFIER}"
        )
    raise ModelError(
        f"the model directory {directory} holds neither a fastText model (such as {CLASSIFIER}) nor {VECTORS_AS_TEXT}: "
        f"{found}; deploy the model's archive again"
    )


def _one(names: Sequence[str], usual: Sequence[str]) -> str | None:
    """The only one of `names`, or the first that is called as usual."""
    if len(names) == 1:
        return names[0]
    return next((name for name in usual if name in names), None)


def _names(directory: Path, manifest: Manifest | None) -> list[str]:
    if manifest is not None:
        return sorted(name for name in manifest.files if "/" not in name)
    if not directory.is_dir():
        raise ModelError(f"the model directory {directory} does not exist: mount or deploy a model there")
    beside = {MANIFEST_NAME, PLAN_NAME, EVALUATION}
    visible = [entry.name for entry in directory.iterdir() if entry.is_file() and entry.name[0] != "."]
    return sorted(name for name in visible if name not in beside)
