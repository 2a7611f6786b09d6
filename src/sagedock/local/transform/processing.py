"""DataProcessing and assembling: from a record to its request, and from an answer to what is written.

A cell of CSV that passes through keeps its own spelling, quotes included. JSON that is filtered or joined is written
anew, compactly, its names in their order.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sagedock.errors import UserError
from sagedock.formats.media_types import CSV, JSON
from sagedock.local.transform.document import WHOLE, TransformJob, media_essence
from sagedock.local.transform.filters import Filter

OUTPUT, INPUT = "SageMakerOutput", "SageMakerInput"
_CELL = re.compile(rb'("[^"]*(?:""[^"]*)*"|[^",]*)(,|\Z)')


class DataProcessor:
    """What a job's DataProcessing and AssembleWith do with records and answers.

    Raises UserError when a filter lies outside what Batch Transform documents.
    """

    def __init__(self, job: TransformJob) -> None:
        processing = job.processing
        self._join, self._lined = processing.join, job.assemble == "Line"
        self._content, self._accept = media_essence(job.content_type), media_essence(job.accept)
        self._input = _filter(processing.input_filter, "DataProcessing.InputFilter", self._content)
        self._output = _filter(processing.output_filter, "DataProcessing.OutputFilter", self._accept)

    @property
    def filters_input(self) -> bool:
        return self._input is not None

    @property
    def reads_records(self) -> bool:
        """Whether more is done with a record than to send it."""
        return self._join or self._input is not None

    @property
    def reads_answers(self) -> bool:
        """Whether the records of an answer are told apart, so that their number must be that of the records sent."""
        return self._join or self._output is not None

    def request(self, record: bytes) -> bytes:
        """What is sent of `record`; its line end stays. Raises UserError for a record that cannot be read."""
        if self._input is None:
            return record
        content = record.rstrip(b"\r\n")
        end = record[len(content) :]
        if self._content == CSV:
            return _selected(self._input, cells(content)) + end
        return _written(self._input.apply(_value(content, "the record"))) + end

    def output(self, records: Iterable[bytes], count: int, body: bytes) -> Iterator[bytes]:
        """What is written for an answer to `count` records, a piece at a time.

        Raises UserError with the row that cannot be joined or filtered.
        """
        if not self.reads_answers:
            yield _without_end(body) + b"\n" if self._lined else body
            return
        answers = self._answers(body, count)
        if self._join and len(answers) != count:
            raise UserError(
                f"{count} records were sent and {len(answers)} came back: a join needs one answer for each; "
                "choose BatchStrategy SingleRecord, or an Accept that has one line for each record"
            )
        end = b"\n" if self._lined or self._accept != JSON else b""
        for row in self._rows(records if self._join else itertools.repeat(None), answers):
            yield row + end

    def _answers(self, body: bytes, count: int) -> list[bytes]:
        """JSON that answers one record, or a whole object, may have lines of its own."""
        if self._accept == JSON and (count == 1 or not self._lined):
            return [body.strip()]
        return [line.removesuffix(b"\r") for line in _without_end(body).split(b"\n")]

    def _rows(self, records: Iterable[bytes | None], answers: Iterable[bytes]) -> Iterator[bytes]:
        row = self._csv if self._accept == CSV else self._json
        for position, (answer, record) in enumerate(zip(answers, records, strict=False), start=1):
            try:
                yield row(None if record is None else record.rstrip(b"\r\n"), answer)
            except UserError as error:
                raise UserError(str(error), field=error.field, row=position) from error

    def _csv(self, record: bytes | None, answer: bytes) -> bytes:
        if self._output is None and record is not None:
            _refuse_open_quote(record)
            return record + b"," + answer
        return _selected(self._output, [*(cells(record) if record is not None else []), *cells(answer)])

    def _json(self, record: bytes | None, answer: bytes) -> bytes:
        value = _value(answer, "the answer")
        if record is not None:
            value = joined(_value(record, "the record"), value)
        return _written(value if self._output is None else self._output.apply(value))


def joined(record: Any, answer: Any) -> dict[str, Any]:
    """The answer under SageMakerOutput of the input's object, or beside it (API: DataProcessing.JoinSource)."""
    if not isinstance(record, dict):
        return {INPUT: record, OUTPUT: answer}
    if OUTPUT in record:
        raise UserError(f"the record has the reserved name {OUTPUT}: rename it", field=OUTPUT)
    return {**record, OUTPUT: answer}


def cells(row: bytes) -> list[bytes]:
    """The cells of one line as they are spelled, by RFC 4180. Raises UserError for a quote that is out of place."""
    if b'"' not in row:
        return row.split(b",")
    found = []
    position = 0
    while (cell := _CELL.match(row, position)) is not None:
        found.append(cell[1])
        if not cell[2]:
            return found
        position = cell.end()
    raise UserError(
        f"cell {len(found) + 1} has a quote out of place: close it, and double a quote inside; Line splits at every "
        "newline byte, quoted ones too"
    )


def _refuse_open_quote(row: bytes) -> None:
    if b'"' in row:
        cells(row)


def _selected(chosen: Filter | None, row: Sequence[bytes]) -> bytes:
    if chosen is None:
        return b",".join(row)
    return b",".join([row[column] for column in chosen.columns(len(row))])


def _filter(text: str, field: str, essence: str) -> Filter | None:
    return None if text == WHOLE else Filter(text, field, rows=essence == CSV)


def _value(text: bytes, what: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{what} is no JSON: {error}") from error


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no value of JSON: write null, or a number")


def _written(value: Any) -> bytes:
    """UTF-8; half a surrogate, which UTF-8 cannot hold, makes the whole ASCII with escapes."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError as error:
        raise UserError("a number is too large for a double: write a smaller one") from error
    try:
        return text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def _without_end(body: bytes) -> bytes:
    return body.removesuffix(b"\n").removesuffix(b"\r")
