"""From records to the bodies of requests (API reference, CreateTransformJob: BatchStrategy, MaxPayloadInMB)."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from sagedock.errors import UserError

PIECE = 64 * 1024


@dataclass(frozen=True)
class MiniBatch:
    """Some records of an object in a row, the first being number `first`, counted from 1.

    `records` are as they lie in the object, `requests` as they are sent. `position` is how many bytes of the object
    (as it is stored) were read up to here. `chunked` bodies go out without their length.
    """

    first: int
    records: Sequence[bytes]
    requests: Sequence[bytes]
    position: int = 0
    chunked: bool = False

    @property
    def count(self) -> int:
        return len(self.records)

    def body(self) -> bytes | Iterable[bytes]:
        """The body of the request, anew for each try."""
        return gathered(self.requests) if self.chunked else b"".join(self.requests)

    def part(self, begin: int, end: int) -> MiniBatch:
        """The records from `begin` up to `end`, counted from 0."""
        records, requests = self.records[begin:end], self.requests[begin:end]
        return MiniBatch(self.first + begin, records, requests, self.position, self.chunked)


@dataclass
class WholeObject:
    """All records of an object in one request without a limit; they are read anew each time and never held.

    `in_pieces` says that `read` gives pieces of one record.
    """

    read: Callable[[], Iterator[bytes]]
    request: Callable[[bytes], bytes]
    position: int
    in_pieces: bool = False
    first: int = 1
    count: int = 0

    @property
    def records(self) -> Iterator[bytes]:
        return self.read()

    def body(self) -> Iterator[bytes]:
        """The body of the request, in chunks, anew for each try."""
        self.count = int(self.in_pieces)
        return gathered(self._requests())

    def _requests(self) -> Iterator[bytes]:
        for record in self.read():
            self.count += not self.in_pieces
            yield self.request(record)


Batch = MiniBatch | WholeObject


@dataclass(frozen=True)
class Refused:
    """A record that no request can carry, or that the container refuses: its number, and why."""

    number: int
    code: str
    message: str
    record: bytes | None = None


@dataclass
class Batcher:
    """Cuts records into mini-batches of at most `limit` bytes (None: no limit, all in one), or of one record each.

    `request` makes of a record what is sent; it raises UserError for a record it cannot read. `position` tells how much
    of the object is read.
    """

    limit: int | None
    single: bool = False
    request: Callable[[bytes], bytes] | None = None
    position: Callable[[], int] = int
    _records: list[bytes] = field(default_factory=list)
    _requests: list[bytes] = field(default_factory=list)
    _size: int = 0
    _first: int = 1

    def batches(self, records: Iterable[bytes]) -> Generator[MiniBatch | Refused]:
        """The mini-batches in order; a record that cannot be sent comes at its place as Refused."""
        limit = float("inf") if self.limit is None else self.limit
        number = 0
        for number, record in enumerate(records, start=1):
            try:
                request = record if self.request is None else self.request(record)
            except UserError as error:
                yield from self._flush(number + 1)
                yield Refused(number, "bad_request", str(error), record)
                continue
            size = len(request)
            if size > limit:
                yield from self._flush(number + 1)
                yield Refused(number, "payload_too_large", self._too_large(size))
                continue
            if self._size + size > limit or (self.single and self._records):
                yield from self._flush(number)
            self._records.append(record)
            self._requests.append(request)
            self._size += size
        yield from self._flush(number + 1)

    def _flush(self, following: int) -> Iterator[MiniBatch]:
        if self._records:
            requests = self._records if self.request is None else self._requests
            yield MiniBatch(self._first, self._records, requests, self.position(), self.limit is None)
        self._records, self._requests, self._size, self._first = [], [], 0, following

    def _too_large(self, size: int) -> str:
        return (
            f"longer than MaxPayloadInMB allows ({size} bytes or more of {self.limit}): raise MaxPayloadInMB, at most "
            "100, or shorten the record"
        )


def gathered(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """`pieces` put together to at least 64 KiB each, as chunks of a request."""
    waiting: list[bytes] = []
    size = 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= PIECE:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)
