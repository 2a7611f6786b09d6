"""The document in an XGBoost model file, JSON or UBJSON, and careful access to its members."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from sagedock.algorithms.xgboost import ubjson

_WHOLE = re.compile(r"\d{1,10}")
_UBJSON_LENGTHS = b"UiIlL#"
_KINDS = {"whole": "iub", "numbers": "iuf"}


def decode(content: bytes) -> Any:
    """The value that `content` holds; raises ValueError saying what is wrong with it."""
    if content[:1] == b"{" and content[1:2] and content[1] in _UBJSON_LENGTHS:
        return ubjson.decode(content)
    if content.lstrip()[:1] != b"{":
        raise ValueError("it begins neither as JSON nor as UBJSON")
    if content.count(b"[") + content.count(b"{") > ubjson.most_containers(len(content)):
        raise ValueError("it holds little but brackets")
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return _with_infinities(content)


def refuse_repeated_names(content: bytes) -> None:
    """Raises ValueError when an object of the JSON text names a member twice, of which readers take different ones.

    UBJSON is always read so.
    """
    if content[1:2] and content[1] in _UBJSON_LENGTHS:
        return
    try:
        json.loads(content, object_pairs_hook=_unique)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


@dataclass(frozen=True)
class Section:
    """An object of the document; `path` says where, for messages. What is absent or of another kind is a ValueError."""

    members: Mapping[str, Any]
    path: str

    @classmethod
    def of(cls, value: object, path: str) -> Section:
        """Raises ValueError when `value` is no object."""
        if not isinstance(value, dict):
            raise ValueError(f"{path} is no object")  # noqa: TRY004 - the file's mistake, not the caller's
        return cls(value, path)

    def __contains__(self, name: str) -> bool:
        return name in self.members

    def section(self, name: str) -> Section:
        return Section.of(self._member(name), f"{self.path}.{name}")

    def text(self, name: str, default: str | None = None) -> str:
        value = self.members.get(name, default)
        if not isinstance(value, str):
            raise ValueError(f"{self.path}.{name} is {_shown(value)}, not a text")  # noqa: TRY004
        return value

    def whole(self, name: str, default: str | None = None, *, most: int = 2**31 - 1) -> int:
        """A whole number from 0 to `most`, which XGBoost writes as text."""
        text = self.text(name, default)
        if not _WHOLE.fullmatch(text) or int(text) > most:
            raise ValueError(f"{self.path}.{name} is {_shown(text)}, not a whole number from 0 to {most:,}")
        return int(text)

    def items(self, name: str) -> list[Any] | NDArray[Any]:
        value = self._member(name)
        if not isinstance(value, (list, np.ndarray)):
            raise ValueError(f"{self.path}.{name} is no array")  # noqa: TRY004
        return value

    def numbers(self, name: str, kind: str) -> NDArray[Any]:
        """A flat array of one `kind`: 'whole', 'true or false' or 'numbers'; an empty one is of any kind."""
        value = self.items(name)
        try:
            found = np.asarray(value)
        except (ValueError, OverflowError):
            found = np.asarray(None)
        if found.ndim != 1 or (found.size and not _is(found.dtype, kind)):
            raise ValueError(f"{self.path}.{name} is no array of {kind if kind == 'numbers' else f'{kind} numbers'}")
        return found

    def _member(self, name: str) -> Any:
        if name not in self.members:
            raise ValueError(f"{self.path} has no {name}")
        return self.members[name]


def _is(dtype: np.dtype[Any], kind: str) -> bool:
    if dtype.kind == "u" and dtype.itemsize == 8:
        return False  # a whole number above every signed one
    return dtype.kind in _KINDS[kind]


def _with_infinities(content: bytes) -> Any:
    """XGBoost writes NaN and Infinity, which only Python's own reader takes."""
    try:
        return json.loads(content)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("one object of it names a member twice")
    return found


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:40] + "..."
