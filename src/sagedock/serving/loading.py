"""From a model directory to a model that is known to answer."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sagedock import algorithms
from sagedock.algorithm import Algorithm, Model, hidden
from sagedock.contracts import manifest, model_directory, signatures
from sagedock.contracts.hosting import MARKED, HostingSettings
from sagedock.contracts.model_directory import ModelDirectory
from sagedock.errors import ModelError, SagedockError, UserError
from sagedock.formats.media_types import negotiate, parse_media_type
from sagedock.serving.answer import Answer
from sagedock.serving.invocations import invoke

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Loaded:
    """A model in memory with the algorithm that reads requests for it."""

    algorithm: Algorithm
    model: Model[Any]
    default_accept: str | None = None
    marks_bad_records: bool = False

    def invoke(self, body: bytes, content_type: str | None, accept: str | None) -> Answer:
        """Answer one request; raises what `sagedock.serving.invocations.invoke` raises."""
        try:
            return self._invoke(body, content_type, accept)
        except UserError as error:
            if not self.marks_bad_records:
                raise
            from sagedock.serving import placeholders

            asked = content_type or self.algorithm.default_request_type
            types = placeholders.Types(asked, self._response_type(asked, accept))
            return placeholders.answered(lambda part: self._invoke(part, content_type, accept), body, types, error)

    def _response_type(self, content_type: str, accept: str | None) -> str:
        if self.algorithm.answers_in_kind:
            return parse_media_type(content_type).essence
        default = self.default_accept or self.algorithm.default_response_type
        return negotiate(accept, self.algorithm.response_types, default)

    def _invoke(self, body: bytes, content_type: str | None, accept: str | None) -> Answer:
        return invoke(self.model, self.algorithm, body, content_type, accept, default_accept=self.default_accept)


def load(directory: Path, algorithm_name: str | None, settings: HostingSettings) -> Loaded:
    """The model in `directory`, after a first prediction.

    The manifest says which algorithm; without one, `algorithm_name` does (SAGEDOCK_ALGORITHM), else the only algorithm
    whose artefacts lie there. Raises ModelError or UserError saying what to do, and
    PlatformError where a package that serves the model is not installed.
    """
    try:
        return _load(directory, algorithm_name, settings)
    except OSError as error:
        raise ModelError(
            f"cannot read {error.filename or directory}: {error.strerror}; make the model directory and its files "
            f"readable to the server's user (uid {os.getuid()})"
        ) from error


def _load(directory: Path, algorithm_name: str | None, settings: HostingSettings) -> Loaded:
    options = settings.options
    found = model_directory.examine(directory, allow_pickle=options.allow_pickle)
    name = found.manifest.algorithm if found.manifest else _named_or_recognised(found, algorithm_name)
    algorithm = algorithms.find(name)
    algorithm.require(algorithm.serving_needs, "serves")
    for file in _loaded_from(found, algorithm):
        signatures.require_safe(file, allow_pickle=options.allow_pickle)
    with hidden(algorithm.unneeded):
        model = algorithm.load(found.path, found.manifest, options)
        if getattr(model, "learns", False):
            _require_one_at_a_time(settings)
        default_accept = _default_accept(algorithm, settings.default_accept)
        if default_accept is None and settings.batch is not None:
            default_accept = algorithm.batch_response_type
        loaded = Loaded(algorithm, model, default_accept, options.bad_records == MARKED)
        _warm_up(loaded)
    return loaded


def _named_or_recognised(found: ModelDirectory, algorithm_name: str | None) -> str:
    if algorithm_name:
        return algorithm_name
    recognised = [name for name in algorithms.names() if _matching(found, algorithms.find(name))]
    recognised = [name for name in recognised if algorithms.find(name).kinds] or recognised
    if len(recognised) == 1:
        return recognised[0]
    fits = (
        f"fits {' and '.join(recognised)}" if recognised else f"holds no artefact of a known algorithm{_kinds(found)}"
    )
    raise ModelError(
        f"{found.path} has no {manifest.NAME} and {fits}: set SAGEDOCK_ALGORITHM to one of "
        f"{', '.join(algorithms.names())}"
    )


def _matching(found: ModelDirectory, algorithm: Algorithm) -> list[Path]:
    """The files whose names, and kinds where these tell something, are those of the algorithm's artefacts."""
    named = [file for file in found.files() if any(file.match(pattern) for pattern in algorithm.artefacts)]
    return [file for file in named if signatures.recognise(file) in algorithm.kinds] if algorithm.kinds else named


def _loaded_from(found: ModelDirectory, algorithm: Algorithm) -> list[Path]:
    """The manifest's files or, without one, those named like artefacts, else all at the top."""
    return found.files() if found.manifest is not None else _matching(found, algorithm) or found.files()


def _kinds(found: ModelDirectory) -> str:
    """What a few of the files are, for whoever deployed another framework's model."""
    told = [f"{file.name} is {signatures.recognise(file).name}" for file in found.files()[:3]]
    return f" ({', '.join(told)})" if told else ""


def _default_accept(algorithm: Algorithm, asked: str | None) -> str | None:
    if asked is None:
        return None
    try:
        essence = parse_media_type(asked).essence
    except UserError:
        essence = asked
    if essence in algorithm.response_types:
        return essence
    _log.warning(
        "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT is %r, which %s does not write (it writes %s): using %s",
        asked,
        algorithm.name,
        ", ".join(algorithm.response_types),
        algorithm.default_response_type,
    )
    return None


def _require_one_at_a_time(settings: HostingSettings) -> None:
    """Raise ModelError where requests would be answered by several copies of a model, or not in their order."""
    counts = {
        "SAGEMAKER_MODEL_SERVER_WORKERS": settings.workers,
        "SAGEDOCK_INFERENCE_THREADS": settings.threads,
        "MaxConcurrentTransforms (SAGEMAKER_MAX_CONCURRENT_TRANSFORMS)": settings.concurrent_transforms,
    }
    reasons = [f"{name} is {count}, not 1" for name, count in counts.items() if count > 1]
    if settings.multi_model:
        reasons = ["SAGEMAKER_MULTI_MODEL is true, and a server of many models unloads and loads them again"]
    if reasons:
        raise ModelError(
            f"the model learns from the series that it answers, in one process and in order, but {', '.join(reasons)}: "
            "change that, or set SAGEDOCK_STREAMING to off, which answers by the model as it was trained"
        )


def _warm_up(loaded: Loaded) -> None:
    """Answer one record, so that whatever is loaded late is loaded before the first client comes."""
    example = loaded.model.example()
    if example is None:
        return
    body, content_type = example
    try:
        loaded.invoke(body, content_type, None)
    except SagedockError as error:
        raise ModelError(f"the model loads but does not predict: {error}") from error
