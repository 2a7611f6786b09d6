"""Small jobs of BlazingText, and what they leave."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.algorithms.blazingtext import fasttexts
from tests.platform import Job

SMALL = {"epochs": "3", "vector_dim": "8", "buckets": "500", "min_count": "1", "_threads": "1", "learning_rate": "0.3"}
ALPHA = re.compile(r"##### Alpha: (\d\.\d{4})  Progress: (\d+\.\d\d)%  Million Words/sec: (\d+\.\d\d) #####")


def job(
    base: Path,
    mode: str = "supervised",
    *,
    train: str | bytes | Mapping[str, str | bytes] | None = None,
    validation: str | bytes | None = None,
    environment: Mapping[str, str] | None = None,
    **given: str,
) -> Job:
    """A job of one thread on `train`, by default 300 labelled lines; hyperparameters are added or replaced."""
    files = fasttexts.text(fasttexts.lines(300)) if train is None else train
    hyperparameters = {"mode": mode, **SMALL, **given}
    made = Job(base, hyperparameters, {"SAGEDOCK_ALGORITHM": "blazingtext", **(environment or {})})
    made.add_channel("train", files if isinstance(files, Mapping) else {"train.txt": files}, ContentType="text/plain")
    if validation is not None:
        made.add_channel("validation", {"validation.txt": validation}, ContentType="text/plain")
    return made


def held_out(count: int = 100) -> str:
    """Labelled lines like those that jobs train on."""
    return fasttexts.text(fasttexts.lines(count, seed=1))


def positions(lines: Sequence[str], *beginnings: str) -> list[int]:
    """Where lines with these beginnings first stand, in the order of the arguments."""
    return [next(number for number, line in enumerate(lines) if line.startswith(begin)) for begin in beginnings]


def value(lines: Sequence[str], name: str) -> float:
    """The number of the only line `name: number`."""
    (found,) = [line for line in lines if line.startswith(f"{name}: ")]
    return float(found.rpartition(" ")[2])
