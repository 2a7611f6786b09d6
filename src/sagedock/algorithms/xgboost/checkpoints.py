"""Checkpoints from which a killed job resumes to the same final model, byte for byte."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xgboost

from sagedock.contracts.checkpoints import CheckpointFiles, require_same_job, sealed, unsealed
from sagedock.contracts.files import make_directory, write_bytes

log = logging.getLogger(__name__)

KEPT = 5
_STEM = "xgboost-checkpoint"
_STATE = "sagedock_state"


@dataclass(frozen=True)
class State:
    """What resuming needs beside the trees: the metrics so far by series, and what the job was asked for."""

    history: Mapping[str, list[float]]
    job: Mapping[str, Any]


@dataclass
class Checkpoints:
    """The checkpoints of one booster in `directory`: `xgboost-checkpoint.<round>`, the newest five.

    A file is the booster as UBJSON, which XGBoost itself can load, with our state as a booster attribute, sealed with
    its own SHA-256.
    """

    directory: Path
    job: Mapping[str, Any]

    def __post_init__(self) -> None:
        self._files = CheckpointFiles(self.directory, _STEM, KEPT)

    def latest(self, rounds: int) -> tuple[bytes, State, int] | None:
        """The newest whole checkpoint: the booster, its state, and the round it was written after; None without one.

        A damaged file, and one of more than `rounds` rounds, is passed over with a warning. Raises UserError when the
        checkpoint belongs to a job with other hyperparameters or with other numbers of rows or columns.
        """
        for number, file in self._files.newest_first():
            if number >= rounds:
                log.warning("checkpoint %s is of %d rounds, and num_round is %d: passed over", file, number + 1, rounds)
                continue
            content = unsealed(file)
            if content is None:
                log.warning("checkpoint %s is damaged: trying the one before", file)
                continue
            state = self._state(content, file)
            log.info("Checkpoint loaded from %s", file)
            log.info("Resuming from iteration %d", number + 1)
            return content, state, number
        return None

    def save(self, booster: xgboost.Booster, number: int, history: Mapping[str, list[float]]) -> None:
        """Write the checkpoint of round `number` and delete the oldest of ours beyond the five newest."""
        make_directory(self.directory)
        booster.set_attr(**{_STATE: json.dumps({"history": history, "job": self.job})})
        content = bytes(booster.save_raw("ubj"))
        booster.set_attr(**{_STATE: None})
        file = self._files.file(number)
        write_bytes(file, sealed(content))
        self._files.keep_newest(file)

    def _state(self, content: bytes, file: Path) -> State:
        booster = xgboost.Booster()
        booster.load_model(bytearray(content))
        state = json.loads(booster.attr(_STATE) or "{}")
        require_same_job(file, state.get("job") or {}, json.loads(json.dumps(self.job)))
        return State(history=state["history"], job=state["job"])


def restored(content: bytes, parameters: Mapping[str, Any], cache: list[xgboost.DMatrix]) -> xgboost.Booster:
    """The booster of a checkpoint, ready to go on as if it had never stopped."""
    booster = xgboost.Booster(dict(parameters), cache)
    booster.load_model(bytearray(content))
    booster.set_attr(**{_STATE: None})
    return booster
