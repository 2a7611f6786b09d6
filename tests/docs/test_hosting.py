"""docs/hosting.md against the code: every variable, every status code, and the limits that stand in constants."""

from __future__ import annotations

import ast
import re
from http import HTTPStatus

import pytest

from sagedock.contracts import model_directory
from sagedock.contracts.hosting import BODY_MEMORY_MEBIBYTES, DEFAULT_PAYLOAD_MEBIBYTES, LARGEST_PAYLOAD_MEBIBYTES
from sagedock.serving import application, connections, invocations, management, message, paging, protocol, server
from tests.docs import readme
from tests.docs.citations import ROOT

TEXT = (ROOT / "docs" / "hosting.md").read_text(encoding="utf-8")
TRAINING = {
    "SAGEMAKER_PROGRAM",
    "TRAINING_JOB_NAME",
    "SAGEDOCK_PROGRESS",
    "SAGEDOCK_WORDSIM_DIR",
    "SAGEDOCK_EMBEDDINGS",
    "SAGEDOCK_CLUSTER_PORT",
    "SAGEDOCK_CLUSTER_PATIENCE",
    "SAGEDOCK_WEIGHTS_DIR",
}
"""Variables of jobs, which README.md explains."""
GIVEN = {"SAGEMAKER_BATCH_STRATEGY", "SAGEMAKER_SAFE_PORT_RANGE"}
"""What `sagedock transform` tells a container, as SageMaker does; no container of ours reads it."""


def section(name: str) -> str:
    return TEXT.split(f"\n## {name}\n")[1].split("\n## ")[0]


def test_every_variable_is_there_and_no_other() -> None:
    """Issue 3 item 8."""
    names = re.findall(r"^\| `([A-Z_]+)` \|", section("Environment variables"), re.MULTILINE)
    assert len(names) == len(set(names))
    assert set(names) == readme.variables() - TRAINING - GIVEN


def test_every_variable_that_the_text_names_is_in_the_code() -> None:
    assert set(re.findall(r"\b(?:SAGEMAKER|SAGEDOCK)_[A-Z_]+\b", TEXT)) <= readme.variables()


def test_every_status_code_is_there_and_no_other() -> None:
    told = {int(code) for code in re.findall(r"^\| (\d{3}) \|", section("Status codes"), re.MULTILINE)}
    assert told == sent()


def sent() -> set[int]:
    """The codes that serving names, and those that its web framework answers management requests with."""
    found = {HTTPStatus.METHOD_NOT_ALLOWED}
    for file in (ROOT / "src" / "sagedock" / "serving").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "HTTPStatus":
                found.add(HTTPStatus[node.attr])
    return {int(status) for status in found}


def test_the_length_of_a_streamed_answer_is_that_of_the_code() -> None:
    assert f"more than {invocations.ROWS_AT_ONCE:,} lines goes out in pieces" in " ".join(TEXT.split())


@pytest.mark.parametrize(
    ("what", "figure"),
    [
        ("Body of a request, unpacked", f"{DEFAULT_PAYLOAD_MEBIBYTES} MiB"),
        ("Request target", f"{message.LONGEST_TARGET:,} bytes"),
        ("Header fields", f"{message.MOST_FIELDS}, and {message.LONGEST_HEAD // 1024} KiB"),
        ("A head, from its first byte", f"{connections.HEAD_SECONDS:.0f} s"),
        ("Silence in the middle", f"{connections.SILENCE_SECONDS:.0f} s"),
        ("A connection without", f"{connections.IDLE_SECONDS:.0f} s"),
        ("Connections of a worker", f"{connections.MOST:,}"),
        ("Connections that wait", f"{server.BACKLOG:,}"),
        ("Time from SIGTERM", f"{application.DRAIN_SECONDS} s"),
        ("Requests ahead", f"{protocol.MOST_WAITING}"),
        ("Bodies on their way", f"{BODY_MEMORY_MEBIBYTES} MiB"),
        ("MaxConcurrentTransforms times", f"{LARGEST_PAYLOAD_MEBIBYTES}"),
        ("Entries of a model", f"{model_directory.MOST_ENTRIES:,}, and {model_directory.DEEPEST}"),
        ("Body of a management", f"{management.LONGEST_BODY // 1024} KiB"),
        ("Page of", f"{paging.LARGEST_PAGE} models"),
    ],
)
def test_a_limit_is_that_of_the_code(what: str, figure: str) -> None:
    [row] = [row for row in section("Limits").splitlines() if row.startswith(f"| {what}")]
    assert re.search(rf"(?<!\d){re.escape(figure)}(?!\d)", row.split(" | ")[1]), row
