"""A record: one series as JSON holds it (developer guide, "Input/Output Interface for the DeepAR Algorithm")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.deepar import frequency
from sagedock.algorithms.deepar.layout import Layout, Place
from sagedock.algorithms.deepar.series import Floats, Series

MISSING = "nan"
"""What text means that a value is missing, in any case."""

_KINDS = {dict: "an object", list: "a list", bool: "true or false", type(None): "null"}
_NUMBERS: frozenset[type[Any]] = frozenset({int, float})
_NUMBERS_OR_MISSING: frozenset[type[Any]] = frozenset({int, float, type(None)})
_SHOWN = 40


def read(value: Any, layout: Layout, place: Place) -> Series:
    """The series that a JSON value holds. Raises UserError naming place and field, with an example."""
    if not isinstance(value, dict):
        layout.refuse(place, "start", f"expected an object with start and target, got {kind(value)}")
    return layout.series(
        start(value.get("start"), layout, place),
        _numbers(value.get("target"), "target", layout, place, missing=True),
        None if layout.categories is None else _cat(value.get("cat"), layout, place),
        None if layout.features is None else _features(value.get("dynamic_feat"), layout, place),
        place,
    )


def present(value: Mapping[str, Any], field: str) -> int:
    """How many numbers cat, or series dynamic_feat, of a record holds; 0 where it is not there."""
    found = value.get(field)
    if isinstance(found, list):
        return len(found)
    return 0 if found is None else 1


def start(value: Any, layout: Layout, place: Place) -> int:
    """The period of a record's start."""
    if not isinstance(value, str):
        found = "missing" if value is None else f"{kind(value)}, not text"
        layout.refuse(place, "start", f"start is {found}: give the time of the first point of target")
    try:
        return layout.frequency.ordinal(frequency.moment(value))
    except ValueError as error:
        layout.refuse(place, "start", f"start is {shown(value)}: {error}")


def finite(wide: NDArray[np.float64], field: str, layout: Layout, place: Place) -> Floats:
    """Numbers as 32-bit floats; NaN stays. Raises UserError for those that do not fit."""
    with np.errstate(over="ignore"):
        narrow = wide.astype(np.float32)
    wrong = np.flatnonzero(np.isinf(narrow))
    if len(wrong):
        text = f"{field}[{wrong[0]}] is {wide[wrong[0]]:g}, which is no finite 32-bit float: correct it"
        layout.refuse(place, field.partition("[")[0], text)
    return narrow


def kind(value: Any) -> str:
    """What sort of JSON value it is."""
    return _KINDS.get(type(value), "text" if isinstance(value, str) else "a number")


def shown(value: str) -> str:
    """Text as a message shows it."""
    return repr(value if len(value) <= _SHOWN else value[: _SHOWN - 3] + "...")


def _numbers(value: Any, field: str, layout: Layout, place: Place, *, missing: bool = False) -> Floats:
    if not isinstance(value, list):
        found = "missing" if value is None else f"{kind(value)}, not a list of numbers"
        layout.refuse(place, field.partition("[")[0], f"{field} is {found}")
    allowed = _NUMBERS_OR_MISSING if missing else _NUMBERS
    if not set(map(type, value)) <= allowed:
        value = [None if isinstance(item, str) and item.strip().lower() == MISSING else item for item in value]
        _check_types(value, field, layout, place, allowed)
    try:
        return finite(np.array(value, np.float64), field, layout, place)
    except OverflowError:
        layout.refuse(place, field.partition("[")[0], f"a number of {field} does not fit a 32-bit float: correct it")


def _check_types(value: list[Any], field: str, layout: Layout, place: Place, allowed: frozenset[type[Any]]) -> None:
    wrong = next((number for number, item in enumerate(value) if type(item) not in allowed), None)
    if wrong is None:
        return
    item = value[wrong]
    if item is None:
        text = f"{field}[{wrong}] is missing, and features need a value at every point: fill it in"
    else:
        found = shown(item) if isinstance(item, str) else kind(item)
        text = f'{field}[{wrong}] is {found}, not a number (null or "NaN" means missing)'
    layout.refuse(place, field.partition("[")[0], text)


def _cat(value: Any, layout: Layout, place: Place) -> list[int] | None:
    if value is None:
        return None
    found = []
    for item in value if isinstance(value, list) else [value]:
        if not _is_whole(item):
            text = shown(item) if isinstance(item, str) else f"{item:g}" if isinstance(item, float) else kind(item)
            layout.refuse(place, "cat", f"cat holds {text}: give a list of whole numbers from 0")
        found.append(int(item))
    return found


def _is_whole(item: Any) -> bool:
    return (isinstance(item, int) and not isinstance(item, bool)) or (isinstance(item, float) and item.is_integer())


def _features(value: Any, layout: Layout, place: Place) -> list[Floats] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(row, list) for row in value):
        found = kind(value) if not isinstance(value, list) else f"a list that holds {kind(_first_other(value))}"
        layout.refuse(
            place, "dynamic_feat", f"dynamic_feat is {found}: give a list of lists, one for each series of features"
        )
    return [_numbers(row, f"dynamic_feat[{number}]", layout, place) for number, row in enumerate(value)]


def _first_other(values: list[Any]) -> Any:
    return next(value for value in values if not isinstance(value, list))
