"""The hyperparameters by which texts are prepared: those of every topic model, all of them extensions of sagedock."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from sagedock.contracts.channels import Channel
from sagedock.contracts.hyperparameters import Boolean, Categorical, Integer, Interval, Parameter, Real, Rule, Values
from sagedock.errors import UserError
from sagedock.topics.learning import Limits
from sagedock.topics.preparation import LANGUAGES, Preparation, english_stop_words, stop_words
from sagedock.topics.tokens import LONGEST_WORD

log = logging.getLogger(__name__)

NONE, ENGLISH, FILE = "none", "english", "file"
STOP_WORDS_FILE = "stop_words.txt"
MIN_WORD_LENGTH = 3
MIN_DOCUMENT_LENGTH = 1
_OF_LEARNING = ("_min_df", "_max_df")
_OF_RAW_TEXT = (*_OF_LEARNING, "_min_document_length")

PARAMETERS = (
    Parameter(
        "_lower_case",
        Boolean(),
        "Extension of sagedock, raw text: whether the case of letters is no matter.",
        default=True,
        aliases=("_lowercase",),
    ),
    Parameter(
        "_stop_words",
        Categorical((ENGLISH, NONE, FILE)),
        "Extension of sagedock, raw text: words that do not count: of English, or those of the auxiliary channel's "
        f"{STOP_WORDS_FILE}.",
        default=ENGLISH,
    ),
    Parameter(
        "_stemming",
        Categorical((NONE, *LANGUAGES)),
        "Extension of sagedock, raw text: words with one stem in this language (Snowball) count as one, named by the "
        "most frequent of them.",
        default=ENGLISH,
    ),
    Parameter(
        "_min_word_length",
        Integer(Interval(1, LONGEST_WORD)),
        "Extension of sagedock, raw text: characters that a word has at least.",
        default=MIN_WORD_LENGTH,
    ),
    Parameter(
        "_min_df",
        Real(Interval(0)),
        "Extension of sagedock, raw text: documents that hold a word at least; below 1 their share.",
        default=2.0,
    ),
    Parameter(
        "_max_df",
        Real(Interval(0, low_open=True)),
        "Extension of sagedock, raw text: documents that hold a word at most; up to 1 their share.",
        default=0.95,
    ),
    Parameter(
        "_min_document_length",
        Integer(Interval(0)),
        "Extension of sagedock, raw text: words of the vocabulary that a document has at least; others are left out.",
        default=MIN_DOCUMENT_LENGTH,
    ),
)


def _shares(values: Values) -> Iterable[str]:
    low, high = values["_min_df"], values["_max_df"]
    for name, value, whole in (("_min_df", low, low >= 1), ("_max_df", high, high > 1)):
        if whole and not float(value).is_integer():
            yield f"Hyperparameter {name}: {value:g} is neither a share nor a whole number of documents"
    if (low < 1) == (high <= 1) and low > high:
        yield f"Hyperparameter _min_df: {low:g} is above _max_df, which is {high:g}, so that no word is left"


RULES = (Rule(("_min_df", "_max_df"), _shares),)


def preparation(values: Values, auxiliary: Channel | None) -> Preparation:
    """How texts are prepared that a vocabulary is learnt from. Raises UserError for a list of stop words that is wrong.

    English stop words take long to import.
    """
    wanted = values["_stop_words"]
    stops = english_stop_words() if wanted == ENGLISH else _from_file(auxiliary) if wanted == FILE else frozenset[str]()
    stemming = None if values["_stemming"] == NONE else values["_stemming"]
    return Preparation(values["_lower_case"], stops, stemming, values["_min_word_length"])


def preparation_for_words(values: Values, auxiliary: Channel | None) -> Preparation:
    """How texts are prepared for a vocabulary that is given: only what the job asks for by name is done to them.

    Case is no matter unless the job says otherwise: a list of words tells nothing of how it was made.
    """
    defaults = {"_stop_words": NONE, "_stemming": NONE, "_min_word_length": 1}
    chosen = {name: default for name, default in defaults.items() if name not in values.given}
    return preparation(Values({**values.content, **chosen}, values.given), auxiliary)


def limits(values: Values) -> Limits:
    """Which words a vocabulary takes that is learnt: feature_dim is how many at most."""
    return Limits(values["feature_dim"], values["_min_df"], values["_max_df"])


def warn_of_unused(values: Values, *, raw: bool, learnt: bool) -> None:
    """Name in the log what was given and has no effect: with counts, or with a vocabulary of the user's own."""
    unused = (() if raw else _OF_RAW_TEXT) if learnt or not raw else _OF_LEARNING
    for name in unused:
        if name in values.given:
            log.warning(
                "Hyperparameter %s has no effect: %s", name, "auxiliary/vocab.txt is the vocabulary" if raw else
                "the train channel holds counts, not raw text"
            )  # fmt: skip


def _from_file(auxiliary: Channel | None) -> frozenset[str]:
    file = None if auxiliary is None else auxiliary.path / STOP_WORDS_FILE
    if file is None or not file.is_file():
        raise UserError(
            f"Hyperparameter _stop_words: file needs {STOP_WORDS_FILE} in the auxiliary channel, a word a line",
            field="_stop_words",
        )
    try:
        return stop_words(file.read_text(encoding="utf-8-sig").splitlines())
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}", field="_stop_words") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{file} is not UTF-8: {error.reason} at byte {error.start}", field="_stop_words") from error
