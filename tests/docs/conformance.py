"""docs/conformance.md: its rows as they are written, and its column of tests as the tests' docstrings make it.

    .venv/bin/python -m tests.docs.conformance

writes the column anew. Statements and remarks are written by hand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tests.docs.citations import ROOT, cited

DOCUMENT = ROOT / "docs" / "conformance.md"
SIZES = {"A": 9, "B": 29, "C": 19, "D": 33, "E": 13, "F": 20, "G": 8, "H": 8}
NUMBERS = (
    *(f"{letter}{number:02}" for letter, size in SIZES.items() for number in range(1, size + 1)),
    *(f"xgboost {number}" for number in range(1, 64)),
    *(f"xgboost 8.{number}" for number in range(1, 16)),
    *(f"recordio 8.{number}" for number in range(1, 21)),
    *(f"rcf {number}" for number in range(1, 30)),
    *(f"blazingtext {number}" for number in range(1, 29)),
    *(f"ntm_lda N{number}" for number in range(1, 25)),
    *(f"ntm_lda L{number}" for number in range(1, 11)),
    *(f"deepar {number}" for number in range(1, 33)),
    *(f"image {number}" for number in range(1, 61)),
)
"""Every statement of the specifications, in the document's order."""


@dataclass(frozen=True)
class Row:
    """A line of one of the document's tables; `tests` is the cell that is generated."""

    number: str
    statement: str
    tests: str
    remark: str

    def text(self) -> str:
        """The line, without its end."""
        cells = (self.number, self.statement, self.tests, self.remark)
        return "|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|"


def row(line: str) -> Row | None:
    """The row that `line` is; None for any other line."""
    cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
    return Row(*cells) if line.startswith("|") and len(cells) == 4 and cells[0] in NUMBERS else None


def rows() -> list[Row]:
    """The document's rows."""
    return [found for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if (found := row(line))]


def cell(tests: Sequence[tuple[Path, str]]) -> str:
    """The tests by file: `contract/test_training`: names without their prefix."""
    files: dict[str, list[str]] = {}
    for file, name in tests:
        files.setdefault(file.with_suffix("").as_posix(), []).append(name.removeprefix("test_"))
    return "; ".join(
        f"[{file}](../tests/{file}.py): " + ", ".join(f"`{name}`" for name in sorted(set(names)))
        for file, names in sorted(files.items())
    )


def renewed(text: str, tests: Mapping[str, Sequence[tuple[Path, str]]]) -> str:
    """The document's text with its column of tests made from `tests`, and each row once, which a merge may double."""
    lines, numbers = [], set()
    for line in text.splitlines():
        found = row(line)
        if found and found.number in numbers:
            continue
        numbers.add(found.number if found else "")
        lines.append(replace(found, tests=cell(tests.get(found.number, ()))).text() if found else line)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    DOCUMENT.write_text(renewed(DOCUMENT.read_text(encoding="utf-8"), cited()), encoding="utf-8")
