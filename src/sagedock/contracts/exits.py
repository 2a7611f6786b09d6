"""What the exit code of a container says (contract 1.7; Docker's documentation of docker run, exit status)."""

from __future__ import annotations

import signal

_CODES = {
    125: "Docker could not start the container",
    126: "the program that the image names cannot be executed: check its mode bits and its first line",
    127: "the image has no such program: it needs `train` and `serve`, or an entry point that knows them",
    137: "killed: usually for memory, or by docker kill; give it more memory or an instance with more",
    139: "a library crashed: segmentation fault",
    143: "ended by SIGTERM before there was anything to save",
}
STOPPED = (143, 137)
"""What a container ends with that was asked to stop, or made to."""
INTERRUPTED = 128 + signal.SIGINT
"""What a command of ours ends with after Ctrl-C, as a shell tells it."""


def meaning(code: int, *, out_of_memory: bool = False) -> str:
    """The exit code with what it means, where that is more than `failed`."""
    if out_of_memory:
        return f"exit code {code}: the kernel killed it for memory; give it more"
    text = _CODES.get(code) or _signal(code - 128) or _signal(-code)
    return f"exit code {code}" + (f": {text}" if text else "")


def _signal(number: int) -> str | None:
    try:
        return f"ended by {signal.Signals(number).name}"
    except ValueError:
        return None
