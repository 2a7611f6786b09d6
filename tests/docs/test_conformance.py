"""docs/conformance.md against the tests it speaks of, and the reading of citations itself."""

from __future__ import annotations

import re

import pytest

from tests.docs import conformance
from tests.docs.citations import cited, statements

BEGINNINGS = ("As ", "Next: ", "Not checked", "On other data: ", "Does not apply: ", "Both hosts ", "Several hosts ")


@pytest.mark.parametrize(
    ("docstring", "found"),
    [
        ("contract D25, D26: whatever the moment.", {"D25", "D26"}),
        ("Contract B01 to B03, B05; issue 2 item 3.", {"B01", "B02", "B03", "B05"}),
        ("Statements 5 to 7 and 33 (train: names), section 4.", {"xgboost 5", "xgboost 6", "xgboost 7", "xgboost 33"}),
        ("Statement 37, contract C10,\n    defect 8.3: equal.", {"xgboost 37", "C10", "xgboost 8.3"}),
        ("Recordio 8.4 to 8.6, and 8.9 (flag 3).", {f"recordio 8.{number}" for number in (4, 5, 6, 9)}),
        ("Xgboost 7.4 and 49; XGBoost 3.2 fails on 12 pairs.", {"xgboost 49"}),
        ("By hand: ntm_lda N4 to N6, L3 and L10", {f"ntm_lda {one}" for one in ("N4", "N5", "N6", "L3", "L10")}),
        ("Blazingtext 8 to 10 and 25, spec 7.3.", {f"blazingtext {number}" for number in (8, 9, 10, 25)}),
        ("rcf 6.1, rcf 5, 6: 80 samples; Rcf 9 to 11 and section 6.3.", {f"rcf {n}" for n in (5, 6, 9, 10, 11)}),
        ("Image 14 to 16 and image 60: images 3 and 4 are no statements.", {f"image {n}" for n in (14, 15, 16, 60)}),
        ("Issue items 1 and 7, section 6.4, contract 1.3.1, RFC 4180.", set()),
    ],
)
def test_numbers_are_read_from_docstrings(docstring: str, found: set[str]) -> None:
    assert statements(docstring) == found


def test_every_statement_stands_in_the_document_once() -> None:
    assert [row.number for row in conformance.rows()] == list(conformance.NUMBERS)


def test_tests_cite_no_statement_that_does_not_exist() -> None:
    assert sorted(set(cited()) - set(conformance.NUMBERS)) == []


def test_the_document_names_the_tests_that_there_are() -> None:
    text = conformance.DOCUMENT.read_text(encoding="utf-8")
    assert text == conformance.renewed(text, cited()), "run: .venv/bin/python -m tests.docs.conformance"


def test_every_statement_has_a_test_or_a_reason() -> None:
    tests = cited()
    assert [row.number for row in conformance.rows() if row.number not in tests and not row.remark] == []


def test_a_remark_is_of_a_known_kind_and_what_it_points_to_is_tested() -> None:
    tests = cited()
    for row in conformance.rows():
        if not row.remark:
            continue
        assert row.remark.startswith(BEGINNINGS), row
        assert not (row.remark.startswith("Not checked") and row.number in tests), row
        if row.remark.startswith("As "):
            named = re.findall(r"[A-H]\d\d|recordio 8\.\d+", re.split(r"[.:](?!\d)", row.remark)[0])
            assert named, row
            assert [number for number in named if number not in tests] == [], row
