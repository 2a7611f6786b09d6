"""Numbers in text, both ways: the nearest double and then a float; the double of a float as repr writes it."""

import math
import random
import struct

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sagedock import core
from sagedock.formats.cells import narrowed, number

pytestmark = pytest.mark.usefixtures("native")


def same(found, expected):
    """Equal to the bit, the sign of zero included; any NaN is as good as another."""
    left, right = np.atleast_1d(found), np.atleast_1d(expected)
    return np.array_equal(left, right, equal_nan=True) and np.array_equal(np.signbit(left), np.signbit(right))


def agrees(text):
    """Whether the core reads the cell `text` as `number` does, or leaves what that one refuses."""
    found = core.native.csv(f"0,{text}".encode())
    try:
        expected = narrowed(np.array([0, number(text)]))
    except ValueError:
        return found is None
    return found is not None and same(found[0, 1:], expected[1:])


@given(st.from_regex(r"[+-]?([0-9]{1,25}\.?[0-9]{0,30}|\.[0-9]{1,30})([eE][+-]?[0-9]{1,3})?", fullmatch=True))
@settings(max_examples=1000)
@example("16777217")
@example("16777217.0000000001")
@example("1.00000017881393432617187499")
@example("3.4028235677973366e38")
@example("3.4028235677973365e38")
@example("-1.401298464324817e-45")
@example("7.006492321624085e-46")
@example("7.0064923216240853e-46")
@example("7.0064923216240854e-46")
@example("1.1754943508222875e-38")
@example("1.17549429e-38")
@example("0." + "0" * 60 + "1e60")
@example("1" + "0" * 60 + "e-60")
@example("1e99999999999999999999")
@example("0e99999999999999999999")
@example("1e-99999999999999999999")
@example("-0.0")
@example("18446744073709551615")
@example("18446744073709551616")
@example("99999999999999999999")
def test_decimal_text_is_the_nearest_double_and_then_a_float(text):
    assert agrees(text)


@given(st.text(alphabet="0123456789.+-eEnaNA infINF_x\t", max_size=12))
@settings(max_examples=1000)
def test_a_cell_is_read_as_in_python_or_not_at_all(text):
    assert agrees(text)


def test_texts_next_to_the_middle_between_two_floats():
    """Where the nearest double is the middle itself, and where a digit more or less tips the scales."""
    chance = random.Random(0)
    for _ in range(20_000):
        pattern = chance.randrange(0x7F7FFFFF)
        low, high = (struct.unpack("<f", struct.pack("<I", bits))[0] for bits in (pattern, pattern + 1))
        middle = (low + high) / 2
        for value in (middle, math.nextafter(middle, 0), math.nextafter(middle, math.inf)):
            assert agrees(repr(value))
            assert agrees(f"{value:.{chance.randrange(15, 40)}e}")


@pytest.mark.parametrize("digits", [18, 19, 20, 21, 766, 767, 768, 799, 800, 801, 5000])
def test_numbers_of_many_digits(digits):
    chance = random.Random(digits)
    text = "".join(chance.choice("0123456789") for _ in range(digits))
    middle = f"{16777217:.{digits}f}"
    for number_text in (f"0.{text}", f"{text}e-{digits}", f"0.{'0' * digits}{text}e{digits}", middle, middle + "1"):
        assert agrees(number_text)


def test_a_hundred_thousand_digits_are_read_right():
    """Issue 3 item 5: a number of 100,000 digits."""
    assert core.native.csv(b"0.1,0." + b"3" * 100_000)[0, 1] == np.float32(1 / 3)
    assert core.native.csv(b"1,1" + b"0" * 100_000) is None
    assert core.native.csv(b"1," + b"0" * 100_000 + b"7")[0, 1] == 7
    assert core.native.csv(b"1,16777217." + b"0" * 100_000 + b"1")[0, 1] == 16777216  # the double is the middle


def test_every_size_is_written_as_repr_writes_it():
    """Contract E05's answers, to the byte."""
    chance = np.random.default_rng(0)
    values = chance.integers(0, 2**32, size=300_000, dtype=np.uint32).view(np.float32)
    powers = np.ldexp(np.float32(1), np.arange(-149, 128)).astype(np.float32)
    tens = np.array([float(f"1e{power}") for power in range(-45, 39)], dtype=np.float32)
    special = np.array([0, -0.0, np.nan, np.inf, -np.inf, 1e-4, 9.999e-5, 1e16, 9.99e15], dtype=np.float32)
    whole = np.arange(-3000, 3000, dtype=np.float32)
    for found in (values, powers, tens, special, whole, chance.random(300_000, dtype=np.float32)):
        with np.errstate(invalid="ignore"):
            expected = "".join(f"{value!r}\n" for value in found.astype(float).tolist())
        assert core.native.lines(found).decode() == expected


def test_rows_are_joined_by_commas():
    values = np.array([[0.25, np.nan], [1e-7, 3]], dtype=np.float32)
    assert core.native.rows(values) == b"0.25,nan\n1.0000000116860974e-07,3.0\n"
    assert core.native.rows(values[:0]) == b""
    assert core.native.lines(values[:0, 0]) == b""
