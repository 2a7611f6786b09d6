"""Checkpoints from which a killed job resumes to the same final model, byte for byte."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import xgboost

from sagedock.contracts.files import make_directory, write_bytes
from sagedock.errors import UserError

log = logging.getLogger(__name__)

KEPT = 5
_NAME = re.compile(r"xgboost-checkpoint\.(\d+)")
_STATE = "sagedock_state"
_SEAL = b"\nsha256:"


@dataclass(frozen=True)
class State:
    """What resuming needs beside the trees: the metrics so far by series, and what the job was asked for."""

    history: Mapping[str, list[float]]
    job: Mapping[str, Any]


@dataclass
class Checkpoints:
    """The checkpoints of one booster in `directory`: `xgboost-checkpoint.<round>`, the newest five.

    A file is the booster as UBJSON, which XGBoost itself can load, with our state as a booster attribute, sealed with
    its own SHA-256. Files that were there at the start, and files that SageMaker is uploading, are never deleted.
    """

    directory: Path
    job: Mapping[str, Any]
    _ours: list[Path] = field(default_factory=list, init=False)

    def latest(self, rounds: int) -> tuple[bytes, State, int] | None:
        """The newest whole checkpoint: the booster, its state, and the round it was written after; None without one.

        A damaged file, and one of more than `rounds` rounds, is passed over with a warning. Raises UserError when the
        checkpoint belongs to a job with other hyperparameters or with other numbers of rows or columns.
        """
        found = sorted(
            ((int(match[1]), file) for file in self._files() if (match := _NAME.fullmatch(file.name))), reverse=True
        )
        for number, file in found:
            if number >= rounds:
                log.warning("checkpoint %s is of %d rounds, and num_round is %d: passed over", file, number + 1, rounds)
                continue
            content = _unsealed(file)
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
        file = self.directory / f"xgboost-checkpoint.{number}"
        write_bytes(file, content + _SEAL + hashlib.sha256(content).hexdigest().encode())
        self._ours.append(file)
        for old in self._ours[:-KEPT]:
            if not _uploading(old):
                old.unlink(missing_ok=True)
                self._ours.remove(old)

    def _files(self) -> list[Path]:
        return [file for file in self.directory.iterdir() if file.is_file()] if self.directory.is_dir() else []

    def _state(self, content: bytes, file: Path) -> State:
        booster = xgboost.Booster()
        booster.load_model(bytearray(content))
        state = json.loads(booster.attr(_STATE) or "{}")
        if state.get("job") != json.loads(json.dumps(self.job)):
            raise UserError(
                f"checkpoint {file} was written by a job with other {_difference(state.get('job') or {}, self.job)}: "
                "start this job with an empty checkpoint directory (another S3Uri in CheckpointConfig), or with the "
                "earlier job's values to resume it"
            )
        return State(history=state["history"], job=state["job"])


def restored(content: bytes, parameters: Mapping[str, Any], cache: list[xgboost.DMatrix]) -> xgboost.Booster:
    """The booster of a checkpoint, ready to go on as if it had never stopped."""
    booster = xgboost.Booster(dict(parameters), cache)
    booster.load_model(bytearray(content))
    booster.set_attr(**{_STATE: None})
    return booster


def _unsealed(file: Path) -> bytes | None:
    content, seal, digest = file.read_bytes().rpartition(_SEAL)
    whole = bool(seal) and hashlib.sha256(content).hexdigest().encode() == digest
    return content if whole else None


def _uploading(file: Path) -> bool:
    started = file.with_name(f"{file.name}.sagemaker-uploading").exists()
    return started and not file.with_name(f"{file.name}.sagemaker-uploaded").exists()


def _difference(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> str:
    names = sorted(name for name in {*theirs, *ours} if theirs.get(name) != ours.get(name))
    return ", ".join(f"{name} ({theirs.get(name)!r}, now {ours.get(name)!r})" for name in names) or "values"
