"""Checkpoints at the ends of epochs, from which a killed job resumes to the same model, bit for bit on a CPU."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.image_classification import trainer as training
from sagedock.algorithms.image_classification.best import Best
from sagedock.algorithms.image_classification.examples import Source
from sagedock.algorithms.image_classification.hyperparameters import NOT_OF_THE_MODEL
from sagedock.algorithms.image_classification.report import Epoch
from sagedock.contracts.hyperparameters import Values
from sagedock.formats import checkpoints
from sagedock.formats.checkpoints import Arrays, Checkpoint

STEM = "image-classification-checkpoint"
_LEARNER, _BEST, _JUDGEMENT = "learner.", "best.", "judgement."


@dataclass(frozen=True)
class State:
    """What there is after some epochs: what the learner keeps, the best epoch, and the figures of all."""

    learner: Arrays
    best: Best
    epochs: Sequence[Epoch]

    @classmethod
    def of(cls, found: Checkpoint, names: tuple[str, ...]) -> Self:
        """The state of a checkpoint that `checkpoint` made; `names` are those of the classes."""
        judgement, told = _part(found.arrays, _JUDGEMENT), found.values
        best = Best(
            {name: np.array(array) for name, array in _part(found.arrays, _BEST).items()},
            told["best_epoch"],
            told["best_accuracy"],
            training.of_arrays(judgement, names) if judgement else None,
        )
        return cls(_part(found.arrays, _LEARNER), best, [Epoch(**epoch) for epoch in told["epochs"]])

    def checkpoint(self) -> Checkpoint:
        """What a checkpoint holds."""
        judgement = {} if self.best.judgement is None else training.arrays(self.best.judgement)
        parts = ((_LEARNER, self.learner), (_BEST, self.best.weights), (_JUDGEMENT, judgement))
        arrays = {f"{prefix}{name}": array for prefix, part in parts for name, array in part.items()}
        told = {
            "epochs": [asdict(epoch) for epoch in self.epochs],
            "best_epoch": self.best.epoch,
            "best_accuracy": self.best.accuracy,
        }
        return Checkpoint(len(self.epochs), arrays, told)

    def packed(self) -> bytes:
        """For another host, which needs no judgement."""
        content = State(self.learner, Best(self.best.weights, self.best.epoch, self.best.accuracy), self.epochs)
        checkpoint = content.checkpoint()
        stream = io.BytesIO()
        told = np.frombuffer(json.dumps(checkpoint.values).encode(), np.uint8)
        np.savez(stream, allow_pickle=False, told=told, **checkpoint.arrays)
        return stream.getvalue()

    @classmethod
    def unpacked(cls, content: bytes) -> Self:
        """What another host's `packed` gave."""
        with np.load(io.BytesIO(content), allow_pickle=False) as found:
            arrays: dict[str, NDArray[Any]] = dict(found)
        values = json.loads(arrays.pop("told").tobytes())
        return cls.of(Checkpoint(len(values["epochs"]), arrays, values), ())


class Checkpoints:
    """The checkpoints of a job: `image-classification-checkpoint.<epochs>` (`sagedock.formats.checkpoints`)."""

    def __init__(self, kept: checkpoints.Checkpoints, names: tuple[str, ...] = ()) -> None:
        self._kept, self._names = kept, names

    @classmethod
    def of(cls, directory: Path | None, values: Values, train: Source, hosts: int) -> Self:
        """Those of a job that learns these data."""
        asked = {name: value for name, value in values.items() if name not in NOT_OF_THE_MODEL and value is not None}
        counts = [] if train.rows is None else train.counts().tolist()
        facts = {**asked, "hosts": hosts, "pictures": train.rows, "pictures of each class": counts}
        return cls(checkpoints.Checkpoints(directory, STEM, facts), train.names or ())

    @property
    def directory(self) -> Path | None:
        """Where they are; None for none."""
        return self._kept.directory

    def latest(self, epochs: int) -> State | None:
        """The newest whole one of at most `epochs` epochs; raises UserError for one of another job."""
        found = self._kept.latest(epochs)
        return None if found is None else State.of(found, self._names)

    def save(self, state: State) -> None:
        """Write the checkpoint of an epoch."""
        self._kept.save(state.checkpoint())


def _part(arrays: Arrays, prefix: str) -> Mapping[str, NDArray[Any]]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
