"""What a repository of models refuses, and the words for it."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from sagedock.contracts.hosting import MEBIBYTE
from sagedock.errors import InsufficientResources, ModelError, NotLoaded, SagedockError, UserError

LONGEST_NAME = 1024
SCARCE = frozenset({errno.ENOMEM, errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE})


def require_name(name: str) -> None:
    if not name or len(name) > LONGEST_NAME or not name.isprintable() or "/" in name or name in {".", ".."}:
        shown = name if len(name) <= 80 else name[:80] + "…"
        rule = f"of 1 to {LONGEST_NAME} printable characters, without /, and neither . nor .."
        raise UserError(f"model_name is {shown!r}; it must be a text {rule}", field="model_name")


@contextmanager
def unusable_told(url: str) -> Iterator[None]:
    """A model that cannot be used is the fault of whoever named it."""
    try:
        yield
    except ModelError as error:
        raise UserError(f"the model at {url} cannot be used: {error}", field="url") from error


@contextmanager
def scarcity_told(name: str) -> Iterator[None]:
    """What the machine has no room for is told as that."""
    try:
        yield
    except MemoryError as error:
        raise _scarce(name, "no memory is left") from error
    except SagedockError as error:
        cause = error.__cause__
        if isinstance(cause, OSError) and cause.errno in SCARCE:
            raise _scarce(name, str(error)) from error
        raise


def _scarce(name: str, what: str) -> InsufficientResources:
    return InsufficientResources(f"the model {name!r} cannot be loaded, {what}: unload another model and try again")


def too_large(name: str, wanted: int, used: int, budget: int) -> InsufficientResources:
    figures = (
        f"it needs {wanted / MEBIBYTE:.1f} MiB, and {used / MEBIBYTE:.1f} of {budget / MEBIBYTE:.1f} MiB are taken"
    )
    return InsufficientResources(
        f"no memory for the model {name!r}: {figures}; unload another model, or raise SAGEDOCK_MODEL_MEMORY_IN_MB"
    )


def not_loaded(name: str) -> NotLoaded:
    shown = name if len(name) <= 80 else name[:80] + "…"
    return NotLoaded(f"no model {shown!r} is loaded: load it with POST /models", field="model_name")
