"""Which test shows which numbered statement: read from the docstrings of the tests, which cite the numbers."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"

_CONTRACT = re.compile(r"\b([A-H])(\d\d)\b(?: to [A-H](\d\d))?")
_NUMBER = r"\d+(?:\.\d+)?"
_JOIN = r"(?:, and |, | and | to )"
_NUMBERS = rf"{_NUMBER}(?:{_JOIN}{_NUMBER})*"
_RECORDIO = re.compile(rf"\brecordio ({_NUMBERS})", re.IGNORECASE)
_XGBOOST = re.compile(rf"\b(?:xgboost|statements?|defects?) ({_NUMBERS})", re.IGNORECASE)
_PLAIN = ("rcf", "blazingtext", "deepar", "image")
_OTHERS = {name: re.compile(rf"\b{name} ({_NUMBERS})", re.IGNORECASE) for name in _PLAIN}
"""Algorithms whose specifications number their statements plainly."""
_TOPICS = re.compile(rf"\bntm_lda ([NL]\d+(?:{_JOIN}[NL]\d+)*)")
"""Those of NTM and of LDA stand in one specification."""
_TOPIC_ITEM = re.compile(r"([NL])(\d+)(?: to [NL](\d+))?")
_ITEM = re.compile(rf"({_NUMBER})(?: to ({_NUMBER}))?")


def cited() -> dict[str, list[tuple[Path, str]]]:
    """For each statement cited, the tests that cite it: file relative to tests/, and name."""
    found: dict[str, list[tuple[Path, str]]] = {}
    for file in sorted(TESTS.rglob("test_*.py")):
        for name, docstring in _tests(file):
            for statement in statements(docstring):
                found.setdefault(statement, []).append((file.relative_to(TESTS), name))
    return found


def statements(docstring: str) -> set[str]:
    """The statements that a docstring cites.

    Spelled as in docs/conformance.md: contract `B07`, `xgboost 28`, `xgboost 8.4` (a defect of its section 8),
    `recordio 8.4`, `rcf 7`, `blazingtext 15`, `ntm_lda N4`, `image 17`. Numbers of other sections, such as
    xgboost 7.4 or rcf 6.1, are no statements.
    """
    text = " ".join(docstring.split())
    found = {
        f"{letter}{number:02}"
        for letter, first, last in _CONTRACT.findall(text)
        for number in range(int(first), int(last or first) + 1)
    }
    found |= {f"recordio {item}" for numbers in _RECORDIO.findall(text) for item in _items(numbers) if item[:2] == "8."}
    found |= {
        f"xgboost {item}"
        for numbers in _XGBOOST.findall(text)
        for item in _items(numbers)
        if "." not in item or item[:2] == "8."
    }
    found |= {
        f"ntm_lda {letter}{number}"
        for items in _TOPICS.findall(text)
        for letter, first, last in _TOPIC_ITEM.findall(items)
        for number in range(int(first), int(last or first) + 1)
    }
    for name, pattern in _OTHERS.items():
        items = (item for numbers in pattern.findall(text) for item in _items(numbers))
        found |= {f"{name} {item}" for item in items if "." not in item}
    return found


def _items(numbers: str) -> Iterator[str]:
    """Every number of `5 to 10, 12 and 14`, ranges filled in."""
    for first, last in _ITEM.findall(numbers):
        section, _, start = first.rpartition(".")
        end = (last or first).rpartition(".")[2]
        yield from (f"{section}.{number}" if section else str(number) for number in range(int(start), int(end) + 1))


def _tests(file: Path) -> Iterator[tuple[str, str]]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node.name, ast.get_docstring(node) or ""
