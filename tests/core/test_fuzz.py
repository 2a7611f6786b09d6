"""Every kernel of the compiled core survives damaged inputs under sanitizers (issue 3 items 4 and 5)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.core.fuzz import KERNELS, build, run

INPUTS = 100_000
FEWER = {"reservoir": 30_000}
"""Kernels of which an input takes longer under sanitizers."""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("g++") is None:
        pytest.skip("no g++ to compile the kernels with sanitizers")
    return build(tmp_path_factory.mktemp("fuzz"))


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_kernel_survives_damaged_inputs(program: Path, kernel: str) -> None:
    inputs = FEWER.get(kernel, INPUTS)
    done = run(program, kernel, inputs, seed=0)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{inputs} inputs of {kernel}\n"


def test_the_driver_knows_every_kernel_that_is_run(program: Path) -> None:
    done = run(program, "none", 1, seed=0)
    assert done.returncode == 2
    assert sorted(done.stderr.split("one of ")[1].split()) == sorted(KERNELS)
