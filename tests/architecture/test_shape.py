"""The shape of the code: what stays small, what is named how, and where errors of every kind may be caught."""

from __future__ import annotations

import ast
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.source import PACKAGE, functions, modules, tree

LONGEST_MODULE = 400
MEDIAN_FUNCTION, LONG_FUNCTION, LONG_SHARE = 12, 25, 0.1
NAMELESS = {"util", "utils", "helper", "helpers", "common", "manager", "managers", "misc"}
OUTER_EDGES = {("serving/service.py", "except"), ("training/run.py", "except")}
"""The training run, and the service of what a request raised."""


@pytest.mark.parametrize("module", modules(), ids=str)
def test_a_module_is_short_and_says_what_it_is(module: Path) -> None:
    assert len((PACKAGE / module).read_text(encoding="utf-8").splitlines()) < LONGEST_MODULE
    assert ast.get_docstring(tree(module))


@pytest.mark.parametrize("module", modules(), ids=str)
def test_a_module_is_named_by_a_noun(module: Path) -> None:
    assert not NAMELESS & set("/".join(module.with_suffix("").parts).replace("_", "/").split("/"))


def test_functions_are_short() -> None:
    """Half of them within twelve lines, nine of ten within 25 (design: long functions rare)."""
    lengths = dict(pair for module in modules() for pair in functions(module))
    assert statistics.median(lengths.values()) <= MEDIAN_FUNCTION
    long = sorted(((length, name) for name, length in lengths.items() if length > LONG_FUNCTION), reverse=True)
    assert len(long) <= LONG_SHARE * len(lengths), long


def test_errors_of_every_kind_are_caught_at_the_two_outer_edges_only() -> None:
    found = {(module.as_posix(), how) for module in modules() for how in _broad(tree(module))}
    assert found == OUTER_EDGES


def test_faces_hold_no_rooms() -> None:
    """An __init__ file defines no class, and functions only where it finds the algorithms."""
    for module in modules():
        if module.name == "__init__.py":
            defined = [node for node in tree(module).body if isinstance(node, ast.ClassDef)]
            assert not defined, module


def _broad(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.ExceptHandler) and (node.type is None or _is_broad(node.type)):
            yield "except"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and any(map(_is_broad, node.args)):
            yield node.func.attr


def _is_broad(node: ast.expr) -> bool:
    names = node.elts if isinstance(node, ast.Tuple) else [node]
    return any(isinstance(name, ast.Name) and name.id in {"Exception", "BaseException"} for name in names)
