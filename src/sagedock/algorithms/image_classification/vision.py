"""torchvision, imported where its compiled operators fit the installed torch and where they do not."""

from __future__ import annotations

import importlib
import sys
import threading
from functools import cache
from importlib.machinery import PathFinder
from importlib.util import find_spec
from types import ModuleType
from typing import Any

OPERATORS = ("nms", "qnms")
"""What torchvision's Python describes to torch when it is imported, whether or not its C++ defined them."""
SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_FIRST = threading.Lock()
"""An operator is declared once in a process, and threads that vary pictures all come here first at the same time."""


def torchvision() -> ModuleType:
    """The package torchvision; this comes before every import of it and of what imports it (lightning, gluonts.torch).

    The package index's torchvision is built for CUDA. Beside a torch without it, or with another release of it, the C++
    library cannot be loaded, and the import fails: operator torchvision::nms does not exist. With these operators
    declared, networks and transforms work; torchvision.ops.nms and the decoders of torchvision.io, being C++, do not.
    """
    with _FIRST:
        _operators()
        return importlib.import_module("torchvision")


@cache
def _operators() -> Any:
    """The declarations, which last as long as this object does; None where torchvision's library made its own."""
    import torch

    found = None if "torchvision" in sys.modules else find_spec("torchvision")
    if found is None:
        return None
    library = PathFinder.find_spec("_C", found.submodule_search_locations)
    try:
        if library is not None and library.origin is not None:
            torch.ops.load_library(library.origin)
            return None
    except OSError:  # the libraries that it is linked to are another build's
        pass
    declared = torch.library.Library("torchvision", "DEF")
    for name in OPERATORS:
        declared.define(name + SCHEMA)
    return declared
