"""What an instance type asks of an image: its processor's architecture."""

from __future__ import annotations

import re

from sagedock.errors import UserError

PLATFORMS = ("linux/amd64", "linux/arm64")
_TYPE = re.compile(r"ml\.(?:u-)?(?P<family>[a-z]+)(?P<generation>\d+)(?P<attributes>[a-z]*)(?P<rest>[-.].+)")


def platform(instance_type: str) -> str:
    """The platform of an instance type: linux/arm64 for Graviton and Grace, else linux/amd64.

    In EC2's scheme the letters after the generation are attributes, and g stands for Graviton: ml.c7g.large and
    ml.m6gd.large, but not ml.g5.xlarge. Raises UserError for what is no instance type.
    """
    found = _TYPE.fullmatch(instance_type)
    if found is None:
        raise UserError(
            f"{instance_type!r} is no instance type; they look like ml.m5.large or ml.g5.xlarge", field="InstanceType"
        )
    arm = "g" in found["attributes"] or found["rest"].startswith("-gb")
    return "linux/arm64" if arm else "linux/amd64"
