"""Requests checked against botocore's model of SageMaker before anything is sent.

botocore itself checks members, types and lower bounds; upper bounds, patterns and enumerations, which the service
refuses as well, are checked here from the same model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from sagedock.cloud.aws import EXTRA
from sagedock.errors import PlatformError, UserError

_NUMBERS = ("integer", "long", "float", "double")


def check(operation: str, body: Mapping[str, Any], place: str) -> None:
    """Raise UserError naming every field that SageMaker would refuse in this request; `place` is where it was read."""
    found = faults(operation, body)
    if found:
        raise UserError(f"{place} is no request that {operation} takes: " + "; ".join(found))


def faults(operation: str, body: Mapping[str, Any]) -> list[str]:
    """Everything in the request body that the service would refuse, as `field: what`."""
    try:
        from botocore.validate import ParamValidator
    except ImportError as error:
        raise PlatformError(EXTRA) from error
    shape = _service().operation_model(operation).input_shape
    report = ParamValidator().validate(dict(body), shape).generate_report()
    return report.splitlines() or [text.removeprefix(".") for text in _faults(body, shape, "")]


@cache
def _service() -> Any:
    import botocore.session

    return botocore.session.Session().get_service_model("sagemaker")


def _faults(value: Any, shape: Any, place: str) -> Iterator[str]:
    kind = shape.type_name
    if kind == "structure":
        for name, member in value.items():
            yield from _faults(member, shape.members[name], f"{place}.{name}")
    elif kind == "list":
        yield from _size_faults(len(value), shape, place)
        for index, item in enumerate(value):
            yield from _faults(item, shape.member, f"{place}[{index}]")
    elif kind == "map":
        yield from _size_faults(len(value), shape, place)
        for key, item in value.items():
            yield from _faults(key, shape.key, f"{place} key {key!r}")
            yield from _faults(item, shape.value, f"{place}.{key}")
    elif kind == "string":
        yield from _text_faults(value, shape, place)
    elif kind in _NUMBERS:
        yield from _size_faults(value, shape, place)


def _text_faults(text: str, shape: Any, place: str) -> Iterator[str]:
    yield from _size_faults(len(text), shape, place)
    pattern, allowed = shape.metadata.get("pattern"), shape.metadata.get("enum")
    if pattern is not None and re.fullmatch(pattern, text) is None:
        yield f"{place}: {text!r} does not match {pattern}"
    if allowed and text not in allowed:
        yield f"{place}: {text!r} is not one of {', '.join(allowed)}"


def _size_faults(size: float, shape: Any, place: str) -> Iterator[str]:
    smallest, largest = shape.metadata.get("min"), shape.metadata.get("max")
    if smallest is not None and size < smallest:
        yield f"{place}: {size} is below {smallest}"
    if largest is not None and size > largest:
        yield f"{place}: {size} is above {largest}"
