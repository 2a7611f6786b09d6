"""Log lines of SageMaker's algorithms of the record-based family: what their metric definitions and users search for.

Shapes as public logs of the managed algorithms show them; every host writes its own. Lines go to `Context.emit`.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

PROGRESS = r"#progress_metric: host=\S+, completed (\d+(?:\.\d+)?) %"
"""Finds the percentage in a line of `progress_metric`."""


def prefixed(text: str, level: str = "INFO") -> str:
    """`[MM/DD/YYYY HH:MM:SS LEVEL thread] text`, the time in UTC."""
    return f"[{datetime.now(UTC):%m/%d/%Y %H:%M:%S} {level} {threading.get_ident()}] {text}"


def quality_metric(
    host: str,
    dataset: str,
    name: str,
    value: float,
    *,
    kind: Literal["loss", "score"] = "loss",
    epoch: int | None = None,
) -> str:
    """A figure of quality on train, validation or test; the lines of test carry no epoch."""
    of_epoch = "" if epoch is None else f" epoch={epoch},"
    return prefixed(f"#quality_metric: host={host},{of_epoch} {dataset} {name} <{kind}>={float(value)!r}")


def quality_regex(dataset: str, name: str, kind: Literal["loss", "score"] = "loss") -> str:
    """The regular expression of a MetricDefinition that finds the value of `quality_metric`."""
    of_epoch = "" if dataset == "test" else r" epoch=\d+,"
    return rf"#quality_metric: host=\S+,{of_epoch} {dataset} {name} <{kind}>=(\S+)"


def final_score(host: str, name: str, value: float) -> str:
    """The older spelling of a figure on the test channel."""
    return prefixed(f"#test_score ({host}) : {(name, float(value))!r}")


def progress_metric(host: str, percent: float, *, last: bool = False) -> str:
    """How much of the training is done; the last line of all has no "of"."""
    return prefixed(f"#progress_metric: host={host}, completed {percent:.4g} %{'' if last else ' of'} epochs")


def throughput_metric(host: str, records: int, seconds: float) -> str:
    """Records trained on per second."""
    return prefixed(
        f"#throughput_metric: host={host}, train throughput={records / max(seconds, 1e-9)!r} records/second"
    )


def metrics(
    algorithm: str, host: str, operation: str, begin: float, end: float, values: Mapping[str, float], **dimensions: Any
) -> str:
    """`#metrics {json}` with one observation of each value; times are seconds since 1970."""
    content = {
        "StartTime": begin,
        "EndTime": end,
        "Dimensions": {"Algorithm": algorithm, "Host": host, "Operation": operation, **dimensions},
        "Metrics": {name: {"sum": value, "count": 1, "min": value, "max": value} for name, value in values.items()},
    }
    return f"#metrics {json.dumps(content)}"


def epoch_statistics(pipeline: str, epoch: int, seconds: float, batches: int, size: int) -> str:
    """What one pass over a channel took: its duration in milliseconds, batches of records, and bytes."""
    content = {
        "data_pipeline": pipeline,
        "epoch": epoch,
        "duration": round(seconds * 1000),
        "num_examples": batches,
        "num_bytes": size,
    }
    return f"[{datetime.now(UTC):%Y-%m-%d %H:%M:%S.%f}] [tensorio] [info] epoch_stats={json.dumps(content)}"
