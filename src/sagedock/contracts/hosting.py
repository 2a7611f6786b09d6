"""The settings of a hosting container, read from its environment once (SageMaker developer guide, hosting)."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from sagedock.contracts import capacity, machine, model_directory
from sagedock.contracts import plan as plans
from sagedock.contracts.paths import Paths
from sagedock.contracts.plan import Plan

MEBIBYTE = 1024 * 1024
DEFAULT_PORT = 8080
DEFAULT_PAYLOAD_MEBIBYTES = 25
BODY_MEMORY_MEBIBYTES = 128
LARGEST_PAYLOAD_MEBIBYTES = plans.MOST_TRANSFORM_MEBIBYTES

EVICTIONS = ("platform", "lru")
"""Who makes room for a model that does not fit: SageMaker, by unloading others, or this server by itself."""

MARKED = "placeholder"
BAD_RECORDS = ("refuse", MARKED)
"""What becomes of a request with a line that cannot be read."""

_LONGEST_NUMBER = 20

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"", "0", "false", "no", "off"})

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class InferenceOptions:
    """What the deployer asks of a model, beside the request.

    `output` is SAGEMAKER_INFERENCE_OUTPUT (selectable inference), `ensemble` SAGEMAKER_INFERENCE_ENSEMBLE,
    `allow_pickle` SAGEDOCK_ALLOW_PICKLE, `device` 'cpu' or 'gpu'. `bad_records` is SAGEDOCK_BAD_RECORDS: whether a line
    that cannot be read fails its request, or gets a placeholder among the answers. `streaming` is SAGEDOCK_STREAMING:
    whether a model that was made to learn from what it answers does so. `environment` is the container's, for the
    variables that an algorithm documents.
    """

    output: tuple[str, ...] = ()
    ensemble: bool = False
    allow_pickle: bool = False
    device: str = "cpu"
    bad_records: str = "refuse"
    streaming: bool = True
    environment: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> InferenceOptions:
        """Raises UserError or PlatformError for a SAGEDOCK_DEVICE that is unknown or absent."""
        keys = environment.get("SAGEMAKER_INFERENCE_OUTPUT", "").lower().replace(" ", "").split(",")
        return cls(
            output=tuple(key for key in keys if key),
            ensemble=_flag(environment, "SAGEMAKER_INFERENCE_ENSEMBLE"),
            allow_pickle=_flag(environment, "SAGEDOCK_ALLOW_PICKLE"),
            device=machine.device(environment),
            bad_records=_choice(environment, "SAGEDOCK_BAD_RECORDS", BAD_RECORDS),
            streaming=_flag(environment, "SAGEDOCK_STREAMING", default=True),
            environment=environment,
        )


@dataclass(frozen=True)
class HostingSettings:
    """How this container serves.

    `threads` is how many inferences run at once in each of `workers` processes. `timeout` is after how many seconds of
    silence a worker is replaced, 0 for never; no request is cut by it. `max_payload_bytes` bounds a request's body.
    `batch` is SAGEMAKER_BATCH as spelled, None when it is absent or false. `plan` is what was measured of this setting,
    where it was. `multi_model` means many models in one process, which may take `model_memory_bytes` together;
    `eviction` is one of EVICTIONS. `single_process` serves without a parent that minds the workers. `metrics` answers
    GET /metrics and logs the same figures every `metrics_seconds`; `request_log` logs each answered invocation.
    `body_memory_bytes` is what the bodies on their way in may take at once in each worker, beside the one that is read
    on anyway. `concurrent_transforms` is how many requests at once the transform job of this container sends, where it
    says so.
    """

    port: int = DEFAULT_PORT
    workers: int = 1
    threads: int = 1
    timeout: int = 0
    max_payload_bytes: int = DEFAULT_PAYLOAD_MEBIBYTES * MEBIBYTE
    default_accept: str | None = None
    batch: str | None = None
    plan: Plan | None = None
    multi_model: bool = False
    model_memory_bytes: int = 0
    eviction: str = EVICTIONS[0]
    single_process: bool = False
    metrics: bool = False
    metrics_seconds: int = 60
    request_log: bool = False
    body_memory_bytes: int = BODY_MEMORY_MEBIBYTES * MEBIBYTE
    concurrent_transforms: int = 1
    options: InferenceOptions = field(default_factory=InferenceOptions)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], hosted: Path | None = None) -> HostingSettings:
        """What `environment` asks for; a number that does not parse is logged and its default taken (contract D27).

        `hosted` is the model directory, where it is not the environment's.
        Raises UserError or PlatformError for a SAGEDOCK_DEVICE that cannot be had.
        """
        batch = environment.get("SAGEMAKER_BATCH", "").strip()
        multi_model = _multi_model(environment)
        single_process = _flag(environment, "SAGEDOCK_SINGLE_PROCESS")
        alone = multi_model or single_process
        directory = hosted or Paths.from_environment(environment).model
        options = InferenceOptions.from_environment(environment)
        learning = options.streaming and not multi_model and model_directory.learns(directory)
        plan = None if multi_model or learning else plans.in_force(environment, directory)
        payload = _max_payload(environment)
        counts = _default_counts(plan, directory, payload, multi_model=multi_model)
        workers, threads = (1, 1) if learning else counts
        settings = cls(
            port=_whole(environment, "SAGEMAKER_BIND_TO_PORT", DEFAULT_PORT, 1, 65535),
            workers=1 if alone else _workers(environment, workers),
            threads=_whole(environment, "SAGEDOCK_INFERENCE_THREADS", threads, 1, 1024),
            timeout=_whole(environment, "SAGEMAKER_MODEL_SERVER_TIMEOUT", 0, 0, 86400),
            max_payload_bytes=payload,
            default_accept=environment.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", "").strip() or None,
            batch=None if batch.lower() in _FALSE else batch,
            multi_model=multi_model,
            model_memory_bytes=_model_memory(environment) if multi_model else 0,
            eviction=_choice(environment, "SAGEDOCK_MODEL_EVICTION", EVICTIONS),
            single_process=single_process,
            metrics=_flag(environment, "SAGEDOCK_METRICS"),
            metrics_seconds=_whole(environment, "SAGEDOCK_METRICS_SECONDS", 60, 1, 86400),
            request_log=_flag(environment, "SAGEDOCK_REQUEST_LOG"),
            concurrent_transforms=_whole(environment, "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS", 1, 0, 1024),
            options=options,
        )
        measured = plan and not _asks_for_payload(environment) and settings.answers_by(plan)
        return replace(settings, plan=plan) if measured else settings

    def answers_by(self, plan: Plan) -> bool:
        """Whether `plan` was measured with the worker and thread counts in force, and its payload is allowed."""
        counts = (self.workers, self.threads) == (plan.workers, plan.threads)
        return counts and self.max_payload_bytes >= plan.max_payload_in_mb * MEBIBYTE

    def execution_parameters(self) -> dict[str, int | str]:
        """The answer to GET /execution-parameters: concurrency times payload never exceeds 100 MB.

        What was measured (`plan`) goes before what follows from the worker and thread counts.
        The SDK's local mode spells SAGEMAKER_BATCH `True` and trips over MULTI_RECORD, so it is told no strategy.
        """
        transforms, megabytes = self._transforms()
        parameters: dict[str, int | str] = {"MaxConcurrentTransforms": transforms, "MaxPayloadInMB": megabytes}
        return parameters if self.batch == "True" else {**parameters, "BatchStrategy": "MULTI_RECORD"}

    def _transforms(self) -> tuple[int, int]:
        """How many requests at once, and of how many MiB."""
        if self.plan is not None:
            return self.plan.max_concurrent_transforms, self.plan.max_payload_in_mb
        limit = max(1, min(self.max_payload_bytes // MEBIBYTE, LARGEST_PAYLOAD_MEBIBYTES))
        wanted = limit if limit > DEFAULT_PAYLOAD_MEBIBYTES else 1  # a limit that was raised is kept, not divided
        transforms = max(1, min(self.workers * self.threads, LARGEST_PAYLOAD_MEBIBYTES // wanted))
        return transforms, min(limit, LARGEST_PAYLOAD_MEBIBYTES // transforms)


def _default_counts(plan: Plan | None, directory: Path, payload: int, *, multi_model: bool) -> tuple[int, int]:
    """Workers, and threads in each: those of the plan, else one worker for each processor this container may use, as
    far as the model fits its memory so many times, and threads for the processors that get no worker. Many models are
    held once, by one process with so many threads.
    """
    if multi_model:
        return 1, machine.cpu_count()
    if plan is not None:
        return plan.workers, plan.threads
    artefacts, cpus = capacity.artefact_bytes(directory), machine.cpu_count()
    workers = capacity.workers(cpus, machine.memory_limit(), artefacts, payload)
    return workers, cpus // workers


def _asks_for_payload(environment: Mapping[str, str]) -> bool:
    return any(environment.get(name, "").strip() for name in ("SAGEMAKER_MAX_PAYLOAD_IN_MB", "MAX_CONTENT_LENGTH"))


def _max_payload(environment: Mapping[str, str]) -> int:
    if environment.get("SAGEMAKER_MAX_PAYLOAD_IN_MB", "").strip():
        mebibytes = _whole(environment, "SAGEMAKER_MAX_PAYLOAD_IN_MB", DEFAULT_PAYLOAD_MEBIBYTES, 0, 1024)
        return (mebibytes or LARGEST_PAYLOAD_MEBIBYTES) * MEBIBYTE
    return _whole(environment, "MAX_CONTENT_LENGTH", DEFAULT_PAYLOAD_MEBIBYTES * MEBIBYTE, 1, 1024 * MEBIBYTE)


def _multi_model(environment: Mapping[str, str]) -> bool:
    """SageMaker's own containers compare with exactly `true` (contract 5.1)."""
    text = environment.get("SAGEMAKER_MULTI_MODEL", "")
    if text != "true" and text.strip().lower() in _TRUE:
        _log.warning("SAGEMAKER_MULTI_MODEL is %r, not exactly 'true': serving a single model", text)
    return text == "true"


def _model_memory(environment: Mapping[str, str]) -> int:
    """Without a setting three quarters of what this container may use, less what this process has already."""
    room = max(MEBIBYTE, machine.memory_limit() * 3 // 4 - machine.resident_memory())
    return _whole(environment, "SAGEDOCK_MODEL_MEMORY_IN_MB", room // MEBIBYTE, 1, 2**30) * MEBIBYTE


def _choice(environment: Mapping[str, str], name: str, allowed: Sequence[str]) -> str:
    """The first of `allowed` is the default."""
    text = environment.get(name, "").strip().lower() or allowed[0]
    if text not in allowed:
        _log.warning("%s is %r, not one of %s: using %s", name, environment[name], ", ".join(allowed), allowed[0])
    return text if text in allowed else allowed[0]


def _workers(environment: Mapping[str, str], default: int) -> int:
    """SageMaker's variable, or the one that its DeepAR knows (developer guide, "DeepAR Inference Formats")."""
    older = _whole(environment, "MODEL_SERVER_WORKERS", default, 1, 1024)
    return _whole(environment, "SAGEMAKER_MODEL_SERVER_WORKERS", older, 1, 1024)


def _whole(environment: Mapping[str, str], name: str, default: int, smallest: int, largest: int) -> int:
    text = environment.get(name, "").strip()
    if not text:
        return default
    plain = text.isascii() and text.removeprefix("+").isdigit()  # int() reads 1_0 and other scripts' digits too
    value = int(text) if plain and len(text) <= _LONGEST_NUMBER else smallest - 1
    if smallest <= value <= largest:
        return value
    _log.warning("%s is %r, not a whole number from %d to %d: using %d", name, text, smallest, largest, default)
    return default


def _flag(environment: Mapping[str, str], name: str, *, default: bool = False) -> bool:
    text = environment.get(name, "").strip().lower() or str(default).lower()
    if text not in _TRUE | _FALSE:
        _log.warning("%s is %r, neither true nor false: using %s", name, environment[name], str(default).lower())
        return default
    return text in _TRUE
