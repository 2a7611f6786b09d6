"""How the work is cut and sent: the user's wish, else the container's, else SageMaker's default (contract 4.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sagedock.contracts.hosting import LARGEST_PAYLOAD_MEBIBYTES, MEBIBYTE
from sagedock.local.transform.document import TransformJob

DEFAULT_CONCURRENT, DEFAULT_STRATEGY, DEFAULT_PAYLOAD = 1, "MultiRecord", 6
_STRATEGIES = {"MULTI_RECORD": "MultiRecord", "SINGLE_RECORD": "SingleRecord"}


@dataclass(frozen=True)
class Parameters:
    """`payload_bytes` bounds the body of a request; None is no limit, and a body in chunks."""

    concurrent: int
    strategy: str
    payload_bytes: int | None

    @property
    def single(self) -> bool:
        """Whether each request carries one record."""
        return self.strategy == "SingleRecord"


def resolve(job: TransformJob, offered: Mapping[str, Any]) -> Parameters:
    """`offered` is the container's answer to GET /execution-parameters, empty when it had none.

    Concurrency times payload stays within 100 MB: what the user did not set gives way.
    """
    strategy = job.strategy or _strategy(offered.get("BatchStrategy"))
    payload = job.payload if job.payload is not None else _whole(offered.get("MaxPayloadInMB"), DEFAULT_PAYLOAD)
    concurrent = job.concurrent or max(1, _whole(offered.get("MaxConcurrentTransforms"), DEFAULT_CONCURRENT))
    payload = min(payload, LARGEST_PAYLOAD_MEBIBYTES)
    if job.concurrent is None and payload:
        concurrent = max(1, min(concurrent, LARGEST_PAYLOAD_MEBIBYTES // payload))
    elif job.payload is None and payload:
        payload = max(1, min(payload, LARGEST_PAYLOAD_MEBIBYTES // concurrent))
    return Parameters(concurrent, strategy, payload * MEBIBYTE or None)


def platform_variables(job: TransformJob) -> dict[str, str]:
    """What the platform tells the container of the job, on top of the job's own Environment (contract 4.1)."""
    strategies = {name: text for text, name in _STRATEGIES.items()}
    asked = {
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": None if job.payload is None else str(job.payload),
        "SAGEMAKER_BATCH_STRATEGY": strategies.get(job.strategy or ""),
        "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": None if job.concurrent is None else str(job.concurrent),
    }
    return {"SAGEMAKER_BATCH": "true", **{name: value for name, value in asked.items() if value is not None}}


def _strategy(offered: Any) -> str:
    known = {**_STRATEGIES, **{name: name for name in _STRATEGIES.values()}}
    return known.get(offered, DEFAULT_STRATEGY) if isinstance(offered, str) else DEFAULT_STRATEGY


def _whole(offered: Any, default: int) -> int:
    return offered if isinstance(offered, int) and not isinstance(offered, bool) and offered >= 0 else default
