"""Which lines of a request get a placeholder, whatever the container's hints are worth."""

from __future__ import annotations

from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagedock.errors import UserError
from sagedock.serving.answer import Answer
from sagedock.serving.placeholders import Types, answered, cuts

TYPES = Types("text/csv", "text/csv")


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.sampled_from(["right", "none", "wrong"]))
def test_every_line_has_its_own_answer(good: list[bool], hint: str) -> None:
    """contract E09: in order, and right even where the row at fault is not named, or named wrongly."""
    lines = [b"%d" % number if fine else b"bad" for number, fine in enumerate(good)]

    def invoke(body: bytes) -> Answer:
        rows = body.split(b"\n")
        bad = next((row for row, line in enumerate(rows, start=1) if line == b"bad"), None)
        if bad is None:
            return Answer(HTTPStatus.OK, body.rstrip(b"\n") + b"\n", "text/csv")
        raise UserError("bad", row={"right": bad, "none": None, "wrong": 10 * bad}[hint])

    body = b"\n".join(lines)
    expected = b"".join(b"%d\n" % number if fine else b"ERROR\n" for number, fine in enumerate(good))
    if all(good):
        assert invoke(body).body == expected
    else:
        with pytest.raises(UserError) as caught:
            invoke(body)
        assert answered(invoke, body, TYPES, caught.value).body == expected


@given(st.integers(2, 500), st.none() | st.integers(-3, 600))
def test_cuts_lose_nothing_and_come_to_an_end(count: int, row: int | None) -> None:
    parts = cuts(count, row)
    assert [number for begin, end in parts for number in range(begin, end)] == list(range(count))
    assert all(0 < end - begin < count for begin, end in parts)


@pytest.mark.parametrize("types", [Types("application/json", "text/csv"), Types("text/csv", "application/json")])
def test_what_has_no_lines_is_refused_as_ever(types: Types) -> None:
    error = UserError("bad", row=1)
    with pytest.raises(UserError, match="bad"):
        answered(lambda _: Answer(HTTPStatus.OK), b"1\n", types, error)
