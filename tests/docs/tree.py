"""The map of the package in docs/architecture.md, made from the modules' own first lines.

    .venv/bin/python -m tests.docs.tree

writes it anew.
"""

from __future__ import annotations

import ast
from pathlib import Path

from tests.docs.citations import ROOT

DOCUMENT = ROOT / "docs" / "architecture.md"
SOURCE = ROOT / "src"
MARKS = ("<!-- tree begin -->\n", "<!-- tree end -->")


def tree() -> str:
    """A table per package: its own line, then a row for each module."""
    packages = sorted((file.parent for file in SOURCE.rglob("__init__.py")), key=lambda folder: folder.parts)
    return "\n".join(_package(folder) for folder in packages)


def _package(folder: Path) -> str:
    name = ".".join(folder.relative_to(SOURCE).parts)
    rows = [f"| {file.stem} | {_first_line(file)} |\n" for file in sorted(folder.glob("[!_]*.py"))]
    table = "\n| Module | |\n|---|---|\n" + "".join(rows) if rows else ""
    return f"**{name}**: {_first_line(folder / '__init__.py')}\n{table}"


def _first_line(file: Path) -> str:
    docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n\n")[0].replace("\n", " ").replace("|", "\\|")


def renewed(text: str) -> str:
    """The document's text with its map made from the code."""
    head, _, rest = text.partition(MARKS[0])
    return f"{head}{MARKS[0]}\n{tree()}\n{MARKS[1]}{rest.partition(MARKS[1])[2]}"


if __name__ == "__main__":
    DOCUMENT.write_text(renewed(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
