"""What the members of a request body that are read here hold, checked before anybody relies on it (API reference).

SageMaker checks much more; here it is what would otherwise end in a trace, or lead out of the job's directory.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sagedock.errors import UserError

CHANNEL_NAME = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._-]{1,64}")
"""API: ChannelName; it becomes a directory, which . and .. are not."""
VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,1023}")
"""API: TrainingEnvironmentKey, EnvironmentKey, TransformEnvironmentKey."""

Faults = Iterator[str]
Check = Callable[[Any, str], Faults]


def require(body: Mapping[str, Any], place: str) -> None:
    """Raise UserError naming every member of `body` that does not hold what it must; `place` is where it was read."""
    found = list(_REQUEST(body, ""))
    if found:
        raise UserError(f"{place}: " + "; ".join(found))


def variables(value: Any, place: str) -> Faults:
    """What is wrong with a map of environment variables."""
    if not isinstance(value, Mapping):
        yield _wrong(place, value, "a JSON object")
        return
    for name, text in value.items():
        if VARIABLE_NAME.fullmatch(name) is None:
            yield f"{place}: {name!r} is no name of a variable: use letters, digits and _, and no digit in front"
        if "\0" in str(text):
            yield f"{place}.{name} holds a NUL character: remove it"


def _channel_name(value: Any, place: str) -> Faults:
    if not isinstance(value, str) or CHANNEL_NAME.fullmatch(value) is None:
        yield _wrong(place, value, "a name of 1 to 64 letters, digits, '.', '-' and '_'")


def _text(value: Any, place: str) -> Faults:
    if not isinstance(value, str):
        yield _wrong(place, value, "text")


def _whole(value: Any, place: str) -> Faults:
    if type(value) is not int or value < 1:
        yield _wrong(place, value, "a whole number from 1")


def _map(value: Any, place: str) -> Faults:
    if not isinstance(value, Mapping):
        yield _wrong(place, value, "a JSON object")


def _list(item: Check) -> Check:
    def check(value: Any, place: str) -> Faults:
        if not isinstance(value, list):
            yield _wrong(place, value, "a JSON list")
            return
        for index, member in enumerate(value):
            yield from item(member, f"{place}[{index}]")

    return check


def _structure(*needed: str, **members: Check) -> Check:
    """`needed` may not be left out; a null is a member left out, and members not known here are nobody's business."""

    def check(value: Any, place: str) -> Faults:
        if not isinstance(value, Mapping):
            yield _wrong(place, value, "a JSON object")
            return
        for name, member in members.items():
            if value.get(name) is not None:
                yield from member(value[name], f"{place}.{name}".removeprefix("."))
            elif name in needed:
                yield f"{place}.{name} is missing"

    return check


def _wrong(place: str, value: Any, allowed: str) -> str:
    return f"{place} is {str(repr(value))[:60]}: it must be {allowed}"


_S3 = _structure(S3DataSource=_structure(S3Uri=_text))
_CONTAINER = _structure(
    Image=_text, ModelDataUrl=_text, ModelDataSource=_S3, ModelPackageName=_text, Mode=_text, Environment=variables
)
_REQUEST = _structure(
    TrainingJobName=_text,
    TransformJobName=_text,
    HyperParameterTuningJobName=_text,
    ModelName=_text,
    EndpointName=_text,
    EndpointConfigName=_text,
    HyperParameters=_map,
    Environment=variables,
    AlgorithmSpecification=_structure(
        TrainingImage=_text, ContainerEntrypoint=_list(_text), ContainerArguments=_list(_text)
    ),
    InputDataConfig=_list(_structure("ChannelName", ChannelName=_channel_name, ContentType=_text, DataSource=_S3)),
    ResourceConfig=_structure(InstanceCount=_whole),
    StoppingCondition=_structure(MaxRuntimeInSeconds=_whole),
    CheckpointConfig=_structure(LocalPath=_text),
    PrimaryContainer=_CONTAINER,
    Containers=_list(_CONTAINER),
    ProductionVariants=_list(_structure(ModelName=_text, ServerlessConfig=_structure(MemorySizeInMB=_whole))),
)
