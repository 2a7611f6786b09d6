"""What is done to words before they are counted: case, stop words, stems. It travels in the model as JSON."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any, Protocol, cast

from sagedock.errors import ModelError, UserError
from sagedock.topics import tokens

LANGUAGES = (
    "arabic",
    "armenian",
    "basque",
    "catalan",
    "czech",
    "danish",
    "dutch",
    "english",
    "esperanto",
    "estonian",
    "finnish",
    "french",
    "german",
    "greek",
    "hindi",
    "hungarian",
    "indonesian",
    "irish",
    "italian",
    "lithuanian",
    "nepali",
    "norwegian",
    "persian",
    "polish",
    "porter",
    "portuguese",
    "romanian",
    "russian",
    "serbian",
    "sesotho",
    "spanish",
    "swedish",
    "tamil",
    "turkish",
    "yiddish",
)
"""Whose words Snowball stems; porter is an older way with English."""
_LONGEST_STOP_LIST = 1_000_000


class _Stemmer(Protocol):
    def stemWord(self, word: str) -> str:  # noqa: N802 - the library's name
        """The stem of a word in lower case."""


@dataclass(frozen=True)
class Preparation:
    """How words become what is counted, their keys; words with one key count as one."""

    lower_case: bool = True
    stop_words: frozenset[str] = frozenset()
    """In lower case."""
    stemming: str | None = None
    """One of LANGUAGES."""
    min_word_length: int = 1
    """Characters, before stemming."""

    def key(self, word: str) -> str | None:
        """The key of a word as `tokens` cuts it; None for one that does not count.

        Numbers, stop words, and words that are too short or too long do not count. A word with a digit is its own stem.
        For one thread at a time: a stemmer keeps the word it is at.
        """
        if not self.min_word_length <= len(word) <= tokens.LONGEST_WORD or not word[0].isalpha():
            return None
        if word in self.stop_words or (not self.lower_case and word.lower() in self.stop_words):
            return None
        return word if self._stemmer is None or _has_digits(word) else self._stemmer.stemWord(word)

    def keys(self, text: str) -> list[str]:
        """The keys of all words of one text that count, in order."""
        found = map(self.key, tokens.words(text, lower_case=self.lower_case))
        return [key for key in found if key is not None]

    def json(self) -> dict[str, Any]:
        """For the model; `from_json` reads it."""
        return {
            "lower_case": self.lower_case,
            "stop_words": sorted(self.stop_words),
            "stemming": self.stemming,
            "min_word_length": self.min_word_length,
        }

    @classmethod
    def from_json(cls, found: Any) -> Preparation:
        """What `json` gave. Raises ModelError where that is not what it is."""
        if not isinstance(found, Mapping):
            raise ModelError("the preparation of texts in the model is no JSON object")
        lower_case, stops = found.get("lower_case"), found.get("stop_words")
        stemming, shortest = found.get("stemming"), found.get("min_word_length")
        if type(lower_case) is not bool or type(shortest) is not int or not 1 <= shortest <= tokens.LONGEST_WORD:
            raise ModelError(f"the model says lower_case {lower_case!r:.40}, min_word_length {shortest!r:.40}")
        if stemming is not None and stemming not in LANGUAGES:
            raise ModelError(f"the model says stemming {stemming!r:.40}, which is none of {', '.join(LANGUAGES)}")
        if not isinstance(stops, list) or len(stops) > _LONGEST_STOP_LIST or not all(type(w) is str for w in stops):
            raise ModelError("stop_words in the model are no list of words")
        return cls(lower_case, frozenset(stops), stemming, shortest)

    @cached_property
    def _stemmer(self) -> _Stemmer | None:
        return None if self.stemming is None else _stemmer(self.stemming)


def stop_words(texts: Iterable[str]) -> frozenset[str]:
    """Stop words from lines of a file, cut as texts are: `don't` makes `don` and `t`."""
    found = frozenset(chain.from_iterable(tokens.words(text, lower_case=True) for text in texts))
    if len(found) > _LONGEST_STOP_LIST:
        raise UserError(f"{len(found):,} stop words are more than {_LONGEST_STOP_LIST:,}", field="_stop_words")
    return found


def english_stop_words() -> frozenset[str]:
    """gensim's list without `computer`, which tells topics apart; for training, since gensim takes long to import."""
    from gensim.parsing.preprocessing import STOPWORDS

    return frozenset(STOPWORDS) - {"computer"}


def _has_digits(word: str) -> bool:
    return not word.isalpha() and any(map(str.isnumeric, word))


def _stemmer(language: str) -> _Stemmer:
    """The stemmer in pure Python, whatever else is installed, so that the same words have the same stems everywhere."""
    module = importlib.import_module(f"snowballstemmer.{language}_stemmer")
    return cast("_Stemmer", getattr(module, f"{language.capitalize()}Stemmer")())
