"""The request body of CreateTransformJob, checked and typed (API reference, CreateTransformJobRequest)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sagedock.contracts import shapes
from sagedock.contracts.hosting import LARGEST_PAYLOAD_MEBIBYTES
from sagedock.errors import UserError
from sagedock.formats.media_types import CSV, JSON, JSON_LINES, parse_media_type
from sagedock.local.transform.fields import Fields

LONGEST_ENVIRONMENT = 16
WHOLE = "$"
"""The filter that leaves everything as it is."""


@dataclass(frozen=True)
class DataSource:
    """Where the objects lie: a prefix, or a manifest that names them."""

    uri: str
    manifest: bool
    gzip: bool


@dataclass(frozen=True)
class Processing:
    """DataProcessing: two JSONPaths, and whether the input is joined to the answers."""

    input_filter: str = WHOLE
    output_filter: str = WHOLE
    join: bool = False


@dataclass(frozen=True)
class TransformJob:
    """What the document asks for.

    `strategy`, `payload` (MB, 0 for no limit) and `concurrent` are None where the container is asked. `split` is
    'None', 'Line' or 'RecordIO', `assemble` 'None' or 'Line'. `timeout` is in seconds.
    """

    source: DataSource
    output: str
    content_type: str | None
    accept: str | None
    split: str
    assemble: str
    strategy: str | None
    payload: int | None
    concurrent: int | None
    timeout: int
    retries: int
    environment: Mapping[str, str]
    processing: Processing


def read(body: Mapping[str, Any], *, source: str | None = None, output: str | None = None) -> TransformJob:
    """The job that `body` describes; `source` and `output` take the place of S3Uri and S3OutputPath.

    Raises UserError naming the field, its value and what is allowed, for every field that cannot be honoured here too.
    """
    fields = Fields(body)
    fields.refuse_unknown()
    asked = fields.inside("TransformInput")
    wanted = fields.inside("TransformOutput")
    client = fields.inside("ModelClientConfig")
    job = TransformJob(
        source=_source(asked, source),
        output=output or wanted.text("S3OutputPath", required=True) or "",
        content_type=asked.text("ContentType"),
        accept=wanted.text("Accept"),
        split=_split(asked),
        assemble=wanted.choice("AssembleWith", ("None", "Line")) or "None",
        strategy=fields.choice("BatchStrategy", ("MultiRecord", "SingleRecord")),
        payload=fields.whole("MaxPayloadInMB", 0, LARGEST_PAYLOAD_MEBIBYTES),
        concurrent=fields.whole("MaxConcurrentTransforms", 0, 1_000_000) or None,
        timeout=client.whole("InvocationsTimeoutInSeconds", 1, 3600) or 600,
        retries=_default(client.whole("InvocationsMaxRetries", 0, 3), 3),
        environment=_environment(fields),
        processing=_processing(fields.inside("DataProcessing")),
    )
    _refuse_large_product(job)
    _refuse_unreadable(job)
    return job


def media_essence(media_type: str | None) -> str:
    """`text/csv` of `Text/CSV; charset=utf-8`; empty when there is none."""
    return parse_media_type(media_type).essence if media_type else ""


def _default(value: int | None, default: int) -> int:
    return default if value is None else value


def _source(fields: Fields, instead: str | None) -> DataSource:
    source = fields.inside("DataSource").inside("S3DataSource")
    kind = source.choice("S3DataType", ("S3Prefix", "ManifestFile"), required=instead is None)
    uri = instead or source.text("S3Uri", required=True) or ""
    manifest = kind == "ManifestFile" and instead is None
    return DataSource(uri, manifest, fields.choice("CompressionType", ("None", "Gzip")) == "Gzip")


def _split(fields: Fields) -> str:
    split = fields.choice("SplitType", ("None", "Line", "RecordIO", "TFRecord")) or "None"
    if split == "TFRecord":
        raise UserError(
            "TransformInput.SplitType is 'TFRecord', which no algorithm here reads: use None, Line or RecordIO",
            field="TransformInput.SplitType",
        )
    return split


def _environment(fields: Fields) -> dict[str, str]:
    environment = fields.inside("Environment").texts()
    if len(environment) > LONGEST_ENVIRONMENT:
        message = f"Environment has {len(environment)} entries: SageMaker allows {LONGEST_ENVIRONMENT}"
        raise UserError(message, field="Environment")
    faults = list(shapes.variables(environment, "Environment"))
    if faults:
        raise UserError("; ".join(faults), field="Environment")
    return environment


def _processing(fields: Fields) -> Processing:
    return Processing(
        fields.text("InputFilter") or WHOLE,
        fields.text("OutputFilter") or WHOLE,
        fields.choice("JoinSource", ("None", "Input")) == "Input",
    )


def _refuse_large_product(job: TransformJob) -> None:
    if job.payload and job.concurrent and job.payload * job.concurrent > LARGEST_PAYLOAD_MEBIBYTES:
        raise UserError(
            f"MaxConcurrentTransforms {job.concurrent} times MaxPayloadInMB {job.payload} is "
            f"{job.payload * job.concurrent}: SageMaker allows {LARGEST_PAYLOAD_MEBIBYTES}",
            field="MaxConcurrentTransforms",
        )


def _refuse_unreadable(job: TransformJob) -> None:
    """Filters and joins need types whose records can be told apart (guide, batch-transform-data-processing)."""
    processing = job.processing
    content, accept = media_essence(job.content_type), media_essence(job.accept)
    if processing.input_filter != WHOLE:
        _require_type("TransformInput.ContentType", content, "DataProcessing.InputFilter")
        _require_records("TransformInput.SplitType", content, job.split, "DataProcessing.InputFilter")
    if processing.output_filter != WHOLE:
        _require_type("TransformOutput.Accept", accept, "DataProcessing.OutputFilter")
    if not processing.join:
        return
    _require_type("TransformInput.ContentType", content, "DataProcessing.JoinSource")
    _require_records("TransformInput.SplitType", content, job.split, "DataProcessing.JoinSource")
    if content != accept:
        raise UserError(
            f"DataProcessing.JoinSource is 'Input': TransformOutput.Accept {job.accept!r} must be the type of "
            f"TransformInput.ContentType, {content!r}",
            field="TransformOutput.Accept",
        )
    if job.split != job.assemble:
        raise UserError(
            f"DataProcessing.JoinSource is 'Input': TransformOutput.AssembleWith {job.assemble!r} must be the same as "
            f"TransformInput.SplitType, {job.split!r}",
            field="TransformOutput.AssembleWith",
        )


def _require_type(field: str, essence: str, reason: str) -> None:
    if essence not in {CSV, JSON, JSON_LINES}:
        allowed = f"{CSV}, {JSON} or {JSON_LINES}"
        raise UserError(f"{reason} needs {field} to be {allowed}, not {essence or 'absent'}", field=field)


def _require_records(field: str, essence: str, split: str, reason: str) -> None:
    allowed = ("Line", "None") if essence == JSON else ("Line",)
    if split not in allowed:
        message = f"{reason} with {essence} needs {field} to be {' or '.join(allowed)}, not {split!r}"
        raise UserError(message, field=field)
