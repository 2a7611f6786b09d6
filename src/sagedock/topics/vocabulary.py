"""The vocabulary of a topic model: its words by id, and how texts are prepared so that these are found in them."""

from __future__ import annotations

import codecs
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson

from sagedock.contracts.channels import Channel
from sagedock.contracts.files import write_bytes
from sagedock.errors import ModelError, UserError
from sagedock.topics.documents import Documents
from sagedock.topics.lexicon import Lexicon
from sagedock.topics.preparation import Preparation

log = logging.getLogger(__name__)

FILE = "vocab.txt"
"""In the channel auxiliary."""
ARTEFACT = "vocabulary.json"
NOT_PROVIDED = "Vocab file is not provided"
"""What the built-in's log says."""


@dataclass(frozen=True)
class Vocabulary:
    """`words[i]` is word i; `keys` are those of its words as `preparation` gives them, where they are known."""

    words: Sequence[str]
    preparation: Preparation
    keys: Sequence[str] | None = None

    @property
    def size(self) -> int:
        """How many words."""
        return len(self.words)

    def documents(self, texts: Sequence[str]) -> Documents:
        """One document for each text, empty where it has no word of the vocabulary."""
        return self._lexicon.documents(texts)

    @cached_property
    def _lexicon(self) -> Lexicon:
        return Lexicon(self.words, self.preparation, self.keys)

    def json(self) -> dict[str, Any]:
        """For the model; `from_json` reads it."""
        keys = None if self.keys is None else list(self.keys)
        return {"words": list(self.words), "keys": keys, "preparation": self.preparation.json()}

    @classmethod
    def from_json(cls, found: Any) -> Vocabulary:
        """What `json` gave. Raises ModelError where that is not what it is."""
        if not isinstance(found, Mapping):
            raise ModelError("the vocabulary is no JSON object")
        words, keys = found.get("words"), found.get("keys")
        if not _are_texts(words) or not words:
            raise ModelError("the vocabulary's words are no list of words")
        if keys is not None and (not _are_texts(keys) or len(keys) != len(words)):
            raise ModelError("the vocabulary's keys are no list of as many words")
        return cls(words, Preparation.from_json(found.get("preparation")), keys)

    def write(self, directory: Path) -> str:
        """Write ARTEFACT, and return its name."""
        write_bytes(directory / ARTEFACT, orjson.dumps(self.json()))
        return ARTEFACT


def read(directory: Path, feature_dim: int) -> Vocabulary | None:
    """That of the model in `directory`, None where it has none. Raises ModelError for one that does not fit it."""
    file = directory / ARTEFACT
    if not file.is_file():
        return None
    try:
        vocabulary = Vocabulary.from_json(orjson.loads(file.read_bytes()))
    except (orjson.JSONDecodeError, ModelError) as error:
        raise ModelError(f"{file} cannot be used ({error}): deploy the model's archive again") from error
    if vocabulary.size != feature_dim:
        raise ModelError(
            f"{file} has {vocabulary.size} words, and the model {feature_dim}: deploy the model's archive again"
        )
    return vocabulary


def of_channel(channel: Channel | None, feature_dim: int, preparation: Preparation | None = None) -> Vocabulary | None:
    """That of the channel auxiliary; None without the channel, or without vocab.txt in it, which the log then tells.

    Raises UserError for a file that is no UTF-8, or has another number of lines than `feature_dim`, or a line that is
    empty. A word may stand in several lines.
    """
    if channel is None:
        return None
    file = channel.path / FILE
    if not file.is_file():
        log.info(NOT_PROVIDED)
        return None
    words = lines(file)
    if len(words) != feature_dim:
        raise UserError(
            f"{file} has {len(words)} lines, and feature_dim is {feature_dim}: give one word a line, line i being the "
            "word with index i from 0, or make feature_dim agree",
            field="feature_dim",
        )
    _refuse_strange(file, words)
    _warn_of_repeated(file, words)
    return Vocabulary(words, preparation or Preparation())


def lines(file: Path) -> list[str]:
    """The lines of a vocabulary; UTF-8's mark, carriage returns and blank lines at the end do not count."""
    try:
        text = file.read_bytes().removeprefix(codecs.BOM_UTF8).decode()
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}: let this user read it") from error
    except UnicodeDecodeError as error:
        line = 1 + error.object[: error.start].count(b"\n")
        raise UserError(f"{file}, line {line}: this is no text in UTF-8: save the file as UTF-8") from error
    found = [line.strip(" \t\r") for line in text.split("\n")]
    while found and not found[-1]:
        found.pop()
    return found


def _refuse_strange(file: Path, words: Sequence[str]) -> None:
    for line, word in enumerate(words, start=1):
        if not word:
            raise UserError(f"{file}, line {line}: the line is empty: give the word with index {line - 1}")
        if "\0" in word:
            raise UserError(f"{file}, line {line}: this is no text in UTF-8: save the file as UTF-8")


def _warn_of_repeated(file: Path, words: Sequence[str]) -> None:
    seen: dict[str, int] = {}
    for line, word in enumerate(words, start=1):
        if seen.setdefault(word, line) != line:
            log.warning(
                "%s, line %d: %r stands in line %d already: texts are counted with the first",
                file,
                line,
                word,
                seen[word],
            )
            return


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(type(item) is str for item in value)
