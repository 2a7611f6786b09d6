"""From a model directory to a model that is known to answer."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sagedock import algorithms
from sagedock.algorithm import Algorithm, Model
from sagedock.contracts import manifest
from sagedock.contracts.hosting import HostingSettings
from sagedock.errors import ModelError, SagedockError, UserError
from sagedock.formats.media_types import CSV, parse_media_type
from sagedock.serving.answer import Answer
from sagedock.serving.invocations import invoke

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Loaded:
    """A model in memory with the algorithm that reads requests for it."""

    algorithm: Algorithm
    model: Model
    default_accept: str | None = None

    def invoke(self, body: bytes, content_type: str | None, accept: str | None) -> Answer:
        """Answer one request; raises what `sagedock.serving.invocations.invoke` raises."""
        return invoke(self.model, self.algorithm, body, content_type, accept, default_accept=self.default_accept)


def load(directory: Path, algorithm_name: str | None, settings: HostingSettings) -> Loaded:
    """The model in `directory`, after a first prediction.

    The manifest says which algorithm; without one, `algorithm_name` does (SAGEDOCK_ALGORITHM), else the only algorithm
    whose artefacts lie there. Raises ModelError or UserError saying what to do.
    """
    try:
        return _load(directory, algorithm_name, settings)
    except OSError as error:
        raise ModelError(
            f"cannot read {error.filename or directory}: {error.strerror}; make the model directory and its files "
            f"readable to the server's user (uid {os.getuid()})"
        ) from error


def _load(directory: Path, algorithm_name: str | None, settings: HostingSettings) -> Loaded:
    if not directory.is_dir() or not any(directory.iterdir()):
        raise ModelError(
            f"the model directory {directory} is missing or empty: mount a trained model there, or set "
            "SAGEMAKER_BASE_DIR to the directory that holds model/"
        )
    description = manifest.read(directory)
    name = description.algorithm if description else _named_or_recognised(directory, algorithm_name)
    algorithm = algorithms.find(name)
    with _hidden(algorithm.unneeded):
        model = algorithm.load(directory, description, settings.options)
        loaded = Loaded(algorithm, model, _default_accept(algorithm, settings.default_accept))
        _warm_up(loaded)
    return loaded


@contextmanager
def _hidden(packages: Iterable[str]) -> Iterator[None]:
    """To an import inside the block, `packages` are not installed."""
    absent = [name for name in packages if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


def _named_or_recognised(directory: Path, algorithm_name: str | None) -> str:
    if algorithm_name:
        return algorithm_name
    recognised = [name for name in algorithms.names() if _matches(directory, algorithms.find(name).artefacts)]
    if len(recognised) == 1:
        return recognised[0]
    found = f"fits {' and '.join(recognised)}" if recognised else "holds no artefact of a known algorithm"
    raise ModelError(
        f"{directory} has no {manifest.NAME} and {found}: set SAGEDOCK_ALGORITHM to one of "
        f"{', '.join(algorithms.names())}"
    )


def _matches(directory: Path, patterns: Iterable[str]) -> bool:
    return any(next(directory.glob(pattern), None) is not None for pattern in patterns)


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


def _warm_up(loaded: Loaded) -> None:
    """Answer one record, so that whatever is loaded late is loaded before the first client comes."""
    if CSV not in loaded.algorithm.request_types:
        return
    body = ",".join(["0"] * loaded.model.feature_count).encode()
    try:
        loaded.invoke(body, CSV, None)
    except SagedockError as error:
        raise ModelError(f"the model loads but does not predict: {error}") from error
