"""Examples that come through a pipe: pairs of an augmented manifest, or the records of RecordIO files.

Of each line of an augmented manifest SageMaker sends the picture's bytes in one record, then the label's text in
another (developer guide, "Augmented Manifest Files for Training Jobs"). A pass over the data has a pipe of its own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import BinaryIO

import numpy as np
import orjson
from numpy.typing import NDArray

from sagedock.algorithms.image_classification.examples import Example, Label
from sagedock.algorithms.image_classification.labels import Labels, mismatch
from sagedock.contracts.channels import Channel
from sagedock.errors import UserError
from sagedock.formats import image_record, recordio

MOST_SHUFFLED = 1 << 14
MOST_SHUFFLED_BYTES = 256 << 20
"""Examples that wait to be drawn from, and the bytes of their pictures."""
MULTI_HOT, CLASS_ID = "multi-hot", "class-id"
_ORDER = 'AttributeNames must name the picture and then its label, such as ["source-ref", "class"]'
_PICTURES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"RIFF")
"""How pictures' files begin, and the records of RecordIO files do not."""


@dataclass
class PipeSource:
    """The examples of a channel in Pipe mode. `rows` is known when a pass has come to its end."""

    channel: Channel
    labels: Labels
    label_format: str
    paired: bool
    """Whether it is known that records come in pairs; otherwise the first one of a pass tells."""
    ended: Callable[[int], None] = field(default=lambda rows: None)
    """Told how many examples the first whole pass had."""
    names: tuple[str, ...] | None = None
    rows: int | None = None
    _passes: int = field(default=0, init=False)
    _counts: NDArray[np.int64] | None = field(default=None, init=False)

    @property
    def classes(self) -> int:
        return self.labels.classes

    def epoch(
        self, number: int, shuffle: np.random.Generator | None, host: int = 0, hosts: int = 1
    ) -> Iterator[Example]:
        """The next pass, whatever the epoch's `number`: a job that resumes begins with the first pipe again.

        With `shuffle`, each example is drawn from a buffer, so that those that come close together go out apart.
        """
        drawn = None if shuffle is None else np.random.default_rng(shuffle.integers(1 << 63))
        examples = self._pass()
        shared = islice(examples, host, None, hosts)
        return shared if drawn is None else shuffled(shared, drawn)

    def counts(self) -> NDArray[np.int64]:
        """From the last pass that ended, else from one of its own through the next pipe, pictures and all."""
        while self._counts is None:
            deque(self._pass(), maxlen=0)
        return self._counts.copy()

    def _pass(self) -> Iterator[Example]:
        [source] = self.channel.sources(self._passes)
        self._passes += 1
        name = source.name.rpartition("/")[2]
        return self.examples(source.open, name)

    def examples(self, opened: Callable[[], BinaryIO], name: str) -> Iterator[Example]:
        """The examples of one stream, which is closed behind them. Raises UserError naming `name` and the place."""
        rows, counts = 0, self.labels.counts()
        with opened() as stream:
            for example in self._read(recordio.read(stream, name), name):
                rows += 1
                self.labels.count(example.label, counts)
                yield example
        if not rows:
            raise UserError(f"Got empty batch from pipe {name}: no data came through it: check S3Uri, and {_ORDER}")
        if self.rows is None:
            self.ended(rows)
        self.rows, self._counts = rows, counts

    def _read(self, frames: Iterator[recordio.Frame], name: str) -> Iterator[Example]:
        first = next(frames, None)
        if first is None:
            return iter(())
        payloads = (frame.payload for frame in _again(first, frames))
        if self.paired or first.payload.startswith(_PICTURES):
            return self._pairs(payloads, name)
        return self._records(payloads, name)

    def _pairs(self, payloads: Iterator[bytes], name: str) -> Iterator[Example]:
        for number, encoded in enumerate(payloads, start=1):
            place = f"pair {number} of {name}"
            text = next(payloads, None)
            if text is None:
                raise UserError(
                    f"{place}: the stream ends with a picture that no label follows: {_ORDER}, and each line of the "
                    "manifest must have both"
                )
            yield Example(place, encoded, self._label(text, place))

    def _records(self, payloads: Iterator[bytes], name: str) -> Iterator[Example]:
        for number, payload in enumerate(payloads, start=1):
            place = f"record {number} of {name}"
            label = self.labels.of(image_record.labels(payload, place), place)
            yield Example(place, image_record.picture(payload, place), label)

    def _label(self, text: bytes, place: str) -> Label:
        values = label_values(text, place)
        if self.labels.multi_label and self.label_format == CLASS_ID:
            return self._hot(values, place)
        if self.labels.multi_label and len(values) != self.classes:
            remedy = f", or declare the content type as application/x-recordio; label-format={CLASS_ID}"
            raise mismatch(place, len(values), self.classes, remedy)
        return self.labels.of(values, place)

    def _hot(self, numbers: list[float], place: str) -> NDArray[np.float32]:
        label = np.zeros(self.classes, np.float32)
        label[[self.labels.number(number, place) for number in numbers]] = 1
        return label


def label_values(text: bytes, place: str) -> list[float]:
    """The numbers of a label: a number or a list of numbers, as JSON or as JSON text of such.

    Raises UserError naming `place`.
    """
    try:
        value = orjson.loads(text)
        value = orjson.loads(value) if isinstance(value, str) else value
    except orjson.JSONDecodeError:
        value = None
    found = value if isinstance(value, list) else [value]
    numbers = [float(one) for one in map(_number, found) if one is not None]
    if len(numbers) < len(found):
        shown = text[:60].decode("utf-8", "replace")
        raise UserError(
            f"{place}: the label is {shown!r}, and a label is a number, or a list of numbers: {_ORDER}", field="label"
        )
    return numbers


def shuffled(examples: Iterator[Example], random: np.random.Generator) -> Iterator[Example]:
    """The examples in another order, each drawn from those that the buffer holds."""
    held: list[Example] = []
    size = 0
    for example in examples:
        held.append(example)
        size += len(example.encoded)
        while len(held) > MOST_SHUFFLED or (size > MOST_SHUFFLED_BYTES and len(held) > 1):
            place = int(random.integers(len(held)))
            held[place], held[-1] = held[-1], held[place]
            size -= len(held[-1].encoded)
            yield held.pop()
    for place in random.permutation(len(held)).tolist():
        yield held[place]


def _again(first: recordio.Frame, rest: Iterator[recordio.Frame]) -> Iterator[recordio.Frame]:
    yield first
    yield from rest


def _number(value: object) -> float | None:
    """A number, or the text of one in a list; whether it makes sense is not looked at."""
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            return None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
