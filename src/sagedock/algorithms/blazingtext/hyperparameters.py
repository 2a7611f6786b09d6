"""The hyperparameters of BlazingText: one set for word vectors and one for classification, told apart by `mode`.

Names, types, ranges and defaults are those of SageMaker's built-in algorithm (developer guide, "BlazingText
hyperparameters"); the upper limits of batch_size and vector_dim are those of its public validator.
"""

from __future__ import annotations

from collections.abc import Iterable

from sagedock.algorithms.blazingtext.class_weights import ClassWeights
from sagedock.algorithms.blazingtext.ngrams import LONGEST
from sagedock.contracts.hyperparameters import (
    Boolean,
    Categorical,
    Declaration,
    Integer,
    Interval,
    Parameter,
    Real,
    Rule,
    Values,
)

SUPERVISED = "supervised"
SKIPGRAM, CBOW, BATCH_SKIPGRAM = "skipgram", "cbow", "batch_skipgram"
WORD_VECTORS = (BATCH_SKIPGRAM, SKIPGRAM, CBOW)

WIDE_DIM = 1500
"""From so many dimensions on the validator warns of time and memory."""

_COUNT = Integer(Interval(1))
_NGRAM = Integer(Interval(1, LONGEST))

PARAMETERS = (
    Parameter(
        "mode",
        Categorical((*WORD_VECTORS, SUPERVISED)),
        "What is trained: word vectors by one of three methods, or a classifier of lines.",
        required=True,
        tuning="the modes",
    ),
    Parameter("epochs", _COUNT, "Passes over the training data.", default=5, tuning="5 to 15"),
    Parameter(
        "learning_rate",
        Real(Interval(0, low_open=True)),
        "Step size at the start; it falls to 0 in a straight line.",
        default=0.05,
        tuning="0.005 to 0.01",
    ),
    Parameter(
        "min_count",
        Integer(Interval(0)),
        "Words that occur less often are left out.",
        default=5,
        tuning="0 to 100",
    ),
    Parameter("vector_dim", Integer(Interval(1, 2048)), "Dimensions of a vector.", default=100, tuning="32 to 300"),
    Parameter(
        "buckets",
        _COUNT,
        "Hash buckets of word n-grams (supervised) or of subwords (skipgram, cbow).",
        default=2_000_000,
        tuning="1000000 to 10000000 (supervised)",
    ),
    Parameter("word_ngrams", _NGRAM, "supervised: the longest word n-gram.", default=2, tuning="1 to 3"),
    Parameter(
        "early_stopping",
        Boolean(),
        "supervised: stop when accuracy on the validation channel, which is required then, no longer improves.",
        default=False,
    ),
    Parameter("min_epochs", _COUNT, "supervised: epochs before early stopping begins to look.", default=5),
    Parameter("patience", _COUNT, "supervised: epochs without improvement that end training early.", default=4),
    Parameter("window_size", _COUNT, "Word vectors: the farthest context word.", default=5, tuning="1 to 10"),
    Parameter("negative_samples", _COUNT, "Word vectors: words drawn as wrong answers.", default=5, tuning="5 to 25"),
    Parameter(
        "sampling_threshold",
        Real(Interval(0, 1, low_open=True, high_open=True)),
        "Word vectors: share of the text above which occurrences of a word are dropped at random.",
        default=0.0001,
        tuning="0.0001 to 0.001",
    ),
    Parameter(
        "batch_size",
        Integer(Interval(1, 32)),
        "batch_skipgram: words that share their negative samples; 2 * window_size + 1 is advised.",
        default=11,
        tuning="8 to 32",
    ),
    Parameter("subwords", Boolean(), "skipgram, cbow: learn vectors of character n-grams too.", default=False),
    Parameter("min_char", _NGRAM, "With subwords: characters of the shortest n-gram.", default=3),
    Parameter("max_char", _NGRAM, "With subwords: characters of the longest n-gram.", default=6),
    Parameter("evaluation", Boolean(), "Word vectors: whether they are judged by WordSimilarity-353.", default=True),
    Parameter("_lower_case", Boolean(), "Extension of sagedock: texts in lower case.", default=False),
    Parameter(
        "_tokenise",
        Boolean(),
        "Extension of sagedock: marks set apart from words, so that texts need no preparation.",
        default=False,
        aliases=("_tokenize",),
    ),
    Parameter(
        "_class_weights",
        ClassWeights(),
        "Extension of sagedock, supervised: balanced, or what examples of a label count, others counting 1.",
    ),
    Parameter(
        "_idf",
        Boolean(),
        "Extension of sagedock, supervised: rare words and n-grams learn faster, by their inverse frequency.",
        default=False,
    ),
    Parameter(
        "_shuffle",
        Boolean(),
        "Extension of sagedock, supervised: lines in an order drawn anew for each epoch.",
        default=False,
    ),
    Parameter(
        "_quantise",
        Boolean(),
        "Extension of sagedock, supervised: save a smaller model.ftz in place of model.bin.",
        default=False,
        aliases=("_quantize",),
    ),
    Parameter(
        "_quantise_rows",
        _COUNT,
        "Extension of sagedock: words and n-grams that the quantised model keeps.",
        library_default="all that were trained",
    ),
    Parameter("_seed", Integer(Interval(0)), "Extension of sagedock: seed of the random numbers.", default=0),
    Parameter(
        "_threads",
        Integer(Interval(1, 1024)),
        "Extension of sagedock: threads that train; with one, a job can be repeated bit for bit.",
        library_default="all processors",
    ),
)


def _subwords(values: Values) -> Iterable[str]:
    if not values["subwords"]:
        return
    if values["mode"] == BATCH_SKIPGRAM:
        yield "Hyperparameter subwords: mode batch_skipgram learns no subwords; use skipgram or cbow, or leave it out"
    if values["min_char"] > values["max_char"]:
        yield f"Hyperparameter min_char: {values['min_char']} is above max_char, which is {values['max_char']}"


HYPERPARAMETERS = Declaration(PARAMETERS, (Rule(("subwords", "mode", "min_char", "max_char"), _subwords),))

_OF_SUPERVISED = (
    "_class_weights",
    "_idf",
    "_shuffle",
    "_quantise",
    "_quantise_rows",
    "word_ngrams",
    "early_stopping",
    "min_epochs",
    "patience",
)
_OF_WORD_VECTORS = ("window_size", "negative_samples", "sampling_threshold", "subwords", "evaluation")
_OF_BATCHES = ("batch_size",)
_OF_SUBWORDS = ("min_char", "max_char")
_OF_EARLY_STOPPING = ("min_epochs", "patience")


def without_effect(values: Values) -> list[str]:
    """The names given that mean nothing in this mode, or without the hyperparameter that they belong to."""
    unused: set[str] = set()
    if values["mode"] == SUPERVISED:
        unused.update(_OF_WORD_VECTORS, _OF_BATCHES, _OF_SUBWORDS)
        unused.update(() if values["early_stopping"] else _OF_EARLY_STOPPING)
        unused.update(() if values["_quantise"] else ("_quantise_rows",))
    else:
        unused.update(_OF_SUPERVISED, () if values["mode"] == BATCH_SKIPGRAM else _OF_BATCHES)
        unused.update(() if values["subwords"] else (*_OF_SUBWORDS, "buckets"))
    return [name for name in values.given if name in unused]
