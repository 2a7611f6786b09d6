"""A network that answers requests: from an encoded picture to the probabilities of its classes. No torch here."""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sagedock.algorithms.image_classification import combining, engine, requests
from sagedock.algorithms.image_classification.description import NETWORK, SYMBOL, Description
from sagedock.algorithms.image_classification.engine import Run
from sagedock.algorithms.image_classification.requests import Pictures, Settings
from sagedock.contracts.files import replacing
from sagedock.contracts.hosting import InferenceOptions
from sagedock.contracts.manifest import Manifest
from sagedock.errors import ModelError, UserError
from sagedock.formats.media_types import MediaType
from sagedock.formats.objects import Objects

PREDICTION, CLASS_NAMES = "prediction", "class_names"


@dataclass(frozen=True)
class ImageModel:
    """The network in `directory`, as it is described there, and how the deployer wants it asked."""

    directory: Path
    description: Description
    run: Run
    settings: Settings = field(default_factory=Settings)

    @property
    def in_line_bytes(self) -> int:
        """None: pictures take their time."""
        return 0

    @property
    def memory_bytes(self) -> int:
        """Three times the file: as read, as the engine holds it, and as it arranges it for its processor."""
        return 3 * (self.directory / NETWORK).stat().st_size

    def read(self, body: bytes, media_type: MediaType) -> Pictures:
        """The picture of a request."""
        return requests.decode(body, media_type, self.description, self.settings)

    def predict(self, pictures: Pictures) -> Objects:
        """The probability of each class: bare in JSON, and the object that holds it in JSON Lines.

        With names of classes the answer is that object in JSON, too.
        """
        found = [{PREDICTION: probabilities} for probabilities in self.run(pictures.pixels)]
        if self.settings.names:
            return Objects([{**each, CLASS_NAMES: self._names} for each in found], single=True)
        return Objects(found, single=True, bare=PREDICTION)

    @property
    def _names(self) -> Sequence[str]:
        """Where training knew no names, the numbers of the classes."""
        return self.description.class_names or [str(number) for number in range(self.description.num_classes)]

    def example(self) -> tuple[bytes, str]:
        """A grey picture of 8 x 8."""
        return _png(8), requests.PNG

    def save(self, directory: Path) -> Sequence[str]:
        """Copy what it was loaded from."""
        for name in (SYMBOL, NETWORK):
            with replacing(directory / name) as path:
                path.write_bytes((self.directory / name).read_bytes())
        return [SYMBOL, NETWORK]

    def describe(self) -> Mapping[str, Any]:
        """What the model tells apart, and how it was made."""
        return {
            "feature_count": math.prod(self.description.image_shape),
            "class_names": None if self.description.class_names is None else list(self.description.class_names),
            "image_shape": list(self.description.image_shape),
            "num_layers": self.description.num_layers,
            "num_classes": self.description.num_classes,
            "multi_label": self.description.multi_label,
            "precision": self.description.precision,
        }


def load(directory: Path, manifest: Manifest | None, options: InferenceOptions) -> ImageModel:
    """The model in `directory`; raises ModelError for one that cannot be used, or variables that make no sense."""
    del manifest  # the description says all of it
    description = Description.read(directory / SYMBOL)
    try:
        settings = Settings.of(options.environment, description)
    except UserError as error:
        raise ModelError(f"{error}; correct the variable, or unset it") from error
    run = engine.opened(directory / NETWORK, description)
    if math.prod(description.image_shape) <= combining.LARGEST_PICTURE:
        run = combining.Combined(run)
    return ImageModel(directory, description, run, settings)


def _png(side: int) -> bytes:
    """A grey picture (W3C, "Portable Network Graphics")."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checked = kind + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    rows = zlib.compress((b"\0" + b"\x80" * side) * side)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
