"""The Dockerfiles as text: short, and the same but for what a GPU needs. Needs no Docker."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ALLOWED = re.compile(r"TORCH_SOURCE|/torch\.txt|NVIDIA_|/[cg]pu\.txt|image\.title=")
"""What may differ: torch and where it comes from, the lock, the NVIDIA environment, and the image's own title."""


def _lines(variant: str) -> list[str]:
    return (ROOT / f"Dockerfile.{variant}").read_text().splitlines()


def test_the_two_differ_only_where_a_gpu_matters() -> None:
    """design.md: the same file, and a test says so."""
    compared = difflib.ndiff(_lines("cpu"), _lines("gpu"))
    differing = [line for line in compared if line.startswith(("- ", "+ "))]
    assert [line for line in differing if not ALLOWED.search(line)] == []
    assert [line for line in differing if line.startswith("+ ARG TORCH_SOURCE=")], "the GPU image takes TORCH_SOURCE"


@pytest.mark.parametrize("variant", ["cpu", "gpu"])
def test_shape(variant: str) -> None:
    """Issue 2, item 9: under 50 lines, one base for all stages as an argument, exec form, no syntax line to fetch."""
    lines = _lines(variant)
    assert len(lines) < 50
    assert "ARG BASE=debian:bookworm-slim" in lines
    assert not [line for line in lines if line.startswith("# syntax")]
    bases = [line.split()[1] for line in lines if line.startswith("FROM ")]
    assert set(bases) == {"${BASE}", "build"}
    assert 'ENTRYPOINT ["sagedock"]' in lines
    assert not [line for line in lines if line.startswith(("VOLUME", "USER"))]


def test_code_comes_after_dependencies() -> None:
    """Issue 2, item 10: a change of code rebuilds seconds, not minutes."""
    lines = _lines("cpu")
    installed = next(number for number, line in enumerate(lines) if "pip install" in line)
    copied = next(number for number, line in enumerate(lines) if line.startswith("COPY src/"))
    assert installed < copied


def test_the_core_is_compiled_in_a_stage_of_its_own_before_the_code_is_copied() -> None:
    """Issue 3 item 4: in the build stage; a change of Python compiles nothing, a change of C++ installs nothing."""
    lines = _lines("cpu")
    installed, sources, compiled, code = (
        next(number for number, line in enumerate(lines) if words in line)
        for words in ("--requirement /tmp/build.txt", "COPY src/core", "build_ext", "COPY src/sagedock")
    )
    assert installed < sources < compiled < code


def test_the_lock_of_the_compilation_holds_what_compiles_and_nothing_else() -> None:
    text = (ROOT / "requirements" / "build.txt").read_text()
    assert re.findall(r"^([a-z]+)==", text, re.MULTILINE) == ["nanobind", "setuptools"]


@pytest.mark.parametrize("lock", ["build", "quickstart", "cpu", "gpu", "torch", "torch-needs", "dev"])
def test_locks_hold_no_address(lock: str) -> None:
    """Every file is hashed, and no line says where this machine got its packages."""
    text = (ROOT / "requirements" / f"{lock}.txt").read_text()
    assert "://" not in text
    names = re.findall(r"^[a-z0-9._-]+==\S+", text, re.MULTILINE)
    assert len(names) == len(re.findall(r"^\S", text, re.MULTILINE)), "a line that pins nothing"
    for requirement in re.split(r"\n(?=\S)", text.strip()):
        assert "--hash=sha256:" in requirement, requirement


def test_each_variant_picks_one_xgboost() -> None:
    """The CPU's library is 18 MB, the GPU's brings CUDA: they install the same package and exclude each other."""
    for lock, wanted in (
        ("quickstart", "xgboost-cpu"),
        ("cpu", "xgboost-cpu"),
        ("gpu", "xgboost"),
        ("dev", "xgboost-cpu"),
    ):
        text = (ROOT / "requirements" / f"{lock}.txt").read_text()
        assert re.findall(r"^(xgboost[a-z-]*)==", text, re.MULTILINE) == [wanted]


def test_torch_comes_by_itself() -> None:
    """One version: with CUDA in the GPU image, without in .venv; none in the CPU image and the quickstart."""
    locks = {file.stem: file.read_text() for file in (ROOT / "requirements").glob("*.txt")}
    assert [name for name, text in locks.items() if re.search(r"^torch==", text, re.MULTILINE)] == ["torch"]
    cuda = {name: re.findall(r"^((?:nvidia|cuda)-\S+)==", text, re.MULTILINE) for name, text in locks.items()}
    assert cuda.pop("torch")
    assert cuda.pop("gpu") == ["nvidia-nccl-cu12"], "XGBoost's"
    assert set(map(tuple, cuda.values())) == {()}
