"""/opt/ml/output/failure: the text that becomes a training job's FailureReason."""

from __future__ import annotations

import logging

from sagedock.contracts.files import explain, make_directory, write_text
from sagedock.contracts.paths import Paths
from sagedock.errors import SagedockError, Stopped

log = logging.getLogger(__name__)

LIMIT = 1000
"""Characters; SageMaker keeps 1,024 and adds a few of its own."""

_SCARCITY = ("can't allocate memory", "out of memory")
"""What torch's RuntimeErrors say, of the processor's memory and of a GPU's, where others raise MemoryError."""


def reason(error: BaseException) -> str:
    """Cause and remedy, the class of error first, as SageMaker's containers begin theirs."""
    ours = isinstance(error, SagedockError | Stopped)
    kind = type(error).__name__ if ours else "AlgorithmError"
    text = str(error) or type(error).__name__
    if isinstance(error, MemoryError) or _tells_scarcity(error):
        kind = "PlatformError"
        text = (
            f"no memory is left ({text.splitlines()[0]}): take an instance with more of it, or ask for a smaller model"
        )
    elif not ours:
        text = f"unexpected {type(error).__name__}: {text.splitlines()[0]}; see the log for where it happened"
    whole = f"{kind}: {text}".strip()
    return whole if len(whole) <= LIMIT else whole[: LIMIT - 1] + "…"


def _tells_scarcity(error: BaseException) -> bool:
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _SCARCITY)


def clear(paths: Paths) -> None:
    """Remove the failure file of an earlier attempt, if there is one; raises PlatformError when that is refused."""
    try:
        paths.failure.unlink(missing_ok=True)
    except OSError as error:
        raise explain(error, paths.failure) from error


def write(paths: Paths, error: BaseException) -> None:
    """Write the failure file; a refusal to write it is logged, since the job is failing anyway."""
    try:
        make_directory(paths.output)
        write_text(paths.failure, reason(error) + "\n")
    except SagedockError as refusal:
        log.error("the failure file could not be written: %s", refusal)  # noqa: TRY400 - the cause is in the text
