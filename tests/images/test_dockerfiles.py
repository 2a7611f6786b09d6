"""The Dockerfiles as text: short, and the same but for what a GPU needs. Needs no Docker."""

from __future__ import annotations

import difflib
import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ALLOWED = re.compile(r"ARG TORCH_SOURCE=|NVIDIA_|/[cg]pu\.txt|image\.title=")
"""What may differ: where torch comes from, the lock, the NVIDIA environment, and the image's own title."""


def _lines(variant: str) -> list[str]:
    return (ROOT / f"Dockerfile.{variant}").read_text().splitlines()


def test_the_two_differ_only_where_a_gpu_matters() -> None:
    """design.md: the same file, and a test says so."""
    compared = difflib.ndiff(_lines("cpu"), _lines("gpu"))
    differing = [line for line in compared if line.startswith(("- ", "+ "))]
    assert [line for line in differing if not ALLOWED.search(line)] == []
    sources = [line for line in differing if "ARG TORCH_SOURCE=" in line]
    assert sources == ["- ARG TORCH_SOURCE=https://download.pytorch.org/whl/cpu", "+ ARG TORCH_SOURCE="]


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
        for words in ("-r /compile/build.txt", "COPY src/core", "build_ext", "COPY src/sagedock")
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
    """One version: from the lock's hashes where it has CUDA, from TORCH_SOURCE where not; no other lock has it.

    Nor torchvision, which fits that version.
    """
    locks = {file.stem: file.read_text() for file in (ROOT / "requirements").glob("*.txt")}
    for package in ("torch", "torchvision"):
        assert [name for name, text in locks.items() if re.search(rf"^{package}==", text, re.MULTILINE)] == ["torch"]
    cuda = {name: re.findall(r"^((?:nvidia|cuda)-\S+)==", text, re.MULTILINE) for name, text in locks.items()}
    assert cuda.pop("torch")
    assert cuda.pop("gpu") == ["nvidia-nccl-cu12"], "XGBoost's"
    assert set(map(tuple, cuda.values())) == {()}


def test_what_torch_needs_is_hashed_and_in_no_image_without_it() -> None:
    """Docs 0033: an image made without torch has none of it; the same versions are in .venv."""
    pinned = {
        name: set(re.findall(r"^[a-z0-9._-]+==\S+", (ROOT / "requirements" / f"{name}.txt").read_text(), re.MULTILINE))
        for name in ("torch-needs", "cpu", "gpu", "dev")
    }
    assert {"sympy", "networkx", "fsspec", "filelock", "onnxruntime", "simplejpeg"} <= {
        pin.partition("==")[0] for pin in pinned["torch-needs"]
    }
    assert pinned["torch-needs"] <= pinned["dev"]
    assert not pinned["torch-needs"] & (pinned["cpu"] | pinned["gpu"])


@pytest.mark.parametrize("arguments", [["tpu"], [], ["cpu", "--torch-source"], ["cpu", "--no-torch", "x"]])
def test_build_refuses_what_it_does_not_know(arguments: list[str]) -> None:
    """Before Docker is asked for anything, and with the usage."""
    run = subprocess.run([ROOT / "scripts" / "build", *arguments], capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert "--without-torch" in run.stderr


def test_torch_comes_from_where_this_machine_says(tmp_path: Path) -> None:
    """TORCH_SOURCE, else a folder of pip's configuration that holds it, else PyTorch's own index."""
    empty, full = tmp_path / "empty", tmp_path / "full"
    for folder in (empty, full):
        folder.mkdir()
    (full / "torch-2.13.0+cpu-cp311-cp311-linux_x86_64.whl").touch()
    places = []
    for variables in (
        {"TORCH_SOURCE": "https://here"},
        {"PIP_FIND_LINKS": f"{empty} {full}"},
        {"PIP_FIND_LINKS": f"{empty}"},
    ):
        environment = {name: value for name, value in os.environ.items() if name != "TORCH_SOURCE"} | variables
        run = subprocess.run(
            [ROOT / "scripts" / "torch-source"], env=environment, capture_output=True, text=True, check=True
        )
        places.append(run.stdout.strip())
    assert places == ["https://here", str(full), "https://download.pytorch.org/whl/cpu"]
