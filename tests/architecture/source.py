"""The package's own source, as the tests of its shape read it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "src" / "sagedock"
GENERATED = ("record_pb2.py",)


def modules() -> list[Path]:
    """Every module written by hand, relative to the package."""
    return sorted(file.relative_to(PACKAGE) for file in PACKAGE.rglob("*.py") if file.name not in GENERATED)


def tree(module: Path) -> ast.Module:
    return ast.parse((PACKAGE / module).read_text(encoding="utf-8"))


def functions(module: Path) -> Iterator[tuple[str, int]]:
    """Name and length in lines of each function, its docstring not counted."""
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            first = node.body[0]
            if ast.get_docstring(node) is not None:
                length -= (first.end_lineno or first.lineno) - first.lineno + 1
            yield f"{module}:{node.name}", length
