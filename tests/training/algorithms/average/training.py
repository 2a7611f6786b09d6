"""Each host reads its own files; rank 0 has the average of all."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sagedock.algorithm import Context, Trained
from sagedock.contracts.channels import Channel
from sagedock.contracts.files import write_text
from sagedock.contracts.hyperparameters import Values
from sagedock.errors import UserError


class Average:
    """The model; it is only ever saved."""

    def __init__(self, average: float) -> None:
        self.average = average

    def save(self, directory: Path) -> list[str]:
        write_text(directory / "average.json", json.dumps(self.average))
        return ["average.json"]

    def describe(self) -> Mapping[str, Any]:
        return {"feature_count": 1}


def train(_hyperparameters: Values, channels: Mapping[str, Channel], context: Context) -> Trained | None:
    files = sorted(channels["train"].path.iterdir())
    numbers = [float(line) for file in files for line in file.read_text().split()]
    if not numbers:
        raise UserError(f"channel 'train' holds no records on host {context.cluster.hosts[context.cluster.rank]}")
    write_text(context.output_data / "seen.json", json.dumps(len(numbers)))
    parts = context.cluster.gather(struct.pack("!2d", sum(numbers), len(numbers)))
    if context.cluster.rank > 0:
        return None
    sums = [struct.unpack("!2d", part) for part in parts]
    average = sum(total for total, _ in sums) / sum(count for _, count in sums)
    return Trained(Average(average), {"average": average}, ())  # type: ignore[arg-type]
