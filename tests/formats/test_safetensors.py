"""Arrays in a file as safetensors lays them out: written, read back, and refused when anything is odd."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sagedock.formats import safetensors

ARRAYS = {
    "bytes": np.arange(5, dtype=np.uint8),
    "empty": np.empty((0, 2, 3), np.float32),
    "floats": np.arange(6, dtype=np.float32).reshape(2, 3),
    "wide": np.array([2**40], np.int64),
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    safetensors.write(tmp_path / "model", ARRAYS, {"version": "1"})
    return tmp_path / "model"


def laid_out(header: Any, numbers: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + numbers


def entry(dtype: Any = "F32", shape: Any = (1,), offsets: Any = (0, 4)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def test_what_is_written_is_read(file: Path) -> None:
    found = safetensors.read(file)
    assert found.metadata == {"version": "1"}
    assert found.arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert found.arrays[name].dtype == array.dtype
        assert np.array_equal(found.arrays[name], array)


def test_the_numbers_are_mapped_aligned_and_not_to_be_written(file: Path) -> None:
    """Issue 4 item 7: loads memory-mapped."""
    found = safetensors.read(file).arrays
    mapped = [line for line in Path("/proc/self/maps").read_text().splitlines() if line.endswith(str(file))]
    assert mapped
    low, high = (int(edge, 16) for edge in mapped[0].split()[0].split("-"))
    for array in found.values():
        assert array.flags.aligned
        assert not array.flags.writeable
        assert not array.size or low <= array.ctypes.data < high
    assert int.from_bytes(file.read_bytes()[:8], "little") % 64 == 56


def test_the_layout_is_that_of_safetensors(file: Path) -> None:
    """A header of names, types, shapes and offsets; the numbers behind it without gaps."""
    content = file.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    assert header.pop("__metadata__") == {"version": "1"}
    assert header["floats"]["dtype"] == "F32"
    assert header["floats"]["shape"] == [2, 3]
    begin, end = header["floats"]["data_offsets"]
    assert np.frombuffer(content[8 + length :][begin:end], "<f4").tolist() == list(range(6))
    assert max(offset for one in header.values() for offset in one["data_offsets"]) == len(content) - 8 - length


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "too few for a header"),
        (b"\0" * 7, "too few for a header"),
        (laid_out({}, length=2**63), "its header claims 9223372036854775808 bytes"),
        (laid_out({}, length=3), "its header claims 3 bytes, and it has 10"),
        (laid_out(b" " * 10), "its header is not JSON"),
        (laid_out(b"[" * 5000), "its header is not JSON"),
        (laid_out(b"\xff\xfe"), "its header is not JSON"),
        (laid_out([]), "its header is no JSON object"),
        (laid_out(b'{"a": 1, "a": 2}'), "a name stands twice"),
        (laid_out(b'{"a": NaN}'), "NaN is no number"),
        (laid_out({"a": 1}), "'a' is not dtype, shape and data_offsets"),
        (laid_out({"a": {**entry(), "more": 1}}, b"1234"), "'a' is not dtype, shape and data_offsets"),
        (laid_out({"a": entry("F16", (2,))}, b"1234"), "'a' is of type 'F16': read are"),
        (laid_out({"a": entry(["F32"])}, b"1234"), "'a' is of type"),
        (laid_out({"a": entry(shape=(-1,))}, b"1234"), "'a' has no shape of whole numbers"),
        (laid_out({"a": entry(shape=(True,))}, b"1234"), "'a' has no shape of whole numbers"),
        (laid_out({"a": entry(shape=(1.0,))}, b"1234"), "'a' has no shape of whole numbers"),
        (laid_out({"a": entry(shape=(2**60,))}, b"1234"), "'a' has no shape of whole numbers"),
        (laid_out({"a": entry(shape=(1,) * 40)}, b"1234"), "'a' has no shape of whole numbers"),
        (laid_out({"a": entry(shape=(2**40, 2**40))}, b"1234"), f"takes {2**82} bytes, not 4"),
        (laid_out({"a": entry(offsets=(0, 4, 8))}, b"1234"), "data_offsets that are no two whole numbers"),
        (laid_out({"a": entry(offsets=(0, 5))}, b"12345"), "takes 4 bytes, not 5"),
        (laid_out({"a": entry(offsets=(4, 0))}, b"1234"), "takes 4 bytes, not -4"),
        (laid_out({"a": entry(offsets=(2, 6))}, b"123456"), "begins at byte 2 of the numbers, not at 0"),
        (laid_out({"a": entry(), "b": entry()}, b"1234"), "'b' begins at byte 0 of the numbers, not at 4"),
        (laid_out({"a": entry()}, b"123"), "its arrays take 4 bytes, and 3 follow the header"),
        (laid_out({"a": entry()}, b"12345"), "its arrays take 4 bytes, and 5 follow the header"),
        (laid_out({"__metadata__": {"a": 1}}), "its __metadata__ is not texts by name"),
    ],
)
def test_a_file_that_is_none_is_refused_with_the_reason(tmp_path: Path, content: bytes, told: str) -> None:
    """Models are hostile input: sizes are checked against the file before anything of that size is made."""
    (tmp_path / "model").write_bytes(content)
    with pytest.raises(ValueError, match=told.replace("(", r"\(")):
        safetensors.read(tmp_path / "model")


@given(
    array=arrays.arrays(
        st.sampled_from([np.dtype(kind) for kind in ("<f4", "<f8", "<i4", "<i8", "u1")]),
        arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
    ),
    name=st.text(max_size=5).filter(lambda text: text != "__metadata__" and text.isprintable()),
)
def test_any_array_comes_back(tmp_path_factory: pytest.TempPathFactory, array: np.ndarray, name: str) -> None:
    file = tmp_path_factory.getbasetemp() / "any"
    safetensors.write(file, {name: array}, {})
    (found,) = safetensors.read(file).arrays.values()
    assert (found.dtype, found.shape) == (array.dtype, array.shape)
    assert found.tobytes() == array.tobytes()


@given(data=st.data())
def test_a_damaged_file_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """One byte changed, or the end cut off: ValueError or arrays of the size of the file at most."""
    file = tmp_path_factory.getbasetemp() / "damaged"
    safetensors.write(file, ARRAYS, {"version": "1"})
    content = bytearray(file.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    file.write_bytes(bytes(content[: data.draw(st.integers(0, len(content)))]))
    try:
        found = safetensors.read(file).arrays
    except ValueError:
        return
    assert sum(array.nbytes for array in found.values()) <= len(content)
