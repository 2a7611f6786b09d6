"""The model of a job as a directory: given as one, or as the archive that SageMaker keeps."""

from __future__ import annotations

from pathlib import Path

from sagedock.contracts.archives import unpack
from sagedock.errors import UserError


def model_directory(model: Path, scratch: Path) -> Path:
    """`model` itself, or `scratch`, to which the archive is unpacked.

    Raises UserError when nothing is there, and ModelError naming what is wrong with an archive.
    """
    if model.is_dir():
        return model
    if not model.is_file():
        raise UserError(f"--model {model}: there is no such directory or archive", field="--model")
    unpack(model, scratch)
    return scratch
