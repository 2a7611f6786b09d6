"""What a training job leaves: model.tar.gz and output.tar.gz, as SageMaker packs them (contract 1.6)."""

from __future__ import annotations

import tarfile
from pathlib import Path

from sagedock.contracts.files import make_directory, replacing
from sagedock.contracts.paths import Paths

MODEL, OUTPUT = "model.tar.gz", "output.tar.gz"


def pack(paths: Paths, directory: Path) -> list[Path]:
    """Pack the model, and what lies in output/data, into `directory`; return the archives, an empty one left out.

    Files stand at the root of an archive; one is whole or not there. Raises PlatformError when the disk refuses.
    """
    make_directory(directory)
    sources = {MODEL: paths.model, OUTPUT: paths.output_data}
    return [_pack(source, directory / name) for name, source in sources.items() if _filled(source)]


def _filled(directory: Path) -> bool:
    return directory.is_dir() and any(directory.iterdir())


def _pack(source: Path, archive: Path) -> Path:
    with replacing(archive) as temporary, tarfile.open(temporary, "w:gz", compresslevel=6) as tar:
        for entry in sorted(source.iterdir()):
            tar.add(entry, arcname=entry.name)
    return archive
