"""containers/mnist/prepare.py: from idx files to libsvm channels, and what wrong files get."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from sagedock.errors import UserError

ROWS = 240


def idx(values: np.ndarray) -> bytes:
    """An idx file of unsigned bytes, written here by the format's description rather than by the code under test."""
    return bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


@pytest.fixture
def folder(mnist: ModuleType, tmp_path: Path) -> Path:
    """Digits of 4 by 3 pixels whose first pixel is their label and whose second is their row."""
    random = np.random.default_rng(5)
    labels = (np.arange(ROWS) % 10).astype(np.uint8)
    images = random.integers(0, 256, (ROWS, 4, 3)).astype(np.uint8)
    images[:, 0, 0] = labels
    images[:, 0, 1] = np.arange(ROWS)
    (tmp_path / mnist.IMAGES).write_bytes(gzip.compress(idx(images)))
    (tmp_path / mnist.LABELS).write_bytes(gzip.compress(idx(labels)))
    return tmp_path


def lines_of(channel: Path) -> list[tuple[int, dict[int, float]]]:
    """Labels and pixels of a channel, file by file, split by hand."""
    found = []
    for file in sorted(channel.iterdir()):
        for line in file.read_text().splitlines():
            label, *tokens = line.split(" ")
            pairs = (token.split(":") for token in tokens)
            found.append((int(label), {int(index): float(value) for index, value in pairs}))
    return found


def test_every_pixel_is_written_counted_from_one_and_divided_by_256(mnist: ModuleType, folder: Path) -> None:
    """xgboost 9.2."""
    parts = mnist.prepare(folder, folder / "channels")
    for name in ("train", "validation", "test"):
        digits = getattr(parts, name)
        lines = lines_of(folder / "channels" / name)
        assert [label for label, _ in lines] == digits.labels.tolist()
        for (label, pixels), row in zip(lines, digits.pixels, strict=True):
            assert list(pixels) == list(range(1, 13))
            assert list(pixels.values()) == (row / 256).tolist()
            assert pixels[1] * 256 == label


def test_the_split_loses_and_repeats_no_digit(mnist: ModuleType, folder: Path) -> None:
    """Ten, one and one twelfths, in five part files each."""
    parts = mnist.prepare(folder, folder / "channels")
    assert [len(part.labels) for part in (parts.train, parts.validation, parts.test)] == [200, 20, 20]
    rows = np.concatenate([part.pixels[:, 1] for part in (parts.train, parts.validation, parts.test)])
    assert sorted(rows) == list(range(ROWS))
    assert [len(list((folder / "channels" / name).iterdir())) for name in ("train", "validation", "test")] == [5, 5, 5]


def test_the_same_seed_gives_the_same_bytes(mnist: ModuleType, folder: Path) -> None:
    mnist.prepare(folder, folder / "a")
    mnist.prepare(folder, folder / "b")
    for file in (folder / "a").rglob("*.libsvm"):
        assert (folder / "b" / file.relative_to(folder / "a")).read_bytes() == file.read_bytes()


def test_real_mnist_is_read(mnist: ModuleType, shared: Path) -> None:
    """60,000 digits of 784 pixels, some 6,000 of each kind (5,421 fives, 6,742 ones)."""
    digits = mnist.read(shared / "mnist")
    assert digits.pixels.shape == (60000, 784)
    counts = np.bincount(digits.labels)
    assert (counts[5], counts[1], counts.sum()) == (5421, 6742, 60000)
    parts = mnist.split(digits)
    assert [len(part.labels) for part in (parts.train, parts.validation, parts.test)] == [50000, 5000, 5000]


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lambda _: b"", "not an idx file"),
        (lambda data: b"\x00\x00\x0d" + data[3:], "not an idx file of unsigned bytes"),
        (lambda data: data[:6], "ends inside its header"),
        (lambda data: data[:-1], "declares 240 bytes of data and holds 239"),
        (lambda data: data[:-1] + b"\x0a", "label 240 is 10, allowed are 0 to 9"),
        (lambda _: idx(np.zeros(3, np.uint8)), r"\(240, 4, 3\).*\(3,\)"),
    ],
)
def test_a_damaged_file_is_refused_by_name(
    mnist: ModuleType, folder: Path, damage: Callable[[bytes], bytes], expected: str
) -> None:
    """Issue, "What bad input gets"."""
    file = folder / mnist.LABELS
    file.write_bytes(gzip.compress(damage(gzip.decompress(file.read_bytes()))))
    with pytest.raises(UserError, match=expected) as caught:
        mnist.prepare(folder, folder / "channels")
    assert mnist.LABELS in str(caught.value)
    assert not (folder / "channels").exists()


@pytest.mark.parametrize("content", [None, b"no gzip", gzip.compress(bytes(100))[:-12]], ids=["absent", "plain", "cut"])
def test_a_file_that_is_no_gzip_is_refused_by_name(mnist: ModuleType, folder: Path, content: bytes | None) -> None:
    file = folder / mnist.IMAGES
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UserError, match=r"train-images-idx3-ubyte\.gz"):
        mnist.prepare(folder, folder / "channels")


@pytest.mark.parametrize("rows", [59, 241])
def test_too_few_or_too_many_rows_are_refused(mnist: ModuleType, folder: Path, rows: int) -> None:
    with pytest.raises(UserError, match=f"{rows} rows: give from 60 to 240"):
        mnist.prepare(folder, folder / "channels", rows)
