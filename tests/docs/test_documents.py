"""The documents against the code: tables, links, commands, decisions, and nothing of one machine."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from urllib.parse import unquote

import pytest

from sagedock import algorithms
from sagedock.algorithm import Algorithm
from sagedock.cli import COMMANDS
from sagedock.contracts.hyperparameters import hyperparameter_table
from tests.docs import conformance, readme, tree
from tests.docs.citations import ROOT
from tests.docs.test_hosting import TRAINING

SECTIONS = ["Context", "Decision", "Consequences"]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"```.*?```", re.DOTALL)
OUTPUT = re.compile(r"```text\n.*?```", re.DOTALL)
CODE = re.compile(r"```(?s:.*?)```|`[^`\n]+`|^ {4}.*$", re.MULTILINE)
MACHINE_PATHS = re.compile(r"(?<![\w.$}])/(?:work|home|root|tmp/\w|opt/(?!ml\b|sagedock\b)\w|Users)")
MODULES = re.compile(r"python -m ([\w.]+)")


def documents() -> list[Path]:
    """Every Markdown file that git tracks or would track."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    return [Path(name) for name in sorted(set(listed)) if (ROOT / name).exists()]


def text(document: Path) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def test_the_usual_documents_are_there() -> None:
    found = {document.as_posix() for document in documents()}
    assert {"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/architecture.md", "docs/conformance.md"} <= found
    assert len([name for name in found if name.startswith("docs/decisions/")]) > 10


def test_the_readme_has_the_table_of_algorithms() -> None:
    assert readme.shown("algorithms") == readme.algorithm_table(), "run: .venv/bin/python -m tests.docs.readme"


@pytest.mark.parametrize("algorithm", [algorithms.find(name) for name in algorithms.names()], ids=lambda one: one.name)
def test_the_readme_of_an_algorithm_has_the_table_of_its_hyperparameters(algorithm: Algorithm) -> None:
    """Design habit 9: what must be equal is compared by a test."""
    found = readme.of(algorithm).read_text(encoding="utf-8")
    table = hyperparameter_table(algorithm.hyperparameters)
    assert found == readme.renewed(found, "hyperparameters", table), "run: .venv/bin/python -m tests.docs.readme"


def test_every_environment_variable_has_its_place_and_no_other_is_told() -> None:
    """README.md has those of jobs, docs/hosting.md those of servers (its own test sees to them)."""
    names = re.findall(r"^\| `([A-Z_]+)` \|", readme.shown("environment"), re.MULTILINE)
    assert len(names) == len(set(names))
    assert TRAINING <= set(names) <= readme.variables()


def test_the_map_of_the_package_is_that_of_the_code() -> None:
    assert text(Path("docs/architecture.md")) == tree.renewed(text(Path("docs/architecture.md"))), (
        "run: .venv/bin/python -m tests.docs.tree"
    )


def test_the_figures_of_the_quickstart_are_the_same_everywhere() -> None:
    """README.md shows a run; docs/conformance.md quotes it where the workshop's own table is not to be had."""
    [remark] = [row.remark for row in conformance.rows() if row.number == "xgboost 60"]
    for figure in re.findall(r"AUC [\d.]+|error [\d.]+", remark):
        assert f"\n{figure}" in text(Path("README.md"))


@pytest.mark.parametrize("document", documents(), ids=str)
def test_links_lead_somewhere(document: Path) -> None:
    targets = [target.partition("#")[0] for target in LINK.findall(FENCE.sub("", text(document)))]
    inside = [unquote(target) for target in targets if target and not re.match(r"[a-z]+:", target)]
    assert [target for target in inside if not (ROOT / document.parent / target).exists()] == []


@pytest.mark.parametrize("document", documents(), ids=str)
def test_commands_exist(document: Path) -> None:
    """Scripts, subcommands of sagedock and modules to run, wherever they are named as code."""
    code = "\n".join(CODE.findall(OUTPUT.sub("", text(document))))
    scripts = set(re.findall(r"(?<![\w/])scripts/([a-z]+(?:-[a-z]+)*)", text(document)))
    assert {name for name in scripts if not (ROOT / "scripts" / name).is_file()} == set()
    # a word after the command, at the start of code or after its path; options and placeholders are no subcommands
    commands = set(re.findall(r"(?:^|`|bin/)sagedock ([a-z]+)\b", code, re.MULTILINE))
    assert commands <= set(COMMANDS)
    modules = [name.replace(".", "/") for name in MODULES.findall(code) if name.startswith(("tests.", "sagedock."))]
    assert [name for name in modules if not ((ROOT / f"{name}.py").exists() or (ROOT / "src" / name).exists())] == []


def test_decisions_are_numbered_and_have_their_sections() -> None:
    files = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    numbers = [int(file.name[:4]) for file in files]
    assert numbers == list(range(1, len(files) + 1)), "decisions are numbered from 0001 on without a gap"
    for file in files:
        content = file.read_text(encoding="utf-8")
        assert content.startswith(f"# {file.name[:4]}. "), file
        assert re.findall(r"^## (.*)$", content, re.MULTILINE) == SECTIONS, file


@pytest.mark.parametrize("document", documents(), ids=str)
def test_nothing_of_one_machine_is_in_a_document(document: Path) -> None:
    assert MACHINE_PATHS.findall(text(document)) == []


def test_the_check_for_machine_paths_sees_them_and_leaves_the_contracts_alone() -> None:
    assert MACHINE_PATHS.search("run it in /home/somebody")
    assert MACHINE_PATHS.search("wheels of /opt/elsewhere")
    assert not MACHINE_PATHS.search("/opt/ml, /opt/ml/model, $PWD/work, --tmpfs /tmp, .venv/bin, s3://a/work")
