"""Jobs on SageMaker: created, followed by their log to the end, their artefacts fetched (contract 1.6 and 1.7)."""

from __future__ import annotations

import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sagedock.cloud.api import STATUS_FIELDS, Api
from sagedock.cloud.logs import GROUPS, Log
from sagedock.cloud.storage import Storage
from sagedock.contracts import exits
from sagedock.contracts.documents import Document, Kind, RunOptions
from sagedock.errors import UserError
from sagedock.job_log import JobLog

ENDED = ("Completed", "Failed", "Stopped")
_EXIT_CODE = re.compile(r"exit ?code:? *(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Follower:
    """What it takes to follow a job: the API, CloudWatch's client, and where lines go."""

    api: Api
    logs: Any
    log: JobLog
    poll_seconds: float

    def follow(self, document: Document) -> dict[str, Any]:
        """Wait for the job's end, its log and its stages shown; return what SageMaker says of it then."""
        stem = document.kind.value.removeprefix("Create")
        stream = Log(self.logs, GROUPS[stem], f"{document.name}/") if stem in GROUPS else None
        shown = ""
        while True:
            found = self._described(document)
            stage = str(found.get("SecondaryStatus") or found[STATUS_FIELDS[document.kind]])
            if stage != shown:
                sys.stderr.write(f"{document.name}: {stage}\n")
                shown = stage
            self._show(stream)
            if found[STATUS_FIELDS[document.kind]] in ENDED:
                time.sleep(self.poll_seconds)  # the last lines reach CloudWatch after the end reaches SageMaker
                self._show(stream)
                return found
            time.sleep(self.poll_seconds)

    def _described(self, document: Document) -> dict[str, Any]:
        found = self.api.describe(document.kind, document.name)
        if found is None:
            raise UserError(f"there is no {document.kind.noun} named {document.name}: run it without --attach")
        return found

    def _show(self, stream: Log | None) -> None:
        for line in stream.new_lines() if stream is not None else ():
            self.log.write(line)


def upload_channels(document: Document, options: RunOptions, storage: Storage) -> None:
    """Upload each directory given to the S3Uri of its channel; raises UserError for a channel not in the document."""
    declared = {str(channel.get("ChannelName")): channel for channel in document.body.get("InputDataConfig") or []}
    for name, directory in options.channels.items():
        source = ((declared.get(name) or {}).get("DataSource") or {}).get("S3DataSource")
        if source is None:
            raise UserError(f"--channel {name}: the document declares {', '.join(declared) or 'no channels'}")
        if not directory.is_dir():
            raise UserError(f"channel {name!r}: {directory} is no directory", field=name)
        count = storage.upload(directory, str(source.get("S3Uri")))
        sys.stderr.write(f"channel {name}: {count} files in {source.get('S3Uri')}\n")


def tell(document: Document, found: dict[str, Any], log: JobLog) -> int:
    """Say how the job ended and return the exit code: 0 only when it was completed."""
    status, reason = str(found[STATUS_FIELDS[document.kind]]), str(found.get("FailureReason") or "")
    if status == "Completed":
        sys.stderr.write(f"completed: {', '.join(_places(document, found)) or document.name}\n")
        return 0
    code = _EXIT_CODE.search(reason)
    sys.stderr.write(f"{document.kind.noun} {document.name} {status.lower()}\n")
    if status == "Failed":
        sys.stderr.write(f"reason  {reason or 'SageMaker gives none; the last lines of the log:'}\n")
        sys.stderr.write(f"        {exits.meaning(int(code[1]))}\n" if code else "")
        sys.stderr.write("" if reason else "".join(f"    {line}\n" for line in log.last))
    return 1


def fetch(document: Document, found: dict[str, Any], storage: Storage, directory: Path) -> list[Path]:
    """Fetch what the job left into a directory of this machine; return the files."""
    if document.kind is Kind.TRAINING:
        return _fetch_artefacts(found, storage, directory)
    return [file for place in _places(document, found) for file in storage.download_below(place, directory)]


def _fetch_artefacts(found: dict[str, Any], storage: Storage, directory: Path) -> list[Path]:
    model = str((found.get("ModelArtifacts") or {}).get("S3ModelArtifacts") or "")
    if not model.endswith("/model.tar.gz"):
        return storage.download_below(model, directory / "model") if model else []
    output = model.removesuffix("model.tar.gz") + "output.tar.gz"
    wanted = [address for address in (model, output) if storage.exists(address)]
    return [storage.download(address, directory / address.rpartition("/")[2]) for address in wanted]


def _places(document: Document, found: dict[str, Any]) -> list[str]:
    if document.kind is Kind.TRANSFORM:
        return [str(document.body["TransformOutput"]["S3OutputPath"])]
    model = (found.get("ModelArtifacts") or {}).get("S3ModelArtifacts")
    return [str(model)] if model else []
