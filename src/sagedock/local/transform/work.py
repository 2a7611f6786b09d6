"""One object on its way: read and cut, its answers assembled in order, and its output published once it is whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sagedock.contracts.files import explain
from sagedock.contracts.hosting import LARGEST_PAYLOAD_MEBIBYTES, MEBIBYTE
from sagedock.errors import PlatformError, SagedockError, UserError
from sagedock.local.transform import rejects, splitting
from sagedock.local.transform.batching import Batch, Batcher, Refused, WholeObject
from sagedock.local.transform.client import NO_ANSWER, Reply
from sagedock.local.transform.document import TransformJob
from sagedock.local.transform.objects import InputObject, Reading, reading
from sagedock.local.transform.outputs import Destination
from sagedock.local.transform.parameters import Parameters
from sagedock.local.transform.processing import DataProcessor
from sagedock.local.transform.scoring import Scored

_UNLIMITED = 1 << 60


@dataclass(frozen=True)
class Plan:
    """What is the same for all objects of a job; `keep_rejects` writes bad records aside instead of failing."""

    job: TransformJob
    parameters: Parameters
    processor: DataProcessor
    destination: Destination
    scratch: Path
    keep_rejects: bool = False


class Work:
    """The transform of one object. What goes wrong is kept in `error`, and its drafts are dropped."""

    def __init__(self, item: InputObject, plan: Plan, number: int) -> None:
        self.item = item
        self.error: SagedockError | None = None
        self.finished = False
        self.good = self.rejected = 0
        self._last = ""
        self._plan = plan
        self._copy = plan.scratch / f"input-{number}"
        self._name, self._rejects_name = f"{item.name}.out", f"{item.name}.rejects.jsonl"
        self._drafts: dict[str, tuple[Path, BinaryIO]] = {}

    def batches(self) -> Iterator[Batch | Refused]:
        """What is to be asked, in order; ends early when the object cannot be read, or has failed meanwhile."""
        try:
            self._file = self.item.fetched(self._copy)
            yield from self._unlimited() if self._plan.parameters.payload_bytes is None else self._limited()
        except SagedockError as error:
            self.fail(error)
        except OSError as error:
            self.fail(UserError(f"cannot read {self.item.address}: {error.strerror or error}"))

    def take(self, result: Scored | Refused) -> None:
        """Write what came back for the next records."""
        if self.error is not None:
            return
        try:
            if isinstance(result, Refused):
                self._reject(result)
            else:
                self._write(result)
        except SagedockError as error:
            self.fail(error)

    def finish(self) -> None:
        """Publish the output, and beside it the rejected records if there are any."""
        if self.error is None:
            try:
                self._refuse_if_all_rejected()
                self._stream(self._name)  # an empty object has an empty output
                if self.rejected:
                    self._publish(self._rejects_name)
                self._publish(self._name)
                if not self.rejected:
                    self._plan.destination.remove(self._rejects_name)
                self.finished = True
            except SagedockError as error:
                self.fail(error)
        self.drop()

    def fail(self, error: SagedockError) -> None:
        """Keep the first error."""
        self.error = self.error or error
        self.drop()

    def drop(self) -> None:
        """Remove what is not published, and the copy of the object."""
        for draft, stream in self._drafts.values():
            with suppress(OSError):
                stream.close()
            draft.unlink(missing_ok=True)
        self._drafts = {}
        self._copy.unlink(missing_ok=True)

    def _limited(self) -> Iterator[Batch | Refused]:
        plan = self._plan
        with self._opened() as opened:
            batcher = Batcher(
                plan.parameters.payload_bytes,
                plan.parameters.single or plan.job.split == "None",
                plan.processor.request if plan.processor.filters_input else None,
                lambda: opened.position,
            )
            with closing(batcher.batches(self._records(opened.content))) as batches:
                for batch in batches:
                    if self.error is not None:
                        return
                    yield batch

    def _unlimited(self) -> Iterator[Batch | Refused]:
        """No limit: single records, or the whole object, in either case in chunks."""
        plan = self._plan
        if plan.parameters.single and plan.job.split != "None":
            yield from self._limited()
        elif self.item.size:
            yield WholeObject(self._reread, plan.processor.request, self.item.size, self._in_pieces)

    def _reread(self) -> Iterator[bytes]:
        with self._opened() as opened:
            if self._in_pieces:
                yield from splitting.pieces(opened.content)
            else:
                yield from self._records(opened.content)

    @property
    def _in_pieces(self) -> bool:
        """Whether the object goes through as it is, never whole in memory."""
        return self._plan.job.split == "None" and not self._plan.processor.reads_records

    def _opened(self) -> AbstractContextManager[Reading]:
        return reading(self.item, self._file, zipped=self._plan.job.source.gzip)

    def _records(self, content: BinaryIO) -> Iterator[bytes]:
        plan = self._plan
        longest = plan.parameters.payload_bytes
        if longest is not None and plan.processor.filters_input:  # what is left of a record may be short
            longest = LARGEST_PAYLOAD_MEBIBYTES * MEBIBYTE
        if plan.job.split == "Line":
            return splitting.lines(content, longest or _UNLIMITED)
        if plan.job.split == "RecordIO":
            return splitting.framed(content, self.item.address, padded=not plan.parameters.single)
        return splitting.whole(content, longest)

    def _reject(self, refused: Refused) -> None:
        if not self._plan.keep_rejects:
            raise UserError(f"{self._place(refused.number, 1)}: {refused.message}", row=refused.number)
        self.rejected += 1
        self._last = refused.message
        self._append(self._rejects_name, [rejects.line(self.item.address, refused)])

    def _write(self, scored: Scored) -> None:
        batch, reply = scored.batch, scored.reply
        if not reply.good:
            raise self._failure(batch, reply)
        try:
            self._append(self._name, self._plan.processor.output(batch.records, batch.count, reply.body))
        except UserError as error:
            raise UserError(f"{self._place(batch.first, batch.count, error.row)}: {error}") from error
        self.good += batch.count

    def _failure(self, batch: Batch, reply: Reply) -> SagedockError:
        place = self._place(batch.first, batch.count, reply.row)
        if reply.status == NO_ANSWER:
            return PlatformError(f"{place}: the container did not answer: {reply.message}")
        kind = UserError if reply.status < 500 else PlatformError
        return kind(f"{place}: the container answered {reply.status} ({reply.code}): {reply.message}")

    def _place(self, first: int, count: int, row: int | None = None) -> str:
        """The object and the line at fault, or the lines among which it is."""
        unit = {"Line": "line", "RecordIO": "record"}.get(self._plan.job.split)
        if unit is None:
            return self.item.address
        if row is not None or count == 1:
            return f"{self.item.address}, {unit} {first + (row or 1) - 1}"
        return f"{self.item.address}, {unit}s {first} to {first + count - 1}"

    def _append(self, name: str, pieces: Iterable[bytes]) -> None:
        stream = self._stream(name)
        try:
            stream.writelines(pieces)
        except OSError as error:
            raise self._explained(error, name) from error

    def _stream(self, name: str) -> BinaryIO:
        if name not in self._drafts:
            try:
                draft = self._plan.destination.draft(name)
                self._drafts[name] = draft, draft.open("wb")
            except OSError as error:
                raise self._explained(error, name) from error
        return self._drafts[name][1]

    def _publish(self, name: str) -> None:
        draft, stream = self._drafts[name]
        try:
            stream.close()
            self._plan.destination.publish(draft, name)
        except OSError as error:
            raise self._explained(error, name) from error

    def _explained(self, error: OSError, name: str) -> PlatformError:
        return explain(error, Path(self._plan.destination.address(name)))

    def _refuse_if_all_rejected(self) -> None:
        if self.rejected and not self.good:
            raise UserError(f"{self.item.address}: all {self.rejected} records were refused, the last: {self._last}")
