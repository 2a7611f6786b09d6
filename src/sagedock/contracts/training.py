"""A training job as the container sees it: the JSON files of /opt/ml/input/config, read once."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sagedock.contracts.channels import Channel, ChannelSpecification
from sagedock.contracts.paths import Paths
from sagedock.errors import UserError

log = logging.getLogger(__name__)

ALGORITHM_HYPERPARAMETER = "sagedock_algorithm"
ALGORITHM_VARIABLE = "SAGEDOCK_ALGORITHM"
INPUT_MODES: Mapping[str, Literal["File", "Pipe"]] = {"file": "File", "fastfile": "File", "pipe": "Pipe"}


@dataclass(frozen=True)
class TrainingJob:
    """What inputdataconfig.json, resourceconfig.json, hyperparameters.json and checkpointconfig.json say."""

    name: str
    hyperparameters: Mapping[str, Any]
    channels: Mapping[str, Channel]
    hosts: Sequence[str]
    current_host: str
    checkpoints: Path | None
    """What checkpointconfig.json names, else the usual directory if there is one; None when checkpointing is off."""

    @classmethod
    def read(cls, paths: Paths, environment: Mapping[str, str]) -> TrainingJob:
        """Read the job below `paths`. Missing or empty files mean their defaults: no hyperparameters, no channels,
        one host called algo-1. Raises UserError for a file that is no JSON object or a channel that makes no sense.
        """
        hyperparameters = _object(paths.config / "hyperparameters.json")
        channels = {
            name: _channel(name, facts, paths.data)
            for name, facts in _object(paths.config / "inputdataconfig.json").items()
        }
        resources = _object(paths.config / "resourceconfig.json")
        hosts, current = _hosts(resources)
        return cls(
            name=environment.get("TRAINING_JOB_NAME") or "local",
            hyperparameters=hyperparameters,
            channels=channels,
            hosts=hosts,
            current_host=current,
            checkpoints=_checkpoints(paths),
        )

    @property
    def rank(self) -> int:
        """This host's place among the hosts in sorted order; 0 is the one that writes the model."""
        return self.hosts.index(self.current_host) if self.current_host in self.hosts else 0

    def algorithm_name(self, environment: Mapping[str, str]) -> str | None:
        """SAGEDOCK_ALGORITHM, else the hyperparameter sagedock_algorithm (quoted or bare), else None."""
        given = environment.get(ALGORITHM_VARIABLE) or self.hyperparameters.get(ALGORITHM_HYPERPARAMETER) or ""
        return str(given).strip().strip('"').strip() or None


def checked_channels(
    channels: Mapping[str, Channel], known: Sequence[ChannelSpecification], hosts: int = 1
) -> dict[str, Channel]:
    """The channels that the algorithm knows; others are ignored with a warning.

    Raises UserError, naming every fault, for a required channel that is missing, for an input mode that the channel
    does not support, and on more than one of `hosts` for a distribution that it does not.
    """
    by_name = {specification.name: specification for specification in known}
    for name in sorted(set(channels) - set(by_name)):
        log.warning("channel %r is not one of %s: ignored", name, ", ".join(by_name))
    faults = [
        f"Missing required channel: {specification.name} ({specification.description})"
        for specification in known
        if specification.required and specification.name not in channels
    ]
    used = {name: channel for name, channel in channels.items() if name in by_name}
    for name, channel in used.items():
        faults += _faults(channel, by_name[name]) + _distribution_faults(channel, by_name[name], hosts)
    if faults:
        raise UserError("; ".join(faults))
    return used


def _faults(channel: Channel, specification: ChannelSpecification) -> list[str]:
    if channel.input_mode not in specification.input_modes:
        modes = ", ".join(specification.input_modes)
        return [f"channel {channel.name!r} is in {channel.input_mode} mode; this algorithm supports {modes} mode only"]
    if channel.input_mode == "File" and not channel.path.exists():
        return [f"channel {channel.name!r} is declared, but {channel.path} does not exist: mount or download it there"]
    return []


def _distribution_faults(channel: Channel, specification: ChannelSpecification, hosts: int) -> list[str]:
    """On one host every distribution gives it all the data, so another than the algorithm's is only warned of."""
    wanted = specification.distribution
    if wanted is None or channel.distribution in {None, wanted}:
        return []
    text = (
        f"channel {channel.name!r} has S3DistributionType {channel.distribution}, and this algorithm takes {wanted}: "
        f"set S3DataDistributionType to {wanted} (distribution={wanted!r} in the SageMaker Python SDK)"
    )
    if hosts > 1:
        return [text]
    log.warning("%s; on one host it makes no difference", text)
    return []


def _channel(name: str, facts: object, data: Path) -> Channel:
    if not isinstance(facts, dict):
        raise UserError(f"inputdataconfig.json: channel {name!r} must be an object, got {facts!r}", field=name)
    mode = str(facts.get("TrainingInputMode") or "File")
    if mode.lower() not in INPUT_MODES:
        raise UserError(f"channel {name!r}: TrainingInputMode {mode!r} is not one of File, FastFile, Pipe", field=name)
    wrapped = mode.lower() == "pipe" and str(facts.get("RecordWrapperType") or "").lower() == "recordio"
    return Channel(
        name=name,
        path=data / name,
        content_type=str(facts.get("ContentType") or "") or None,
        input_mode=INPUT_MODES[mode.lower()],
        record_wrapper="RecordIO" if wrapped else "None",
        distribution=str(facts.get("S3DistributionType") or "") or None,
    )


def _hosts(resources: Mapping[str, Any]) -> tuple[list[str], str]:
    """All hosts in sorted order, and this one. With one host it does not matter what it is called."""
    given = resources.get("hosts") or ["algo-1"]
    if not isinstance(given, list) or not all(isinstance(host, str) for host in given):
        raise UserError(f"resourceconfig.json: hosts must be a list of names, got {given!r}", field="hosts")
    hosts = sorted(set(given))
    current = str(resources.get("current_host") or hosts[0])
    if len(hosts) > 1 and current not in hosts:
        raise UserError(
            f"resourceconfig.json: current_host {current!r} is not one of the hosts {', '.join(hosts)}",
            field="current_host",
        )
    return hosts, current


def _checkpoints(paths: Paths) -> Path | None:
    configured = _object(paths.config / "checkpointconfig.json").get("LocalPath")
    if configured:
        return Path(configured)
    return paths.checkpoints if paths.checkpoints.is_dir() else None


def _object(file: Path) -> dict[str, Any]:
    try:
        text = file.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {file}: {error}") from error
    if not text:
        return {}
    try:
        content = json.loads(text)
    except ValueError as error:
        raise UserError(f"{file} is no JSON: {error}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise UserError(f"{file} must hold a JSON object, got {type(content).__name__}")
    return content
