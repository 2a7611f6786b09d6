"""Files of weights: of an artefact of ours, safetensors of others, and state dicts of torchvision; all are hostile.

Whatever a file says of itself is checked against the network that its numbers go into: names, shapes, and that every
number is finite. State dicts are read by torch.load(weights_only=True), which runs no code of the file.
"""

from __future__ import annotations

import pickle
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sagedock.algorithms.image_classification.networks import Network, is_head
from sagedock.errors import UserError
from sagedock.formats import safetensors

FORMAT, VERSION = "sagedock image-classification", "1"
PARAMS, STATE_DICTS, SAFETENSORS = ".params", (".pth", ".pt"), ".safetensors"
"""Endings of names: of our artefacts, and of what others make."""
LARGEST_BYTES = 4 << 30
"""Of a file: sixteen times what the largest network takes."""
_MXNET = struct.pack("<Q", 0x112)
_STEM = "conv1.weight"
_COUNTERS = "num_batches_tracked"
_VARIANCES = "running_var"
_PARALLEL, _INSIDE = "module.", "state_dict"
"""What DataParallel puts before names, and where training scripts put a state dict beside other things."""
_UNREADABLE = (
    RuntimeError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    EOFError,
    OSError,
    OverflowError,
    AssertionError,
    struct.error,
    pickle.UnpicklingError,
    zipfile.BadZipFile,
)
"""What torch.load raises of a file that is none of its own."""


@dataclass(frozen=True)
class Weights:
    """The tensors of a file by torchvision's names, and what an artefact of ours says of itself; nothing of others'."""

    file: Path
    tensors: Mapping[str, torch.Tensor]
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def own(self) -> bool:
        """Whether an earlier job of this algorithm made them."""
        return bool(self.facts)

    @property
    def stem(self) -> int:
        """The kernel of the first convolution. Raises UserError where there is none."""
        found = self.tensors.get(_STEM)
        if found is None or found.ndim != 4 or found.shape[2] != found.shape[3]:
            raise UserError(
                f"{self.file}: {_STEM} is missing or no convolution: it holds no residual network", field="model"
            )
        return int(found.shape[2])

    def into(self, network: Network, *, head: bool) -> None:
        """Fill a network, the head only if asked. Raises UserError naming the tensor that does not fit."""
        wanted = {name: tensor for name, tensor in network.tensors().items() if head or not is_head(name)}
        for name in self.tensors:
            if name not in wanted and not is_head(name):
                raise self._complaint(name, f"is in the file and not in a network of {network.num_layers} layers")
        for name, mine in wanted.items():
            self._require_fit(name, mine, network.num_layers)
        network.put(self.tensors, head=head)

    def _require_fit(self, name: str, mine: torch.Tensor, layers: int) -> None:
        given = self.tensors.get(name)
        if given is None:
            raise self._complaint(name, f"of a network of {layers} layers is missing")
        if given.shape != mine.shape:
            raise self._complaint(name, f"is {_shape(given)}, and in a network of {layers} layers {_shape(mine)}")
        if not given.is_floating_point() or given.is_sparse:
            raise self._complaint(name, f"is of {given.dtype}, not of plain floating-point numbers")
        if not bool(torch.isfinite(given).all()):
            raise self._complaint(name, "holds numbers that are not finite")
        if name.endswith(_VARIANCES) and bool((given < 0).any()):
            raise self._complaint(name, "holds variances below 0")

    def _complaint(self, name: str, what: str) -> UserError:
        return UserError(
            f"{self.file}: the tensor {name[:100]!r} {what}: give the weights of the network that num_layers names, or "
            "the num_layers of these weights",
            field="num_layers",
        )


def write(file: Path, network: Network, facts: Mapping[str, str]) -> None:
    """Write a network as safetensors, whole or not at all, with its architecture and `facts`; raises PlatformError."""
    architecture = {
        "format": FORMAT,
        "version": VERSION,
        "num_layers": str(network.num_layers),
        "num_classes": str(network.num_classes),
        "image_shape": ",".join(map(str, network.image_shape)),
    }
    arrays = {name: tensor.detach().cpu().numpy() for name, tensor in network.tensors().items()}
    safetensors.write(file, arrays, {**facts, **architecture})


def read(file: Path) -> Weights:
    """The weights of a file. Raises UserError with the reason and a remedy."""
    try:
        with file.open("rb") as stream:
            head = stream.read(len(_MXNET))
        size = file.stat().st_size
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}: let this user read it", field="model") from error
    if size > LARGEST_BYTES:
        raise _refusal(file, f"it has {size} bytes, more than any network")
    if head == _MXNET:
        raise _refusal(file, "it is one of MXNet, which is not read")
    if file.suffix in STATE_DICTS:
        return Weights(file, _state_dict(file, size))
    try:
        found = safetensors.read(file)
        if file.suffix == PARAMS or found.metadata.get("format") == FORMAT:
            found.require_format(FORMAT, VERSION)
    except (ValueError, OSError) as error:
        raise _refusal(file, str(error)) from error
    tensors = {name: torch.from_numpy(np.array(array)) for name, array in found.arrays.items()}
    return Weights(file, _without_counters(tensors), found.metadata if found.metadata.get("format") == FORMAT else {})


def _state_dict(file: Path, size: int) -> dict[str, torch.Tensor]:
    """Tensors by name of what torch.save made."""
    try:
        if zipfile.is_zipfile(file):
            _require_plain(file, size)
        found: Any = torch.load(file, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        raise _refusal(file, str(error).partition("\n")[0][:200]) from error
    if isinstance(found, dict) and isinstance(found.get(_INSIDE), dict):
        found = found[_INSIDE]
    if not isinstance(found, dict) or not found:
        raise _refusal(file, "it holds no tensors by name, as torch.save(model.state_dict()) does")
    for name, tensor in found.items():
        if not isinstance(name, str) or not isinstance(tensor, torch.Tensor):
            raise _refusal(file, f"{str(name)[:100]!r} is no tensor: save model.state_dict() alone")
    return _without_counters({name.removeprefix(_PARALLEL): tensor.detach() for name, tensor in found.items()})


def _require_plain(file: Path, size: int) -> None:
    """Raise ValueError for an archive that would unpack to more than it is: torch.save compresses nothing."""
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > size or any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise ValueError(f"its entries unpack to {unpacked} bytes, and it has {size}")


def _without_counters(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor for name, tensor in tensors.items() if not name.endswith(_COUNTERS)}


def _refusal(file: Path, why: str) -> UserError:
    return UserError(
        f"{file} holds no weights that can be read ({why}): give a state dict of torchvision (.pth or .pt), "
        "safetensors, or the model.tar.gz of an earlier job of this algorithm",
        field="model",
    )


def _shape(tensor: torch.Tensor) -> str:
    return " x ".join(map(str, tensor.shape)) or "a number"
