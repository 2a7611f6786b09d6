"""Turn rows of AG News into the channels of a BlazingText job.

    python containers/text-classification/prepare.py DIRECTORY --data FOLDER

reads FOLDER/ag_news_4k_train.csv (columns label, label_text, text) and writes, below DIRECTORY, the channels
`train/train.txt` and `validation/validation.txt` (a line a text: its label, then the text as it is), and beside them
`test/test.txt` (the texts held back, in the same form) and `test/requests.jsonl` (the same, unlabelled, as requests).
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sagedock.contracts.files import make_directory, write_text
from sagedock.errors import SagedockError, UserError

NAME = "ag_news_4k_train.csv"
COLUMNS = ("label", "label_text", "text")
PREFIX = "__label__"
SEED = 1729
TRAIN_SHARE, TRAIN_AND_VALIDATION_SHARE = 0.7, 0.9


@dataclass(frozen=True)
class Text:
    """A news item on one line, and its topic in one word."""

    topic: str
    text: str

    @property
    def line(self) -> str:
        """As BlazingText reads it."""
        return f"{PREFIX}{self.topic} {self.text}\n"

    @property
    def request(self) -> str:
        """As a line of a request."""
        return json.dumps({"source": self.text}, ensure_ascii=False) + "\n"


@dataclass(frozen=True)
class Split:
    """What is learnt from, what settings are chosen on, and what is held back until the end."""

    train: Sequence[Text]
    validation: Sequence[Text]
    test: Sequence[Text]


def read(folder: Path) -> list[Text]:
    """The rows of the table; raises UserError naming the line and column of whatever does not fit."""
    file = folder / NAME
    try:
        with file.open(newline="", encoding="utf-8") as lines:
            reader = csv.DictReader(lines, strict=True)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise UserError(f"{file}, line 1: the header lacks {', '.join(missing)}", field=missing[0], row=1)
            found = [_text(file, reader.line_num, row) for row in reader]
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{file} is not a CSV file in UTF-8: {error}") from error
    if len(found) < 10:
        raise UserError(f"{file} has {len(found)} texts, and a 70/20/10 split needs at least 10")
    return found


def _text(file: Path, line: int, row: dict[str, str]) -> Text:
    for name in COLUMNS[1:]:
        if not (row[name] or "").strip():
            raise UserError(f"{file}, line {line}: {name} is empty", field=name, row=line)
    return Text("_".join(row["label_text"].split()), " ".join(row["text"].split()))


def split(texts: Sequence[Text]) -> Split:
    """Shuffle with seed 1729 and cut at 70 and 90 percent."""
    shuffled = list(texts)
    random.Random(SEED).shuffle(shuffled)  # noqa: S311 - a split, no secret
    first, second = (int(share * len(shuffled)) for share in (TRAIN_SHARE, TRAIN_AND_VALIDATION_SHARE))
    return Split(shuffled[:first], shuffled[first:second], shuffled[second:])


def prepare(folder: Path, directory: Path) -> Split:
    """Read, split and write: the whole preparation, each file whole."""
    parts = split(read(folder))
    for name in ("train", "validation", "test"):
        texts: Sequence[Text] = getattr(parts, name)
        write_text(make_directory(directory / name) / f"{name}.txt", "".join(each.line for each in texts))
    write_text(directory / "test" / "requests.jsonl", "".join(each.request for each in parts.test))
    return parts


def summary(parts: Split) -> str:
    """The sizes of the three parts and of their topics, one line each."""
    lines = []
    for name in ("train", "validation", "test"):
        texts: Sequence[Text] = getattr(parts, name)
        counts = Counter(each.topic for each in texts)
        lines.append(
            f"{name:<10} {len(texts):>5,} texts: {', '.join(f'{counts[key]} {key}' for key in sorted(counts))}"
        )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("directory", type=Path, help="where the channels are written")
    parser.add_argument("--data", type=Path, required=True, help=f"the folder that holds {NAME}")
    options = parser.parse_args()
    try:
        sys.stdout.write(summary(prepare(options.data, options.directory)) + "\n")
    except SagedockError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
