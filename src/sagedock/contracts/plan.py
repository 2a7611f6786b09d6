"""plan.json: what `sagedock plan` measured of a model on one kind of machine, and the setting that served it best.

It may come inside a model's archive, so it is read as hostile input: a plan that says something impossible is not used,
and no number in it can ask for more workers than the machine's processors explain.
"""

from __future__ import annotations

import json
import logging
import math
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from sagedock.contracts import machine
from sagedock.contracts.files import write_text
from sagedock.errors import UserError

NAME = "plan.json"
FORMAT_VERSION = 1
LARGEST_BYTES = 65536
WORKERS_PER_CPU = 4
MOST_THREADS = 64
MOST_TRANSFORM_MEBIBYTES = 100
"""CreateTransformJob's bound on MaxPayloadInMB, and on its product with MaxConcurrentTransforms."""
OFF = "off"

_SAME_CPUS = 0.01

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """The content of plan.json.

    `cpus` are the processors it was made for, with a fraction. `requests_per_second` is the safe rate, 80 percent of
    the largest at which the 99th percentile stayed within `p99_limit_ms`; `p99_ms` was measured at the safe rate.
    `memory_bytes` is the proportional share (PSS) of all the server's processes under load. `measured` are the rows of
    the table that the command printed.
    """

    cpus: float
    workers: int
    threads: int
    requests_per_second: float
    p99_ms: float
    p99_limit_ms: float
    cpu_us_per_request: float
    memory_bytes: int
    max_concurrent_transforms: int
    max_payload_in_mb: int
    sagedock: str = ""
    measured: Sequence[Mapping[str, Any]] = field(default=())
    format_version: int = FORMAT_VERSION


def write(file: Path, plan: Plan) -> None:
    """Write `plan` to `file`, whole or not at all; raises PlatformError when the operating system refuses."""
    write_text(file, json.dumps(asdict(plan), indent=2) + "\n")


def read(file: Path) -> Plan:
    """The plan in `file`; raises UserError for one that does not parse or says something impossible.

    Raises FileNotFoundError when there is none.
    """
    try:
        content = json.loads(_content(file))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{file} is no JSON: {error}") from error
    try:
        return _parsed(content)
    except ValueError as error:
        raise UserError(f"{file} {error}: make it again with `sagedock plan`, or delete it") from error


def in_force(environment: Mapping[str, str], directory: Path) -> Plan | None:
    """The plan that applies here: that of SAGEDOCK_PLAN (a path, or `off`), else plan.json in the model `directory`.

    A plan that cannot be used, or was made for another machine, is one line of the log.
    """
    asked = environment.get("SAGEDOCK_PLAN", "").strip()
    if asked.lower() == OFF:
        return None
    file = Path(asked) if asked else directory / NAME
    try:
        plan = read(file)
    except FileNotFoundError:
        if asked:
            _log.warning("SAGEDOCK_PLAN is %s, which does not exist: using the defaults", asked)
        return None
    except UserError as error:
        _log.warning("%s; using the defaults", error)
        return None
    reason = _unfit(plan, machine.cpus(), machine.memory_limit())
    if reason:
        _log.warning("%s is not used, since it %s: run `sagedock plan` on this kind of machine", file, reason)
        return None
    _log.info(
        "%s: %d workers, %d threads, safe requests/s %.4g", file, plan.workers, plan.threads, plan.requests_per_second
    )
    return plan


def _unfit(plan: Plan, cpus: float, memory: int) -> str:
    """Why the plan does not apply to a machine of these processors and this memory; '' when it does."""
    if abs(plan.cpus - cpus) > _SAME_CPUS:
        return f"was made for {plan.cpus:g} CPUs and there are {cpus:g}"
    if plan.workers > WORKERS_PER_CPU * math.ceil(cpus):
        return f"asks for {plan.workers} workers on {cpus:g} CPUs"
    if plan.memory_bytes > memory:
        return f"takes {plan.memory_bytes} bytes of memory and the limit is {memory}"
    return ""


def _content(file: Path) -> bytes:
    """At most LARGEST_BYTES of a regular file; a FIFO of that name would otherwise hold the server up for ever."""
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as opened:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("it is no regular file")
        content = opened.read(LARGEST_BYTES + 1)
    if len(content) > LARGEST_BYTES:
        raise ValueError(f"it has more than {LARGEST_BYTES} bytes")
    return content


_RANGES: Mapping[str, tuple[float, float]] = {
    "format_version": (FORMAT_VERSION, FORMAT_VERSION),
    "cpus": (0.01, 4096),
    "workers": (1, 1024),
    "threads": (1, MOST_THREADS),
    "requests_per_second": (0, 1e9),
    "p99_ms": (0, 1e9),
    "p99_limit_ms": (0, 1e9),
    "cpu_us_per_request": (0, 1e12),
    "memory_bytes": (0, 2**60),
    "max_concurrent_transforms": (1, MOST_TRANSFORM_MEBIBYTES),
    "max_payload_in_mb": (1, MOST_TRANSFORM_MEBIBYTES),
}


def _parsed(content: object) -> Plan:
    if not isinstance(content, dict):
        raise ValueError(f"must hold a JSON object, not {type(content).__name__}")  # noqa: TRY004
    whole = {member.name for member in fields(Plan) if member.type == "int"}
    given = {name: _number(content.get(name), name, name in whole) for name in _RANGES}
    product = given["max_concurrent_transforms"] * given["max_payload_in_mb"]
    if product > MOST_TRANSFORM_MEBIBYTES:
        raise ValueError(
            f"has max_concurrent_transforms times max_payload_in_mb = {product}, above {MOST_TRANSFORM_MEBIBYTES}"
        )
    return Plan(**given, sagedock=str(content.get("sagedock", "")))  # type: ignore[arg-type]


def _number(value: object, name: str, whole: bool) -> float:
    smallest, largest = _RANGES[name]
    kinds = (int,) if whole else (int, float)
    if type(value) not in kinds or not smallest <= value <= largest:  # type: ignore[operator]
        kind = "a whole number" if whole else "a number"
        raise ValueError(f"has {name} {str(value)[:40]!r}, which must be {kind} from {smallest:g} to {largest:g}")
    return value  # type: ignore[return-value]
