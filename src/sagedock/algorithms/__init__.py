"""The algorithms, one folder each; this face finds them and imports none of their libraries."""

from __future__ import annotations

import difflib
import importlib
import pkgutil

from sagedock.algorithm import Algorithm
from sagedock.errors import UserError


def names() -> list[str]:
    """The names of all algorithms, sorted: what SAGEDOCK_ALGORITHM and sagedock_algorithm may hold."""
    return sorted(_found())


def find(name: str) -> Algorithm:
    """The algorithm called `name`; raises UserError listing all names and the nearest."""
    found = _found()
    try:
        return found[name]
    except KeyError:
        near = difflib.get_close_matches(name.lower(), found, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise UserError(
            f"there is no algorithm {name!r}{hint}: the algorithms are {', '.join(sorted(found))}",
            field="sagedock_algorithm",
        ) from None


def _found() -> dict[str, Algorithm]:
    """Every algorithm by its name: the constant ALGORITHM of each folder here that has it."""
    folders = [module.name for module in pkgutil.iter_modules(__path__) if module.ispkg]
    faces = [importlib.import_module(f"{__name__}.{folder}") for folder in folders]
    return {face.ALGORITHM.name: face.ALGORITHM for face in faces if hasattr(face, "ALGORITHM")}
