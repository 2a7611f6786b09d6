"""The door to the compiled core: what it offers, and how it is left shut."""

import subprocess
import sys

import pytest

from sagedock import core


def test_what_is_declared_is_what_is_built(native):
    protocols = [one for one in core.Native.__mro__ if one.__module__.startswith("sagedock.")]
    declared = {name for one in protocols for name in vars(one) if not name.startswith("_")}
    built = {name for name in vars(native) if not name.startswith("_")}
    assert declared == built


def test_the_best_instruction_set_is_last_and_only_those_here_may_be_chosen(native):
    assert native.instruction_sets()[0] == "scalar"
    with pytest.raises(ValueError, match="no such instruction set"):
        native.use_instruction_set("mmx")


def test_lines_are_counted_alike_by_every_instruction_set(each_native):
    for length in range(70):
        text = (b"a\n\nb" * 20)[:length]
        assert each_native.count_lines(text) == text.count(b"\n")


def test_switching_off_leaves_none():
    code = "from sagedock import core; core.switch_off(); print(core.native)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "None\n"


def test_the_core_needs_no_numpy_until_it_makes_an_array():
    code = "import sys; from sagedock import core; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
