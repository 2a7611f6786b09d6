"""Small corpora, and what fastText itself makes of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import fasttext
import numpy as np
from hypothesis import strategies as st

fasttext.FastText.eprint = lambda *_: None  # it greets on stderr

SEPARATORS = [" ", "  ", "\t", "\r\n", "\n", "\n\n", "\0", "\v", "\f", " \n "]
TOKENS = [
    "the",
    "movie",
    "was",
    "excellent",
    "naïve",
    "日本",
    "a",
    "</s>",
    "__label__1",
    "__label__good",
    "__label__",
    "é",
    "<",
    "x" * 50,
]

tokens = st.one_of(
    st.sampled_from(TOKENS),
    st.text(st.characters(exclude_characters=" \t\r\n\v\f\0", exclude_categories=["Cs"]), min_size=1, max_size=6),
)
texts = st.lists(st.tuples(tokens, st.sampled_from(SEPARATORS)), min_size=1, max_size=60).map(
    lambda pairs: "".join(token + separator for token, separator in pairs)
)


def supervised(folder: Path, text: bytes, **given: Any) -> Any:
    """fastText's supervised model of `text`, small and not trained: that takes memory of zeros (`fasttexts`)."""
    file = folder / "train.txt"
    file.write_bytes(text)
    chosen = {"dim": 4, "epoch": 0, "bucket": 1000, "thread": 1, "verbose": 0, "minCount": 1} | given
    return fasttext.train_supervised(str(file), **chosen)


def unsupervised(folder: Path, text: bytes, **given: Any) -> Any:
    """fastText's word vectors of `text`."""
    file = folder / "train.txt"
    file.write_bytes(text)
    chosen = {"dim": 4, "epoch": 0, "bucket": 1000, "thread": 1, "verbose": 0, "minCount": 1} | given
    return fasttext.train_unsupervised(str(file), **chosen)


def in_blocks(text: bytes, size: int) -> Iterable[bytes]:
    """`text` cut anywhere."""
    return [text[begin : begin + size] for begin in range(0, len(text), size)]


def topics(lines: int, *, labels: int = 4, words: int = 60, seed: int = 0) -> str:
    """Lines of a label and words, half of which only that label has."""
    random = np.random.default_rng(seed)
    found = []
    for label in random.integers(labels, size=lines):
        own = [f"w{label}x{number}" for number in random.zipf(1.4, 5) % words]
        shared = [f"all{number}" for number in random.zipf(1.4, 5) % words]
        found.append(f"__label__{label} {' '.join(random.permutation(own + shared))}\n")
    return "".join(found)


def with_random_matrices(folder: Path, text: bytes, **given: Any) -> Any:
    """fastText's classifier of `text`, its matrices drawn: training meets NaN in the wheel at some sizes."""
    model = supervised(folder, text, **given)
    random = np.random.default_rng(11)
    shapes = (model.get_input_matrix().shape, model.get_output_matrix().shape)
    model.set_matrices(*(random.normal(size=shape).astype(np.float32) for shape in shapes))
    return model
