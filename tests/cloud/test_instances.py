"""Which platform an instance type asks for."""

from __future__ import annotations

import re

import botocore.session
import pytest

from sagedock.cloud import instances
from sagedock.errors import UserError


def instance_types() -> set[str]:
    service = botocore.session.Session().get_service_model("sagemaker")
    names = ("TrainingInstanceType", "ProductionVariantInstanceType", "TransformInstanceType")
    return {name for shape in names for name in service.shape_for(shape).enum}


def test_every_instance_type_of_the_service_has_a_platform() -> None:
    """Requirement 47: Graviton (EC2's attribute g) and Grace are Arm, all others are not."""
    arm = {name for name in instance_types() if instances.platform(name) == "linux/arm64"}
    assert "ml.c7g.large" in arm
    assert "ml.m6gd.4xlarge" in arm
    assert not {"ml.m5.large", "ml.g5.xlarge", "ml.g4dn.xlarge", "ml.inf2.xlarge"} & arm
    assert {re.split(r"\d", name.removeprefix("ml.").removeprefix("u-"))[0] for name in arm} <= {
        "c",
        "m",
        "r",
        "t",
        "p",
    }


@pytest.mark.parametrize("name", ["m5.large", "ml.m5", "ml.large", ""])
def test_what_is_no_instance_type_is_told(name: str) -> None:
    with pytest.raises(UserError, match="is no instance type"):
        instances.platform(name)
