"""The tables of README.md, as the code has them.

    .venv/bin/python -m tests.docs.readme

writes the table of algorithms anew, and the table of hyperparameters in the README of each.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

from sagedock import algorithms
from sagedock.algorithm import Algorithm
from sagedock.contracts.hyperparameters import hyperparameter_table
from tests.docs.citations import ROOT

README = ROOT / "README.md"
_VARIABLE = re.compile(
    r"(?:SAGEDOCK|SAGEMAKER)_[A-Z_]+|DEEPAR_[A-Z_]+|MODEL_SERVER_WORKERS|MAX_CONTENT_LENGTH|TRAINING_JOB_NAME"
)


def algorithm_table() -> str:
    """A Markdown table with a row for each algorithm."""
    rows = [_row(algorithms.find(name)) for name in algorithms.names()]
    return "| Algorithm | What it is | Channels | Requests |\n|---|---|---|---|\n" + "".join(rows)


def _row(algorithm: Algorithm) -> str:
    folder = algorithm.package.rpartition(".")[2]
    channels = ", ".join(channel.name + ("" if channel.required else " (optional)") for channel in algorithm.channels)
    name = f"[{algorithm.name}](src/sagedock/algorithms/{folder}/README.md)"
    return f"| {name} | {algorithm.summary} | {channels} | {', '.join(algorithm.request_types)} |\n"


def of(algorithm: Algorithm) -> Path:
    """The README of an algorithm."""
    return ROOT / "src" / "sagedock" / "algorithms" / algorithm.package.rpartition(".")[2] / "README.md"


def variables() -> set[str]:
    """The environment variables that the package names in its code."""
    found = set()
    for file in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and _VARIABLE.fullmatch(node.value):
                found.add(node.value)
    return found


def shown(name: str) -> str:
    """What stands in README.md between the marks of this name."""
    found = re.findall(rf"<!-- {name} begin -->\n\n?(.*?)\n?<!-- {name} end -->", README.read_text("utf-8"), re.DOTALL)
    return str(found[0])


def renewed(text: str, name: str, table: str) -> str:
    """A document with `table` between the marks of this name."""
    marks = (f"<!-- {name} begin -->\n", f"<!-- {name} end -->")
    head, _, rest = text.partition(marks[0])
    return f"{head}{marks[0]}\n{table}\n{marks[1]}{rest.partition(marks[1])[2]}"


if __name__ == "__main__":
    README.write_text(renewed(README.read_text(encoding="utf-8"), "algorithms", algorithm_table()), encoding="utf-8")
    for each in map(algorithms.find, algorithms.names()):
        table = hyperparameter_table(each.hyperparameters)
        of(each).write_text(renewed(of(each).read_text(encoding="utf-8"), "hyperparameters", table), encoding="utf-8")
