"""How many workers a container has room for, by its processors and its memory, before anything is loaded."""

from __future__ import annotations

import os
import stat
from pathlib import Path

WORKER_BYTES = 128 * 1024 * 1024
"""A worker without its model: 50 MB in compiled code, 120 MB for a model that falls back to XGBoost's library."""
ARTEFACT_FACTOR = 4
"""Memory at the peak of loading over the size of the artefacts: 3.3 measured for XGBoost's trees in UBJSON."""
REQUEST_FACTOR = 2
"""A body and the 32-bit floats made of it."""


def workers(cpus: int, memory: int, artefacts: int, request: int) -> int:
    """One worker for each of `cpus` processors, but no more than `memory` has room for, and at least one.

    `artefacts` are the bytes of the model's files, `request` the largest body in bytes.
    """
    each = WORKER_BYTES + ARTEFACT_FACTOR * artefacts + REQUEST_FACTOR * request
    return max(1, min(cpus, memory // each))


def artefact_bytes(directory: Path) -> int:
    """The bytes of the regular files below `directory`; links are not followed, what cannot be read counts nothing."""
    return sum(_size(Path(folder, name)) for folder, _, names in os.walk(directory) for name in names)


def _size(file: Path) -> int:
    try:
        found = file.lstat()
    except OSError:
        return 0
    return found.st_size if stat.S_ISREG(found.st_mode) else 0
