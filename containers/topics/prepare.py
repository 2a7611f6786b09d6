"""Turn raw messages of newsgroups into the channels of a topic model.

    python containers/topics/prepare.py DIRECTORY --data ARCHIVE

reads ARCHIVE, a tar file of messages, each in the folder of its group, and writes, below DIRECTORY, the channels
`train/train.jsonl`, `validation/validation.jsonl` and `test/test.jsonl`: one line {"text": ...} for each message, which
is its body without header, quotations and signature. `requests/requests.jsonl` holds the first texts of test.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sagedock.contracts.files import make_directory, write_text
from sagedock.errors import SagedockError, UserError

SEED = 1729
TRAIN_SHARE, TRAIN_AND_VALIDATION_SHARE = 0.8, 0.9
REQUESTS = 100
SHORTEST = 25
"""Words of the body of a message that is kept, more than a remark."""

_QUOTED = re.compile(
    r"^\s*(?:[>|:}]|[A-Za-z]{1,4}>|=20>)"  # a quotation, or one with the initials of its author before
    r"|(?:writes|wrote|said)\s*(?::|\.\.\.|in article\b.*)\s*$"
    r"|^\s*(?:In article\b|.*\bwrites in article\b|Quoted from\b|In <)"
)
_ENCODED = re.compile(r"^M[ -`]{60}$|^\S{60,}$")  # a line of uuencode, or of some other code
_SIGNATURE = re.compile(r"^\s*(?:--+|__+|\*\*+|==+)\s*$")
_LONGEST_SIGNATURE = 12
"""Lines."""


@dataclass(frozen=True)
class Message:
    """The body of a message, on one line, and the group in which it was sent."""

    group: str
    text: str

    @property
    def line(self) -> str:
        """As the channels and requests have it."""
        return json.dumps({"text": self.text}, ensure_ascii=False) + "\n"


@dataclass(frozen=True)
class Split:
    """What is learnt from, what training is watched with, and what is held back until the end."""

    train: Sequence[Message]
    validation: Sequence[Message]
    test: Sequence[Message]


def read(archive: Path) -> list[Message]:
    """The messages that are long enough, each text once, in the order of their names. Raises UserError."""
    try:
        with tarfile.open(archive) as tar:
            found = dict(_messages(tar))
    except OSError as error:
        raise UserError(f"cannot read {archive}: {error.strerror or error}") from error
    except (tarfile.TarError, EOFError) as error:
        raise UserError(f"{archive} is no tar archive that can be read: give one of messages in folders") from error
    once = {message.text: message for _, message in sorted(found.items(), reverse=True)}
    kept = [message for message in reversed(once.values()) if len(message.text.split()) >= SHORTEST]
    if len(kept) < 10:
        raise UserError(f"{archive} has {len(kept)} messages of {SHORTEST} words, and an 80/10/10 split needs 10")
    return kept


def _messages(tar: tarfile.TarFile) -> Iterator[tuple[str, Message]]:
    """Each file of a folder that is named after a group, by its path."""
    for member in tar:
        path = PurePosixPath(member.name)
        stream = tar.extractfile(member) if member.isfile() and len(path.parts) > 1 else None
        if stream is not None and not path.name.startswith("."):
            yield member.name, Message(path.parts[-2], body(stream.read().decode("latin-1")))


def body(message: str) -> str:
    """What the author wrote, on one line: without header, quotations and what leads them in, files, and signature."""
    _, _, rest = message.replace("\r\n", "\n").partition("\n\n")
    lines = [
        line for line in _without_signature(rest.split("\n")) if not (_QUOTED.search(line) or _ENCODED.search(line))
    ]
    return " ".join(" ".join(lines).split())


def _without_signature(lines: list[str]) -> list[str]:
    """The lines before the last one of dashes or the like, unless too many follow it."""
    while lines and not lines[-1].strip():
        lines = lines[:-1]
    for back, line in enumerate(reversed(lines[-_LONGEST_SIGNATURE:]), start=1):
        if _SIGNATURE.match(line):
            return lines[:-back]
    return lines


def split(messages: Sequence[Message]) -> Split:
    """Shuffle with seed 1729 and cut at 80 and 90 percent."""
    shuffled = list(messages)
    random.Random(SEED).shuffle(shuffled)  # noqa: S311 - a split, no secret
    first, second = (int(share * len(shuffled)) for share in (TRAIN_SHARE, TRAIN_AND_VALIDATION_SHARE))
    return Split(shuffled[:first], shuffled[first:second], shuffled[second:])


def prepare(archive: Path, directory: Path) -> Split:
    """Read, split and write: the whole preparation, each file whole."""
    parts = split(read(archive))
    for name in ("train", "validation", "test"):
        messages: Sequence[Message] = getattr(parts, name)
        write_text(make_directory(directory / name) / f"{name}.jsonl", "".join(each.line for each in messages))
    requests = "".join(each.line for each in parts.test[:REQUESTS])
    write_text(make_directory(directory / "requests") / "requests.jsonl", requests)
    return parts


def summary(parts: Split) -> str:
    """The sizes of the three parts, one line each."""
    lines = []
    for name in ("train", "validation", "test"):
        messages: Sequence[Message] = getattr(parts, name)
        words = sum(len(each.text.split()) for each in messages)
        groups = len({each.group for each in messages})
        lines.append(f"{name:<10} {len(messages):>5,} messages of {groups} groups, {words:,} words")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("directory", type=Path, help="where the channels are written")
    parser.add_argument("--data", type=Path, required=True, help="the tar archive of messages")
    options = parser.parse_args()
    try:
        sys.stdout.write(summary(prepare(options.data, options.directory)) + "\n")
    except SagedockError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
