"""What can go wrong, named by who can repair it. Imports nothing."""

from __future__ import annotations


class SagedockError(Exception):
    """Base of every error that sagedock raises on purpose; its text names the cause and the remedy."""


class UserError(SagedockError):
    """The data, hyperparameters, request or command given are wrong; whoever gave them can repair it.

    `field` names the hyperparameter, column or JSON field at fault and `row` the record, counted from 1; either
    may be unknown.
    """

    def __init__(self, message: str, *, field: str | None = None, row: int | None = None) -> None:
        super().__init__(message)
        self.field = field
        self.row = row


class UnsupportedMediaType(UserError):
    """A Content-Type that the algorithm does not read."""


class NotAcceptable(UserError):
    """An Accept that names nothing the algorithm can write."""


class PayloadTooLarge(UserError):
    """A request body above the limit in force."""


class NotFound(UserError):
    """What a request names, such as the directory of a model, is not there."""


class NotLoaded(NotFound):
    """No model of that name is loaded."""


class AlreadyLoaded(UserError):
    """A model of that name is loaded, or somebody else is loading or unloading it."""


class ModelError(SagedockError):
    """The model directory cannot be used: missing, damaged, or not ours; whoever deployed it can repair it."""


class PlatformError(SagedockError):
    """The machine refuses: disk full, port taken, device absent; whoever runs the container can repair it."""


class InsufficientResources(PlatformError):
    """No memory, disk or other resource is left for one more model; unloading another one repairs it."""


class AlgorithmError(SagedockError):
    """A defect on our side, or in a library under us, that no change of input is known to repair."""


class Stopped(BaseException):
    """SIGTERM arrived before there was a model to save; like KeyboardInterrupt, it passes by `except Exception`."""
