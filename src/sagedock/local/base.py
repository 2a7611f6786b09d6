"""Building the directory that stands for /opt/ml, from the request body of CreateTrainingJob."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from sagedock.contracts.files import make_directory, write_text
from sagedock.contracts.paths import Paths
from sagedock.errors import UserError

HOST = "algo-1"


def build(document: Mapping[str, Any], base: Path, channels: Mapping[str, Path]) -> Paths:
    """Lay out the input of the job below `base`: the configuration files, and a link to each channel's directory.

    `channels` says where the files of a channel lie here; a channel whose S3Uri is a file:// address or a plain path
    needs no entry. Raises UserError for a channel that is in neither place, and for more than one host.
    """
    paths = Paths(base)
    _refuse_several_hosts(document)
    declared = _declared(document)
    directories = channel_directories(document, channels)
    make_directory(paths.config)
    make_directory(paths.data)
    for directory in (paths.model, paths.output_data):
        make_directory(directory)
    for name, directory in directories.items():
        _link(paths.data / name, directory, name)
    if document.get("CheckpointConfig"):
        make_directory(paths.checkpoints)
    _write(paths.config / "hyperparameters.json", document.get("HyperParameters") or {})
    _write(paths.config / "inputdataconfig.json", {name: _config(channel) for name, channel in declared.items()})
    resources = {"current_host": HOST, "hosts": [HOST], "network_interface_name": "eth0"}
    _write(paths.config / "resourceconfig.json", resources)
    return paths


def channel_directories(document: Mapping[str, Any], channels: Mapping[str, Path]) -> dict[str, Path]:
    """Where each channel's files lie on this machine; raises UserError as `build` does."""
    declared = _declared(document)
    unknown = sorted(set(channels) - set(declared))
    if unknown:
        raise UserError(f"--channel {unknown[0]}: the document declares {', '.join(declared) or 'no channels'}")
    found = {name: channels.get(name) or _directory(name, channel) for name, channel in declared.items()}
    for name, directory in found.items():
        if not directory.is_dir():
            raise UserError(f"channel {name!r}: {directory} is no directory", field=name)
    return found


def _declared(document: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {str(channel.get("ChannelName")): channel for channel in document.get("InputDataConfig") or []}


def _refuse_several_hosts(document: Mapping[str, Any]) -> None:
    count = (document.get("ResourceConfig") or {}).get("InstanceCount", 1)
    if count != 1:
        raise UserError(f"ResourceConfig.InstanceCount is {count}; a local run has one host: set it to 1")


def _config(channel: Mapping[str, Any]) -> dict[str, str]:
    config = {
        "TrainingInputMode": "File",
        "S3DistributionType": _source(channel).get("S3DataDistributionType") or "FullyReplicated",
        "RecordWrapperType": "None",
    }
    return config | ({"ContentType": channel["ContentType"]} if channel.get("ContentType") else {})


def _source(channel: Mapping[str, Any]) -> Mapping[str, Any]:
    return (channel.get("DataSource") or {}).get("S3DataSource") or {}


def _directory(name: str, channel: Mapping[str, Any]) -> Path:
    uri = _source(channel).get("S3Uri", "")
    address = urlparse(uri)
    if address.scheme == "file":
        return Path(unquote(address.path))
    if address.scheme == "" and uri:
        return Path(uri)
    raise UserError(
        f"channel {name!r} lies at {uri or 'no S3Uri'}; say where its files are here: --channel {name}=DIRECTORY",
        field=name,
    )


def _link(link: Path, directory: Path, name: str) -> None:
    if link.is_symlink():
        link.unlink()
    elif link.exists() and link.samefile(directory):
        return
    elif link.exists():
        raise UserError(f"channel {name!r}: {link} exists and is no link of ours; choose another --base")
    link.symlink_to(directory.resolve())


def _write(file: Path, content: Mapping[str, Any]) -> None:
    write_text(file, json.dumps(content, indent=2) + "\n")
