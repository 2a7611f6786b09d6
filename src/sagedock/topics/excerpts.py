"""What some of the documents begin with, for the report: evenly spread ones, however many there are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST = 8192
LENGTH = 240
"""Characters."""
_RULES = re.compile(r"([^\w\s])\1{3,}")  # such as a line of dashes


@dataclass(frozen=True)
class Excerpts:
    """Beginnings of the documents at the places `rows`, which ascend."""

    rows: NDArray[np.int64]
    texts: Sequence[str]

    def of_kept(self, kept: NDArray[np.bool_]) -> Excerpts:
        """Of the documents of which `kept` is true, by their places among these."""
        held = kept[self.rows]
        places = np.cumsum(kept) - 1
        return Excerpts(places[self.rows[held]], [text for text, here in zip(self.texts, held, strict=True) if here])


class Collector:
    """Takes blocks of lines, and keeps every document, then every second, every fourth and so on."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._step = 1
        self._seen = 0
        self._texts: dict[int, str] = {}

    def feed(self, block: str) -> None:
        """The next lines, which end with a line feed."""
        lines = block.removesuffix("\n").split("\n") if block else []
        for place in range(-self._seen % self._step, len(lines), self._step):
            self._texts[self._seen + place] = excerpt(lines[place])
        self._seen += len(lines)
        while len(self._texts) > self._most:
            self._step *= 2
            self._texts = {row: text for row, text in self._texts.items() if row % self._step == 0}

    def excerpts(self) -> Excerpts:
        """What was kept."""
        return Excerpts(np.fromiter(self._texts, np.int64, len(self._texts)), list(self._texts.values()))


def excerpt(text: str) -> str:
    """The beginning of a text on one line, cut at a word where that is near; a row of dashes is shortened."""
    line = " ".join(_RULES.sub(r"\1\1\1", text[: 4 * LENGTH]).split())
    if len(line) <= LENGTH:
        return line
    cut = line[:LENGTH]
    return f"{cut[: cut.rfind(' ')] if ' ' in cut[-20:] else cut}…"
