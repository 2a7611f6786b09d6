"""fastText itself, as a peer: models that it trains, and texts for it to learn from.

Its wheel leaves memory unwritten that it goes on to read, so that on small data it meets NaN by chance (fastText 0.9.2,
matrices that one thread fills in part). Training runs in a process whose allocator hands out zeros.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import fasttext

_PROGRAM = """
import json, sys
import fasttext
method, text, target, quantise, arguments = json.loads(sys.argv[1])
train = fasttext.train_supervised if method == "supervised" else fasttext.train_unsupervised
model = train(text, **({} if method == "supervised" else {"model": method}), thread=1, verbose=0, **arguments)
if quantise is not None:
    model.quantize(input=text, thread=1, **quantise)
model.save_model(target)
"""

SYLLABLES = ("ka", "ri", "mo", "té", "lu", "san", "ö", "vi", "de", "日本")


def words(count: int) -> list[str]:
    """Made-up words, some of them not ASCII."""
    chance = random.Random(count)
    found: dict[str, None] = {}
    while len(found) < count:
        found["".join(chance.choices(SYLLABLES, k=chance.randint(1, 4)))] = None
    return list(found)


def lines(count: int, labels: int = 3, vocabulary: int = 200, seed: int = 0) -> list[str]:
    """Labelled lines; a word mostly stands in lines of the label that it belongs to."""
    chance = random.Random(seed)
    known = words(vocabulary)
    found = []
    for number in range(count):
        label = number % labels
        drawn = [chance.choice(known[label::labels] if chance.random() < 0.7 else known) for _ in range(10)]
        found.append(f"__label__{label} {' '.join(drawn)}")
    return found


def text(lines: list[str]) -> str:
    """Lines as a file holds them."""
    return "".join(f"{line}\n" for line in lines)


def train(file: Path, method: str, lines: list[str], quantise: dict[str, Any] | None = None, **arguments: Any) -> Path:
    """Let fastText train on `lines` and save its model to `file`; `quantise` are the arguments of its quantize."""
    source = file.with_suffix(".txt")
    source.write_text(text(lines), encoding="utf-8")
    given = json.dumps([method, str(source), str(file), quantise, arguments])
    environment = {**os.environ, "MALLOC_PERTURB_": "255"}  # 255 fills with zeros
    ran = subprocess.run(
        [sys.executable, "-c", _PROGRAM, given], env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return file


def load(file: Path) -> Any:
    """A model as fastText's own object."""
    fasttext.FastText.eprint = lambda *_: None  # a warning that load_model returns an object
    return fasttext.load_model(str(file))
